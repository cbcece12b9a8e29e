#!/usr/bin/perl

# What goes in comes out: every path stores one entry of docs/SPEC.md for each
# event, in canonical form, in the shard of its sender.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->nginx(<<'END');
    martech_redis   %%REDIS%%;
    martech_source  website key=wk;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }

        location /deep/collect {
            martech_collect;
        }

        location ~ ^/(one|two)/v1/ {
            martech_collect;
        }

        location = /exact/v1/track {
            martech_collect;
        }
    }

    server {
        listen 127.0.0.1:8081;

        location / {
            martech_collect;
            martech_ack memory;
        }
    }
END

my $port = $t->port(8080);
my $number = 0;


# Posts, and returns the response and the entries that are new.
sub stored {
    my ($path, $payload, %arg) = @_;

    $redis->call('flushall');

    my $response = post($arg{port} // $port, $path, $payload, key => 'wk',
                        %arg);

    return ($response, $redis->events());
}


# ---- paths ----

my %sample = (
    track    => { event => 'Signed Up', userId => 'u1' },
    identify => { userId => 'u1', traits => { plan => 'free' } },
    page     => { name => 'Home', anonymousId => 'a1' },
    screen   => { name => 'Start', anonymousId => 'a1' },
    group    => { groupId => 'g1', userId => 'u1' },
    alias    => { previousId => 'a1', userId => 'u1' },
);

for my $type (sort keys %sample) {
    for my $word ($type, substr $type, 0, 1) {
        my ($response, @events) = stored("/v1/$word", $sample{$type});

        is($response->{status}, 200, "/v1/$word answers 200");
        is(@events, 1, "/v1/$word stores one entry");
        is($events[0]{event}{type}, $type, "/v1/$word stores its type");
    }
}

for my $word ('batch', 'b') {
    my ($response, @events) = stored("/v1/$word", { batch => [
        map { { type => $_, %{ $sample{$_} } } } sort keys %sample ] });

    is($response->{status}, 200, "/v1/$word answers 200");
    is(join(' ', sort map { $_->{event}{type} } @events),
       join(' ', sort keys %sample), "/v1/$word stores every event");
}

for my $path ('/deep/collect/v1/track', '/one/v1/track', '/exact/v1/track') {
    my ($response, @events) = stored($path, $sample{track});

    is($response->{status} . ' ' . @events, '200 1', "$path collects");
}

for my $path ('/', '/v1', '/v1/', '/v1/tracks', '/v1/x', '/v1/track/', '/v2/t',
              '/other/v1/track', '/deep/collectv1/track')
{
    my ($response, @events) = stored($path, $sample{track});

    is($response->{status} . ' ' . @events, '404 0', "$path is not found");
    is($response->{json}{code}, 'path', "$path is told why");
}


# ---- the answer ----

my ($response, @events) = stored('/v1/track', $sample{track});

is($response->{body}, '{"success":true}', 'success is told as SDKs expect it');
is($response->{headers}{'content-type'}, 'application/json',
   'the answer is JSON');
is($response->{headers}{'x-martech-ack'}, 'redis',
   'the answer names the level of the acknowledgement');

($response) = stored('/v1/track', $sample{track}, port => $t->port(8081));
is($response->{status}, 200, 'ack memory answers 200');
is($response->{headers}{'x-martech-ack'}, 'memory', 'ack memory says so');
ok(becomes(sub { $redis->count() == 1 }, 5), 'ack memory stores soon');


# ---- the entry ----

($response, @events) = stored('/v1/track', {
    event => 'Order Completed', anonymousId => '507f191e', userId => 'u1',
    messageId => 'm1', properties => { total => 12.5 },
});

my $entry = $events[0];

is(join(' ', grep { /^(v|id|src|e)$/ } sort keys %$entry), 'e id src v',
   'an entry has the fields of the specification');
is($entry->{v}, '1', 'the format version is 1');
is($entry->{id}, 'm1', 'the entry carries the messageId');
is($entry->{src}, 'website', 'the entry carries the name of the source');

my $raw = $entry->{e};

like($raw, qr/"properties":\{"total":12\.5\}/, 'members pass through');
is($entry->{event}{context}{martech}{source}, 'website',
   'the event carries the source');
is($entry->{event}{context}{martech}{dialect}, 'segment',
   'the event carries the dialect');
is($entry->{event}{context}{martech}{v}, 1, 'the event carries the version');
like($entry->{event}{context}{martech}{requestId}, qr/^[0-9a-f]{32}$/,
     'the event carries the id of its request');
like($entry->{event}{receivedAt}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
     'the event carries the time of receipt');
is($entry->{event}{timestamp}, $entry->{event}{receivedAt},
   'an event without time happened when it was received');

