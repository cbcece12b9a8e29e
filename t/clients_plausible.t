#!/usr/bin/perl

# @plausible-analytics/tracker in Chromium, in a page of the same origin and of
# another one.  It has ids of nothing: a visitor is known by the daily hash.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Client qw(same_events page_url number text);
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();

$t->define(SHOP => 'http://shop.example:' . $t->port(8080));

my $nginx = $t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=300ms connect_timeout=300ms;
    martech_source  shop key=shop.example kind=client;
    martech_cookie  visitor mode=anonymous;

    types { text/html html; text/javascript js mjs; }
    log_format  answers  '$status $request_method $uri';

    server {
        listen 127.0.0.1:8080;

        location /page/ { alias %%ROOT%%/t/clients/pages/; }
        location /sdk/ { alias %%ROOT%%/build/clients/node_modules/; }

        location / {
            martech_collect;
            martech_dialect plausible;
            access_log %%PREFIX%%/same.log answers;
        }
    }

    server {
        listen 127.0.0.1:8081;

        location /collect/ {
            martech_collect;
            martech_dialect plausible;
            martech_cors %%SHOP%%;
        }
    }
END

my ($port, $other) = map { $t->port($_) } 8080, 8081;

# How an event of the tracker is stored.
my @ROWS = (
    ['n', sub { $_[0] eq 'pageview' ? { type => 'page' }
                                    : { type => 'track', event => $_[0] } }],
    ['u', \&page_url],
    ['r', 'context.page.referrer', sub { map { $_ // '' } @_ }],
    ['v', 'context.library.version', \&text],
    ['p.*', 'properties.*'],
    ['$.amount', 'properties.revenue', \&number],
    ['$.currency', 'properties.currency'],
    ['i', 'properties.interactive'],
    ['sd', 'properties.scroll_depth'],
    ['e', 'properties.engagement_time'],

    # the key
    ['d', undef],
);


# An event by what its caller counts, or by its name: there is one of each.
sub sent_id { return $_[0]{p} ? $_[0]{p}{n} : $_[0]{n} }

sub stored_id {
    my ($event) = @_;

    return $event->{properties}{n} // $event->{event} // 'pageview';
}


sub session {
    my ($what, $mode) = @_;

    $redis->call('flushall');

    my $client = Martech::Client->visit($redis, $t, 'plausible_browser', $mode,
                                        $port, $other);
    my @sent = $client->events();
    my @stored = $redis->events();

    is(scalar @sent, 9, "$what: a page, seven calls, and one of its end");
    is(join(' ', $client->said('status')), join(' ', (202) x 7),
       "$what: the client is told that they are taken");
    same_events($what, \@sent, \@stored, rows => \@ROWS,
                exact => ['properties'], sent_id => \&sent_id,
                stored_id => \&stored_id);

    my %visitors = map { $_->{event}{anonymousId} => 1 } @stored;

    is(scalar keys %visitors, 1, "$what: all are of one visitor");
    is(join(' ', $client->said('pageerror'), $client->said('console')), '',
       "$what: the page has no errors");
}


session('same origin', 'same');
session('another origin', 'cross');


# ---- 503 ----

# It sends nothing again: what was refused is lost, and its caller is told.
{
    $redis->call('flushall');
    $redis->kill_now();

    my $client = Martech::Client->run($t, 'plausible_browser', 'refused',
                                      $port);

    is(join(' ', $client->said('status')), join(' ', (503) x 7),
       '503: the client is told, and does not send again');
    $redis->start();
    is($redis->count(), 0, '503: nothing is stored');
}

$t->done();
