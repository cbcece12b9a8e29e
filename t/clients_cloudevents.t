#!/usr/bin/perl

# cloudevents, the SDK for JavaScript: what it emits is what is stored, in
# binary, structured and batched mode.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Client qw(same_events at_time);
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->nginx(<<'END');
    martech_redis  %%REDIS%% timeout=300ms connect_timeout=300ms;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
            martech_dialect cloudevents;
        }
    }
END

my $port = $t->port(8080);

# How an event is stored.
my @ROWS = (
    ['type', sub { { type => 'track', event => $_[0] } }],
    ['id', 'context.cloudevents.id'],
    ['source', 'context.cloudevents.source'],
    ['subject', 'context.cloudevents.subject'],
    ['time', 'timestamp', \&at_time],
    ['specversion', undef],
    ['datacontenttype', 'context.cloudevents.datacontenttype'],
    ['dataschema', 'context.cloudevents.dataschema'],
    ['anonymousid', 'anonymousId'],
    ['userid', 'userId'],
    [qr/^(sequence|traceparent)$/, 'context.cloudevents.$1'],

    # an object is the properties, what is none is one of them
    ['data', 'properties.data'],
    ['data_base64', 'properties.data_base64'],
    [qr/^data\.(.*)$/, sub {
        my ($value, $event, $path) = @_;

        return { ref $event->{data} eq 'HASH' ? "properties.$path"
                                             : "properties.data.$path",
                 $value };
    }],
);


for my $run (['binary', 6], ['structured', 7], ['batch', 7]) {
    my ($mode, $count) = @$run;

    $redis->call('flushall');

    my $client = Martech::Client->run($t, 'cloudevents_node', $mode, $port);
    my @sent = $client->events();

    is(scalar @sent, $count, "$mode: all events were emitted");
    same_events($mode, \@sent, [ $redis->events() ], rows => \@ROWS,
                exact => ['properties'], sent_id => sub { $_[0]{id} },
                stored_id => sub { $_[0]{context}{cloudevents}{id} });

    my %ids = map { $_->{id} => 1 } $redis->events();

    is(scalar keys %ids, $count, "$mode: each is known by an id of its own");

    # a retry has the same ids
    Martech::Client->run($t, 'cloudevents_node', $mode, $port);
    is(scalar(keys %{ { map { $_->{id} => 1 } $redis->events() } }), $count,
       "$mode: which is the same when it is sent again");
}


# ---- 503 ----

# It sends nothing again: its caller is told.
{
    $redis->call('flushall');
    $redis->kill_now();

    my $client = Martech::Client->run($t, 'cloudevents_node', 'refused', $port);

    like(join(' ', $client->said('body')), qr/"unavailable"/,
         '503: the client is told, and does not send again');
    $redis->start();
    is($redis->count(), 0, '503: nothing is stored');
}

$t->done();
