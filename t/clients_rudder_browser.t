#!/usr/bin/perl

# @rudderstack/analytics-js in Chromium, in a page of the same origin and of
# another one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Client qw(same_events outage at_time);
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();

$t->define(SHOP => 'http://shop.example:' . $t->port(8080));
$t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=300ms connect_timeout=300ms;
    martech_source  shop key=wk kind=client;

    types { text/html html; text/javascript js mjs; }
    log_format  answers  '$status $request_method $uri';

    server {
        listen 127.0.0.1:8080;

        location /page/ { alias %%ROOT%%/t/clients/pages/; }
        location /sdk/ { alias %%ROOT%%/build/clients/node_modules/; }

        location / {
            martech_collect;
            martech_dialect rudderstack;
            access_log %%PREFIX%%/same.log answers;
        }
    }

    server {
        listen 127.0.0.1:8081;

        location /collect/ {
            martech_collect;
            martech_dialect rudderstack;
            martech_cors %%SHOP%%;
            access_log %%PREFIX%%/cross.log answers;
        }
    }
END

my ($port, $other) = map { $t->port($_) } 8080, 8081;

# How a message of the client is stored.
my @ROWS = (
    ['type', 'type'],
    ['event', 'event'],
    ['name', 'name'],
    ['category', 'category'],
    ['messageId', 'messageId'],
    ['userId', sub { $_[0] eq '' ? {} : { userId => $_[0] } }],
    ['anonymousId', 'anonymousId'],
    ['groupId', 'groupId'],
    ['previousId', 'previousId'],
    ['channel', 'channel'],
    ['properties', 'properties'],
    ['properties.*', 'properties.*'],
    ['traits.*', 'traits.*'],
    ['integrations.*', 'integrations.*'],
    ['context.*', 'context.*'],
    ['originalTimestamp', 'originalTimestamp', \&at_time],

    # it is set anew when the event is sent
    ['sentAt', undef],
);

my @COMPARED = (rows => \@ROWS, exact => [qw(properties traits integrations)]);


sub session {
    my ($what, @arguments) = @_;

    $redis->call('flushall');

    my $client = Martech::Client->visit($redis, $t, 'rudder_browser',
                                        @arguments);
    my @sent = $client->events();

    is(scalar @sent, 26, "$what: six calls, and twenty that were queued");
    same_events($what, \@sent, [ $redis->events() ], @COMPARED);
    is(join(' ', $client->said('pageerror'), $client->said('console')), '',
       "$what: the page has no errors");
}


session('same origin', 'same', $port);
session('another origin', 'cross', $port, $other);


# ---- 503 for five seconds ----

{
    $redis->call('flushall');

    my $client = Martech::Client->start($t, 'rudder_browser', 'outage', $port);

    outage($redis, $t->dir() . '/same.log', $client, 5);
    same_events('outage', [ $client->events() ], [ $redis->events() ]);
}

$t->done();
