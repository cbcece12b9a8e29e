#!/usr/bin/perl

# @umami/node: what it sends is what is stored.  It has ids of nothing: a
# visitor is known by the daily hash.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Client qw(same_events);
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=300ms connect_timeout=300ms;
    martech_source  shop key=e676c9b4-11e4-4ef1-a4d7-87001773e9f2;
    martech_cookie  visitor mode=anonymous;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
            martech_dialect umami;
        }
    }
END

my $port = $t->port(8080);


# The URL of a page has no host: that is in another member.
sub page {
    my ($url, $event) = @_;
    my ($path, $search) = $url =~ m{^([^?#]*)(\?[^#]+)?};

    return {
        'context.page.url' => "https://$event->{payload}{hostname}$url",
        'context.page.path' => $path,
        defined $search ? ('context.page.search' => $search) : (),
    };
}


sub screen {
    my ($width, $height) = $_[0] =~ /^(\d+)x(\d+)$/;

    return { 'context.screen.width' => $width + 0,
             'context.screen.height' => $height + 0 };
}


# an event without a name is a page
sub type_of {
    my ($type, $event) = @_;

    return { type => $type eq 'identify' ? 'identify'
             : defined $event->{payload}{name} ? 'track' : 'page' };
}


# How what the client sends is stored.
my @ROWS = (
    ['type', \&type_of],
    ['payload.name', 'event'],
    ['payload.url', \&page],
    ['payload.title', 'context.page.title'],
    ['payload.referrer', 'context.page.referrer'],
    ['payload.hostname', 'context.umami.hostname'],
    ['payload.language', 'context.locale'],
    ['payload.screen', \&screen],
    [qr/^payload\.data\.(.*)$/, sub {
        my ($value, $event, $name) = @_;
        my $where = $event->{type} eq 'identify' ? 'traits' : 'properties';

        return { "$where.$name" => $value };
    }],

    # the key
    ['payload.website', undef],
);


{
    my $client = Martech::Client->run($t, 'umami_node', 'session', $port);
    my @sent = $client->events();
    my @stored = $redis->events();

    is(scalar @sent, 9, 'a page, an identify, and seven events');
    is(join(' ', $client->said('status')), join(' ', (200) x 9),
       'the client is told that they are taken');
    same_events('session', \@sent, \@stored, rows => \@ROWS,
                exact => [qw(properties traits)],
                sent_id => sub { $_[0]{payload}{data}{n} },
                stored_id => sub { ($_[0]{properties} // $_[0]{traits})->{n} });

    my %visitors = map { $_->{event}{anonymousId} => 1 } @stored;
    my %sessions = map { $_->{sessionId} => 1 } $client->said('body');

    is(scalar keys %visitors, 1, 'all are of one visitor');
    is(scalar keys %sessions, 1, 'and of one session');
}


# ---- 503 ----

# It sends nothing again: what was refused is lost, and its caller is told.
{
    $redis->call('flushall');
    $redis->kill_now();

    my $client = Martech::Client->run($t, 'umami_node', 'refused', $port);

    is(join(' ', $client->said('status')), 503,
       '503: the client is told, and does not send again');
    $redis->start();
    is($redis->count(), 0, '503: nothing is stored');
}

$t->done();
