#!/usr/bin/perl

# A batch is many verdicts: the good events are stored, the bad ones are named.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->nginx(<<'END');
    martech_redis  %%REDIS%%;

    server {
        listen 127.0.0.1:8080;
        client_max_body_size 4m;

        location / {
            martech_collect;
        }

        location /wide/ {
            martech_limits batch=4m;
            martech_collect;
        }
    }
END

my $port = $t->port(8080);


sub event {
    my ($n, %more) = @_;

    return { type => 'track', event => 'E', userId => "user-$n",
             messageId => "m$n", %more };
}


# ---- 500 events, 3 of them bad ----

my @events = map { event($_) } 0 .. 499;

delete $events[3]{userId};
$events[77]{properties} = [];
$events[499]{messageId} = 'x' x 101;

my $response = post($port, '/v1/batch', { batch => \@events });

is($response->{status}, 200, 'a batch with bad events is taken');
ok($response->{json}{success}, 'it is a success');
is($response->{json}{accepted}, 497, 'the good events are counted');
is(scalar @{ $response->{json}{rejected} }, 3, 'the bad events are listed');
is($response->{headers}{'x-martech-ack'}, 'redis',
   'the answer names the level of the acknowledgement');

is_deeply([ map { [ @{$_}{qw(index messageId code pointer)} ] }
            @{ $response->{json}{rejected} }[0, 1] ],
          [ [3, 'm3', 'no_user_anon_id', '/batch/3/userId'],
            [77, 'm77', 'properties_not_object', '/batch/77/properties'] ],
          'each with index, messageId, code and pointer');
is($response->{json}{rejected}[2]{code}, 'message_id_size',
   'the last of the batch is named, too');
ok($response->{json}{rejected}[0]{detail}, 'and a sentence for people');

my @stored = map { $_->{id} } $redis->events();

is(@stored, 497, 'the good events are stored');
is(join(' ', sort @stored),
   join(' ', sort map { "m$_" } grep { $_ != 3 && $_ != 77 } 0 .. 498),
   'each once, and no other');


# ---- order ----

$redis->call('flushall');
post($port, '/v1/batch',
     { batch => [ map { event($_, anonymousId => 'one') } 1 .. 200 ] });
is(join(' ', map { $_->{id} } $redis->events()),
   join(' ', map { "m$_" } 1 .. 200), 'events of one visitor keep their order');


# ---- all bad ----

$redis->call('flushall');
$response = post($port, '/v1/batch',
    { batch => [ map { event($_, userId => undef) } 1 .. 20 ] });

is($response->{status}, 400, 'a batch without a good event is refused');
is(scalar @{ $response->{json}{errors} }, 20, 'and lists every event');
is($response->{json}{errors}[19]{pointer}, '/batch/19/userId',
   'up to the last');
is($redis->count(), 0, 'and stores nothing');


# ---- more than anybody reads ----

$response = post($port, '/v1/batch',
    { batch => [ event(0), map { event($_, userId => undef) } 1 .. 150 ] });

is($response->{status}, 200, 'a batch with 150 bad events is taken');
is(@{ $response->{json}{rejected} }, 100, "the first of them are listed");
is($response->{json}{unlisted}, 50, 'the others are counted');
$redis->call('flushall');


# ---- limits ----

$response = post($port, '/v1/batch',
    { batch => [ map { event($_) } 1 .. 2500 ] });
is($response->{status}, 200, 'a batch of 2500 events is taken');
is($redis->count(), 2500, 'and stored');

$response = post($port, '/v1/batch',
    { batch => [ map { event($_) } 1 .. 2501 ] });
is("$response->{status} $response->{json}{code}", '400 batch_count',
   'a batch of 2501 events is refused');

my $filler = 'x' x 30_000;

$redis->call('flushall');
$response = post($port, '/v1/batch',
    { batch => [ map { event($_, p => $filler) } 1 .. 16 ] });
is($response->{status}, 200, 'a batch of 480 kB is taken');
is($redis->count(), 16, 'and stored');

$response = post($port, '/wide/v1/batch',
    { batch => [ map { event($_, p => $filler) } 1 .. 100 ] });
is($response->{status}, 200, 'a batch of 3 MB is taken where it is allowed');
is($redis->count(), 116, 'and stored');

# many values, few bytes: the scanner's memory grows
$redis->call('flushall');
$response = post($port, '/v1/batch',
    { batch => [ map { event($_, p => [ (0) x 10_000 ]) } 1 .. 20 ] });
is($response->{status}, 200, 'a batch of 200,000 values is taken');
is($redis->count(), 20, 'and stored');

$t->done();