# the table of docs/SPEC.md, section 1
for (['a', 13], ['user-1', 13], ['507f191e-810c-4972-9de8-60ea00000001', 5],
     ["zo\xc3\xab", 4])
{
    my ($id, $shard) = @$_;

    ($response, @events) = stored('/v1/track',
        qq({"event":"E","anonymousId":"$id"}));
    is($events[0]{shard}, $shard, "the shard of \"$id\" is that of the table");
}

($response, @events) = stored('/v1/track',
    '{"event":"E","userId":"user-1","anonymousId":null}');
is($events[0]{shard}, 13, 'the userId chooses the shard without anonymousId');
ok(!exists $events[0]{event}{anonymousId}, 'an id that is null is left out');


# ---- message ids ----

($response, @events) = stored('/v1/track', $sample{track});
like($events[0]{id}, qr/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/,
     'an event without messageId gets a UUIDv7');
is($events[0]{event}{messageId}, $events[0]{id},
   'the event and the entry have the same messageId');

($response, @events) = stored('/v1/batch',
    { batch => [ map { { type => 'track', %{ $sample{track} } } } 1 .. 100 ] });

my %seen = map { $_->{id} => 1 } @events;

is(keys %seen, 100, 'generated messageIds differ');


# ---- what passes through, and what does not ----

($response, @events) = stored('/v1/track',
    '{"event":"E","userId":"u","writeKey":"wk","n":1.500e+3,"big":'
    . '12345678901234567890123,"text":"\u00e9\/\ud83d\ude00","writekey":"x"}');
$raw = $events[0]{e};
like($raw, qr/"n":1\.500e\+3,/, 'a number keeps its text');
like($raw, qr/"big":12345678901234567890123,/, 'a big number keeps its digits');
like($raw, qr{"text":"\\u00e9\\/\\ud83d\\ude00"}, 'escapes stay as they came');
unlike($raw, qr/"writeKey"/, 'the write key is not stored');
unlike($raw, qr/"wk"/, 'the write key is not stored anywhere');

($response, @events) = stored('/v1/track', <<'END');
{
    "event" : "Pretty" ,
    "userId" : "u",
    "properties" : { "a" : [ 1 , 2 ] }
}
END
unlike($events[0]{e}, qr/[\r\n]/, 'an event is one line');
is($events[0]{event}{properties}{a}[1], 2, 'an indented event is understood');

($response, @events) = stored('/v1/batch', {
    context => { library => { name => 'lib' }, locale => 'de' },
    integrations => { All => \0 },
    sentAt => '2026-01-01T00:00:10.000Z',
    writeKey => 'wk',
    batch => [
        { type => 'track', event => 'A', userId => 'u', messageId => 'a',
          timestamp => '2026-01-01T00:00:00.000Z',
          context => { locale => 'fr', martech => { source => 'forged' } } },
        { type => 'track', event => 'B', userId => 'u', messageId => 'b',
          integrations => { CRM => \1 } },
    ],
});

my %by_id = map { $_->{id} => $_->{event} } @events;

is($by_id{a}{context}{locale}, 'fr', 'the context of the event wins');
is($by_id{a}{context}{library}{name}, 'lib',
   'the context of the batch completes it');
is($by_id{b}{context}{locale}, 'de',
   'an event without context gets that of the batch');
is($by_id{a}{context}{martech}{source}, 'website',
   'a forged context.martech is replaced');
is(join(' ', sort keys %{ $by_id{b}{integrations} }), 'All CRM',
   'integrations are merged');
is($by_id{a}{sentAt}, '2026-01-01T00:00:10.000Z',
   'an event takes the time of sending from its batch');
is($by_id{a}{originalTimestamp}, '2026-01-01T00:00:00.000Z',
   'the sender\'s time is kept');
ok($by_id{a}{context}{martech}{skewMs} > 0, 'the skew is told');
ok($by_id{a}{timestamp} gt '2026-06', 'the time is moved to our clock');


# ---- the trace that a request belongs to ----

my $trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

($response, @events) = stored('/v1/batch', { batch => [
    { type => 'track', event => 'A', userId => 'u' },
    { type => 'track', event => 'B', userId => 'u' },
] }, headers => [traceparent => $trace]);

is_deeply([map { $_->{event}{context}{martech}{traceparent} } @events],
          [$trace, $trace], 'events carry the trace of their request');

for my $case (
    ['no header' => []],
    ['an invalid one' => [TraceParent => substr($trace, 0, 54)]],
    ['a later version' => [TraceParent => "01$trace"]],
    ['two headers' => [traceparent => $trace, traceparent => $trace]],
) {
    ($response, @events) = stored('/v1/track', { event => 'E', userId => 'u' },
                                  headers => $case->[1]);
    ok(@events == 1
       && !exists $events[0]{event}{context}{martech}{traceparent},
       "$case->[0]: an event without a trace");
}

($response, @events) = stored('/v1/track', { event => 'E', userId => 'u' },
                              headers => [TRACEPARENT => $trace]);
is($events[0]{event}{context}{martech}{traceparent}, $trace,
   'the name of the header in capitals');

$t->done();
