#!/usr/bin/perl

# Dead letters: all that a person needs, of one event alone, and no secret.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256_hex);
use Time::HiRes qw(time);

use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 120);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $dests = $t->dir() . '/destinations';

# a secret in the path, in headers with and without a telling name
my $secret = 'hunter2hunter2';
my $yaml = <<'END';
name: acme
kind: http
settings:
  url: { type: url, required: true }
  key: { required: true, secret: true }
request:
  url: "{url}/v1/{key}/events?api_key=plain&lang=en"
  framing: array
  idempotency_header: Idempotency-Key
  headers: { Authorization: "Bearer {key}", X-Plain: "a {key} b",
             X-Api-Key: given, X-Region: eu }
END
my $map = <<'END';
.event | if .properties.bad then error("no \(.userId)") else
    { id: .messageId, fill: .properties.fill } end
END

mkdir $dests;
mkdir "$dests/acme";
put("$dests/acme/destination.yaml", $yaml);
put("$dests/acme/map.jq", $map);
symlink $t->root() . "/destinations/$_", "$dests/$_" for qw(file webhook);

sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "cannot write: $!\n";
    print $fh $text;
    close $fh;
}

my $conf = forwarder_conf(without => 'archive', hook => $receiver->url('/n'))
    =~ s/^destinations_path:.*$/destinations_path: $dests/mr;

$conf =~ s/^  hook:.*//ms;
$conf .= "  acme:\n    use: acme\n    settings: { url: "
    . $receiver->url('') . ", key: env:KEY }\n"
    . "    retry: { base: 20ms, factor: 1, cap: 50ms }\n"
    . "    concurrency: 1\n    batch: { count: 1000, bytes: 1m }\n"
    . "    window: { count: 20000, bytes: 64m }\n";

my $forwarder = $t->forwarder($conf, env => { KEY => $secret }, run => 0);


sub add {
    my ($id, %more) = @_;

    return $redis->call('xadd', '{mt:00}:in', '*', 'v', 1, 'id', $id,
        'src', 'web', 'e', to_json({
            type => 'track', event => 'E', messageId => $id,
            userId => 'person@example.org', properties => { %more } }));
}


sub letters {
    return map { { @{ $_->[1] } } }
        map { @{ $redis->call('xrange', "$_:dead:acme", '-', '+') } }
        '{mt:00}', '{mt:03}';
}


# ---- one of four is refused, at last ----

$receiver->answer(always => { status => 200 }, answers => [
    { status => 500 },
    { status => 400, body => 'no' }, { status => 400, body => 'no' },
    { status => 422, headers => ['Content-Type' => 'text/plain',
                                 'X-Request-Id' => 'r-7',
                                 'Set-Cookie' => 'session=1'],
      body => 'not "this"' . "\xff" . 'x' x 10_000 } ]);

my %id_of = map { $_ => add($_) } qw(m1 m2 m3 m4);
my $started = int(time() * 1000);

$forwarder->start();
ok(becomes(sub { letters() && drained($redis, 'acme') }, 20),
   'it is a dead letter');

my ($letter) = letters();
my $request = from_json($letter->{request});
my $answer = from_json($letter->{answer});
my @history = @{ from_json($letter->{history}) };

is($letter->{event}, $id_of{ $letter->{id} }, 'event: the ID in the stream');
is($letter->{src}, 'web', 'src');
is(from_json($letter->{e})->{messageId}, $letter->{id}, 'e');
is("$letter->{reason} $letter->{class} $letter->{status}",
   'rejected rejected 422', 'reason, class and status');
is($letter->{attempts}, 2, 'attempts');
is(scalar(@history), 2, 'history: all of them');
is("$history[0]{class} $history[0]{status} $history[1]{class} "
   . $history[1]{status}, 'retry 500 rejected 422', 'history: what they met');
is($letter->{first_at}, $history[0]{at}, 'first_at');
cmp_ok(abs($letter->{at} - $started), '<', 20_000, 'at');
is($letter->{replays}, 0, 'replays');
like($letter->{hint}, qr/correct the map/, 'hint');

is($request->{method}, 'POST', 'request: the method');
is($request->{url}, $receiver->url('/v1/***/events?api_key=***&lang=en'),
   'request: the URL without secrets');
