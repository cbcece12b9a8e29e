#!/usr/bin/perl

# @rudderstack/rudder-sdk-node: what it believes to have sent is what is stored.

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
            martech_dialect rudderstack;
            access_log %%PREFIX%%/answers.log answers;
        }
    }
END

my $port = $t->port(8080);

# How a message of the client is stored.
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
    ['channel', 'channel'],
    ['properties', 'properties'],
    ['properties.*', 'properties.*'],
    ['traits.*', 'traits.*'],
    ['integrations.*', 'integrations.*'],
    ['context.*', 'context.*'],
    ['_metadata.*', '_metadata.*'],
    ['originalTimestamp', 'originalTimestamp', \&at_time],
    ['sentAt', 'sentAt', \&at_time],
);

my @COMPARED = (rows => \@ROWS, exact => [qw(properties traits integrations)]);


for my $run (['gzip', 'session', 40], ['plain', 'plain', 7]) {
    my ($what, $mode, $count) = @$run;

    $redis->call('flushall');

    my $client = Martech::Client->run($t, 'rudder_node', $mode, $port);
    my @sent = $client->events();

    is(scalar @sent, $count, "$what: the client says all is well");
    is(join(' ', $client->said('failed')), '', "$what: it knows of no failure");
    same_events($what, \@sent, [ $redis->events() ], @COMPARED);
}


# ---- 503 for five seconds ----

{
    my $client = Martech::Client->start($t, 'rudder_node', 'outage', $port);

    $redis->call('flushall');
    outage($redis, $t->dir() . '/answers.log', $client, 5);
    is(join(' ', $client->said('failed')), '', 'outage: it loses nothing');
    is(scalar $client->events(), 7, 'outage: all is sent in the end');
    same_events('outage', [ $client->events() ], [ $redis->events() ]);
}

$t->done();
