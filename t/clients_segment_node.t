#!/usr/bin/perl

# @segment/analytics-node: what it believes to have sent is what is stored.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Client qw(same_events outage at_time);
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=300ms connect_timeout=300ms;
    martech_source  shop key=wk;

    log_format  answers  '$status $request_method $uri';

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
            access_log %%PREFIX%%/answers.log answers;
        }
    }
END

my $port = $t->port(8080);

# How a message of the client is stored.  It has the form that events are
# stored in, so most of it is as it was.
my @ROWS = (
    ['type', 'type'],
    ['event', 'event'],
    ['name', 'name'],
    ['category', 'category'],
    ['messageId', 'messageId'],
    ['userId', 'userId'],
    ['anonymousId', 'anonymousId'],
    ['groupId', 'groupId'],
    ['previousId', 'previousId'],
    ['properties', 'properties'],
    ['properties.*', 'properties.*'],
    ['traits.*', 'traits.*'],
    ['integrations', 'integrations'],
    ['integrations.*', 'integrations.*'],
    ['context.*', 'context.*'],
    ['_metadata.*', '_metadata.*'],

    # corrected by the clock of the client, which is ours
    ['timestamp', 'timestamp', \&at_time],
);

my @COMPARED = (rows => \@ROWS,
                exact => [qw(properties traits integrations)]);


# ---- a session ----

{
    my $client = Martech::Client->run($t, 'segment_node', 'session', $port);
    my @sent = $client->events();

    is(scalar @sent, 50, 'the client says that all calls went well');
    is(join(' ', $client->said('failed'), $client->said('error')), '',
       'and knows of no failure');
    same_events('session', \@sent, [ $redis->events() ], @COMPARED);
}


# ---- 503 for five seconds ----

{
    my $client = Martech::Client->start($t, 'segment_node', 'outage', $port);

    $redis->call('flushall');
    outage($redis, $t->dir() . '/answers.log', $client, 5);

    my @statuses = $client->said('status');

    cmp_ok(scalar(grep { $_ == 503 } @statuses), '>', 0,
           'the client is told 503');
    is(join(' ', $client->said('failed')), '', 'it loses nothing');
    is(scalar $client->events(), 7, 'outage: all is sent in the end');
    same_events('outage', [ $client->events() ], [ $redis->events() ]);
}

$t->done();