is_deeply(from_json($request->{body}), [{ id => $letter->{id},
                                          fill => undef }],
          'request: the record of this event alone');
is($request->{headers}{'Content-Type'}, 'application/json',
   'request: the type');
is($request->{headers}{'Idempotency-Key'}, $letter->{id},
   'request: what changes');
is($request->{headers}{'X-Region'}, 'eu', 'request: what is no secret');
is(join(' ', map { $request->{headers}{$_} } qw(Authorization X-Api-Key)),
   '*** ***', 'request: no headers with telling names');
is($request->{headers}{'X-Plain'}, 'a *** b', 'request: nor secret parts');

is($answer->{status}, 422, 'answer: the status');
is_deeply($answer->{headers}, { 'content-type' => 'text/plain',
                                'x-request-id' => 'r-7' },
          'answer: headers that help, no others');
is($answer->{body}, 'not "this"' . "\x{fffd}" . 'x' x (4096 - 11),
   'answer: its first 4 KiB, as text');

my $versions = from_json($letter->{versions});

is($versions->{destination}, 'acme', 'versions: the destination');
is($versions->{map}, substr(sha256_hex($map), 0, 12), 'versions: the map');
is($versions->{config},
   substr(sha256_hex(slurp($forwarder->conf_file())), 0, 12),
   'versions: the configuration');
like($versions->{forwarder}, qr/^\d+\.\d+/, 'versions: the program');

sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;

    return scalar <$fh>;
}

# ---- what was never sent ----

add('bad', bad => \1);
$redis->call('xadd', '{mt:03}:q:acme', '5-5', '', '');
$redis->call('hincrby', '{mt:03}:ledger', 'routed:acme', 1);
$forwarder->stop();
$forwarder->start();
ok(becomes(sub { letters() == 3 && drained($redis, 'acme') }, 20),
   'a map that fails, an event that is missing');

my ($bad) = grep { $_->{reason} eq 'map_error' } letters();
my ($missing) = grep { $_->{reason} eq 'missing' } letters();

is($bad->{class}, 'map_error', 'the map: its class');
is("$bad->{request}$bad->{answer}$bad->{attempts}", '0',
   'the map: nothing was sent');
like($bad->{hint}, qr/map\.jq/, 'the map: what to do');
unlike("$bad->{hint}$bad->{reason}$bad->{answer}", qr/example\.org/,
       'the map: no value of the event in our words');
is($missing->{class}, 'missing', 'the missing one: its class');

# ---- many, and large ones ----

$forwarder->stop();
$receiver->answer(always => { status => 400 });
add("large$_", fill => 'y' x ($_ == 1 ? 200_000 : 2000)) for 1 .. 1000;
$forwarder->start();

my $peak = 0;

ok(becomes(sub {
    open my $fh, '<', '/proc/' . $forwarder->pid() . '/status';
    my ($kb) = join('', <$fh>) =~ /^VmRSS:\s+(\d+)/m;
    $peak = $kb if $kb > $peak;
    $redis->call('xlen', '{mt:00}:dead:acme') == 1002;
}, 60), 'a thousand are refused, each by itself');
SKIP: {
    skip 'sanitizers keep memory', 1 if $ENV{MARTECH_ASAN};
    cmp_ok($peak, '<', 60_000, 'in little memory');
}

my ($large) = grep { $_->{id} eq 'large1' } letters();
my $cut = from_json($large->{request});

is(length $cut->{body}, 65_536, 'a large body is cut to 64 KiB');
ok($cut->{cut}, 'and says so');
is(length from_json($large->{e})->{properties}{fill}, 200_000,
   'the event is whole');

# ---- secrets ----

my $all = join '', map { %$_ } letters();

unlike($all, qr/hunter2|plain&|=1/, 'no secret in any dead letter');
unlike($forwarder->log_text(), qr/hunter2|example\.org|not "this"/,
       'nor in the log, and no value');
ok(ledger_holds($redis, 'acme'), 'the ledger holds');
is(ledger($redis)->{'dead:acme:web'}, 1002, 'and counts them by source');

$t->done();
