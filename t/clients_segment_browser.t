#!/usr/bin/perl

# @segment/analytics-next in Chromium: the current one and the last one that
# sends no Authorization, in a page of the same origin and of another one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Client qw(same_events outage at_time);
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();

my $tls = $t->tls();

$t->define(SHOP => 'http://shop.example:' . $t->port(8080),
           CERT => $tls->cert('server'), KEY => $tls->key('server'));
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
            access_log %%PREFIX%%/same.log answers;
        }
    }

    server {
        listen 127.0.0.1:8081;
        listen 127.0.0.1:8082 ssl;
        ssl_certificate      %%CERT%%;
        ssl_certificate_key  %%KEY%%;

        location /collect/ {
            martech_collect;
            martech_cors %%SHOP%%;
            access_log %%PREFIX%%/cross.log answers;
        }
    }
END

my ($port, $other, $secure) = map { $t->port($_) } 8080, 8081, 8082;

# How a message of the client is stored: see clients_segment_node.t.
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
    ['integrations.*', 'integrations.*'],
    ['context.*', 'context.*'],

    # corrected by the clock of the client, which is ours
    ['timestamp', 'timestamp', \&at_time],
);

my @COMPARED = (rows => \@ROWS, exact => [qw(properties traits integrations)]);


# the methods of the requests in a log that were not answered by 2xx
sub refused {
    open my $fh, '<', $t->dir() . "/$_[0].log" or die "$_[0].log: $!\n";

    return join ' ', grep { !/^2/ && !/favicon/ } <$fh>;
}


sub requests {
    my ($log, $method) = @_;

    open my $fh, '<', $t->dir() . "/$log.log" or die "$log.log: $!\n";

    return scalar grep { /^\d+ $method / } <$fh>;
}


sub session {
    my ($what, @arguments) = @_;

    $redis->call('flushall');

    my $client = Martech::Client->visit($redis, $t, 'segment_browser',
                                        @arguments);
    my @sent = $client->events();

    is(scalar @sent, 37, "$what: seven calls, and thirty that were queued");
    same_events($what, \@sent, [ $redis->events() ], @COMPARED);
    is(join(' ', $client->said('pageerror'), $client->said('console')), '',
       "$what: the page has no errors");
}


session('same origin', 'same', $port);
is(refused('same'), '', 'same origin: nothing is refused');
is(requests('same', 'OPTIONS'), 0, 'same origin: nothing is asked before');

session('another origin', 'cross', $port, $other);
is(refused('cross'), '', 'another origin: nothing is refused');
cmp_ok(requests('cross', 'OPTIONS'), '>', 0,
       'another origin: the browser asks before it sends');

my $asked = requests('cross', 'OPTIONS');

session('1.83.0, another origin', 'older', $port, $secure);
is(requests('cross', 'OPTIONS'), $asked, '1.83.0: it need not ask');


# ---- 503 for five seconds ----

{
    $redis->call('flushall');

    my $client = Martech::Client->start($t, 'segment_browser', 'outage', $port);

    outage($redis, $t->dir() . '/same.log', $client, 5);
    same_events('outage', [ $client->events() ], [ $redis->events() ]);
}

$t->done();
