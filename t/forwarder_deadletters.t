#!/usr/bin/perl

# "dead": what is listed, counted, exported, dropped; and replayed, by the
# present map or as it was sent, never twice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $receiver = $t->receiver();
my $now = int(time) * 1000;

# a destination with a map, beside the two of the project
mkdir $t->dir() . '/dests';
mkdir $t->dir() . "/dests/$_" for qw(mapped file webhook);
$t->file('dests/mapped/destination.yaml', <<'END');
name: mapped
kind: http
description: for this test
settings:
  url: { type: url, required: true, description: where to }
request:
  url: "{url}"
  method: POST
  content_type: application/json
  framing: array
  idempotency_header: Idempotency-Key
batch: { count: 10 }
END
$t->file('dests/mapped/map.jq',
         '{ id: .event.messageId, n: .event.properties.n, at: .now, '
         . '"a/b": "new" }');
system 'cp', '-r', $t->root() . "/destinations/$_", $t->dir() . '/dests'
    for qw(file webhook);

my $conf = forwarder_conf(hook => $receiver->url('/hook'),
    without => 'archive', top => "stream:\n  shards: 2\n")
    . "  mapped:\n    use: mapped\n    settings:\n      url: "
    . $receiver->url('/mapped') . "\n";

$conf =~ s{destinations_path: .*}{destinations_path: %%PREFIX%%/dests};

my $cli = Martech::Command->new($t, $conf);


# writes a dead letter, as the forwarder does it; its place
sub letter {
    my ($shard, $dest, %field) = @_;
    my $id = $field{id};
    my %all = (
        event => '1700000000000-0', id => $id, src => 'web',
        e => to_json({ type => 'track', messageId => $id, event => 'Added',
                       userId => 'u', properties => { n => 7 } }),
        reason => 'rejected', class => 'rejected', status => 400,
        attempts => 1, first_at => $now - 60_000, at => $now - 60_000,
        history => '[{"at":1,"class":"rejected","status":400,"ms":3}]',
        request => to_json({ method => 'POST', url => 'http://x/',
                             headers => { Authorization => '***' },
                             body => qq({"id":"$id"}) }),
        answer => '{"status":400,"headers":{},"body":"no"}',
        versions => '{"forwarder":"1","destination":"1","map":"","config":""}',
        hint => 'look at the answer', replays => 0, %field);

    $redis->call('hincrby', "{mt:0$shard}:ledger",
                 $dest eq '_entry' ? 'bad' : "dead:$dest:web", 1);
    $redis->call('hincrby', "{mt:0$shard}:ledger", "routed:$dest:web", 1)
        unless $dest eq '_entry';

    return sprintf '%02d/%s', $shard, $redis->call('xadd',
        "{mt:0$shard}:dead:$dest", '*', %all);
}


sub ids { sort map { $_->{id} } @{ $_[0]{lines} } }

sub ls { ids($cli->run('dead', 'ls', '--json', @_)) }

sub counter {
    my ($dest, $name) = @_;
    my $sum = 0;

    $sum += $redis->call('hget', "{mt:0$_}:ledger", "$name:$dest") // 0
        for 0, 1;

    return $sum;
}


my $first = letter(0, 'hook', id => 'a1');
my $day = 24 * 3600 * 1000;

letter(1, 'hook', id => 'a2', status => 404, at => $now - 2 * $day);
letter(1, 'hook', id => 'a3', status => 503, class => 'retry',
       reason => 'gave_up', attempts => 8, at => $now - 10 * $day);
letter(0, 'mapped', id => 'm1', reason => 'map_error', class => 'map_error',
       status => 0);
letter(0, '_entry', id => "evil\e[31m\nid", reason => 'id', e => 'no json',
       status => 0);

# as the versions before wrote them
$redis->call('hincrby', '{mt:00}:ledger', "$_:hook:web", 1)
    for qw(routed dead);
$redis->call('xadd', '{mt:00}:dead:hook', '*', event => '1-1', id => 'old',
             src => 'web', e => '{"messageId":"old"}', reason => 'rejected',
             status => 410, attempts => 1, at => $now);


# ---- filters ----

is_deeply([ls('--destination', 'hook')], [qw(a1 a2 a3 old)],
          'of a destination');
is_deeply([ls('--class', 'retry')], ['a3'], 'by class');
is_deeply([ls('--reason', 'map_error')], ['m1'], 'by reason');
is_deeply([ls('--code', '404')], ['a2'], 'by code');
is_deeply([ls('--code', '4xx')], [qw(a1 a2 old)], 'by codes');
is_deeply([ls('--code', '0', '--destination', 'mapped')], ['m1'],
          'by no code');
is_deeply([ls('--older', '3d')], ['a3'], 'by age');
is_deeply([ls('--older', '1d', '--newer', '3d')], ['a2'],
          'by age from both sides');
is_deeply([ls('--id', 'a1', '--id', 'm1')], [qw(a1 m1)], 'by ids');
is_deeply([ls('--id', $first)], ['a1'], 'by place');
is_deeply([ls('--id', "hook/$first")], ['a1'], 'by place and destination');
is_deeply([ls('--id', "mapped/$first")], [], 'of another one: nothing');
is_deeply([ls('--shard', '1')], [qw(a2 a3)], 'by shard');
is(scalar(my @two = ls('--limit', '2')), 2, 'a limit');
is($cli->run('dead', 'ls', '--destination', 'nobody')->{status}, 1,
   'an unknown destination: exit 1');

my $r = $cli->run('dead', 'ls');

like($r->{out},
     qr/^\S+ \S+  hook +rejected +400 +1  rejected +a1 +\Q$first\E$/m,
     'a line of the table');
like($r->{out}, qr/^\S+ \S+  hook +- +410 .* old /m, 'an old letter');
unlike($r->{out}, qr/\e/, 'no control characters on a terminal');
unlike($r->{out}, qr/userId|Authorization/, 'nothing of the event');


# ---- show, stats, export ----

$r = $cli->run('dead', 'show', 'a1');
is($r->{json}{e}{userId}, 'u', 'show: the event');
is($r->{json}{request}{headers}{Authorization}, '***', 'the request');
is($r->{json}{answer}{body}, 'no', 'the answer');
is($r->{json}{history}[0]{ms}, 3, 'the history');
is($r->{json}{hint}, 'look at the answer', 'the hint');
like($r->{out}, qr/^  "destination": "hook",$/m, 'for people');
is($cli->run('dead', 'show', 'old')->{json}{status}, 410,
   'show: an old letter');
is($cli->run('dead', 'show', 'nobody')->{status}, 1,
   'show: an unknown one: exit 1');

my $stats = $cli->run('dead', 'stats', '--json')->{json};

is($stats->{count}, 6, 'stats: all');
is($stats->{destination}{hook}, 4, 'by destination');
is($stats->{reason}{rejected}, 3, 'by reason');
is($stats->{class}{'-'}, 1, 'by class');
is($stats->{code}{404}, 1, 'by code');
is($stats->{age}{'3d'}, 1, 'by age');
is($stats->{age}{older}, 1, 'the oldest');
like($cli->run('dead', 'stats')->{out}, qr/^hook +4$/m, 'in words');

$redis->call('xadd', '{mt:01}:dead:mapped', '*', event => '1-1', id => 'big',
             src => 'web', e => '{"n":12345678901234567890,"x":1.10}');
$r = $cli->run('dead', 'export');
is(scalar @{ $r->{lines} }, 7, 'export: a line for each');
like($r->{out}, qr/"e":\{"n":12345678901234567890,"x":1\.10\}\}$/m,
     'numbers keep their text');
my ($line) = grep { $_->{id} eq 'a1' } @{ $r->{lines} };
is($line->{e}{properties}{n}, 7, 'the event');
is($line->{shard}, 0, 'and where it was');


# ---- drop ----

$redis->call('hincrby', '{mt:01}:ledger', "$_:mapped:web", 1)
    for qw(routed dead);
$r = $cli->run('dead', 'drop', '--id', 'big');
is($r->{status}, 2, 'drop without --yes: exit 2');
like($r->{err}, qr/would drop 1 dead letters/, 'it says what');
is_deeply([ls('--id', 'big')], ['big'], 'and does nothing');
$cli->run('dead', 'drop', '--id', 'big', '--yes', '--dry-run');
is_deeply([ls('--id', 'big')], ['big'], '--dry-run wins over --yes');
is($cli->run('dead', 'drop', '--id', 'big', '--yes', '--json')
       ->{json}{dropped}, 1, 'with --yes it is gone');
is(counter('mapped', 'dead_dropped'), 1, 'and counted');
is_deeply([ls('--id', 'big')], [], 'it is not listed');


# ---- what a replay would do ----

$r = $cli->run('dead', 'replay', '--dry-run', '--destination', 'hook');
is(() = $r->{out} =~ /^would replay .* to hook, by the present map$/mg, 4,
   'a dry run says what would be done');
like($r->{out}, qr/^would have replayed 4 of 4 dead letters$/m,
     'and to how many');
is(counter('hook', 'dead_replayed'), 0, 'and does nothing');

letter(1, 'mapped', id => 'm2', at => 1_700_000_000_000,
       request => to_json({ body => '[{"id":"m2","n":6,"at":1700000000,'
                                    . '"gone":1}]' }));
$r = $cli->run('dead', 'replay', '--dry-run', '--diff', '--id', 'm2',
               '--json');
is_deeply([map { "$_->{change} $_->{path}" } @{ $r->{lines}[0]{paths} }],
          ['changed /n', 'removed /gone', 'added /a~1b'],
          'what the map makes otherwise now');
unlike($r->{out}, qr/"was"|"now"/, 'without values');
$r = $cli->run('dead', 'replay', '--dry-run', '--diff', '--id', 'm2',
               '--show-values');
like($r->{out}, qr{^    changed  /n  was 6  now 7$}m, 'with them');
like($r->{out}, qr/^1 of 1 would differ$/m, 'how many differ');
$r = $cli->run('dead', 'replay', '--dry-run', '--diff', '--id', 'old');
like($r->{out}, qr/no request is kept/, 'an old letter has no request');


# ---- a replay ----

$receiver->answer(always => { status => 200 });

# framing array, and both are there at once: each goes alone, as it was
letter(0, 'mapped', id => "s$_",
       request => to_json({ body => qq([{"s":$_}]) })) for 1, 2;
$cli->run('dead', 'replay', '--id', 's1', '--id', 's2', '--as-sent',
          '--rate', '1000');

my $forwarder = $t->forwarder($conf);

$receiver->wait_requests(2);
is_deeply([sort map { $_->{body} } $receiver->requests()],
          ['[{"s":1}]', '[{"s":2}]'], 'as sent: in the frame it had, alone');


# what came for these events, by messageId
sub came {
    my ($count) = @_;

    $receiver->wait_requests($count);
    my @requests = $receiver->requests();

    is(scalar @requests, $count, "$count requests");
    return $requests[-1];
}


is($cli->run('dead', 'replay', '--id', 'a1', '--json')->{json}{replayed}, 1,
   'replayed by the present map');

my $request = came(3);

is(from_json($request->{body})->{userId}, 'u', 'the event as it was');
is($request->{path}, '/hook', 'to its destination only');
isnt($request->{headers}{'idempotency-key'}, 'a1',
     'under another idempotency key');
like($request->{headers}{'idempotency-key'}, qr/^[0-9a-f-]{36}$/, 'a UUID');
is(counter('hook', 'dead_replayed'), 1, 'it is counted');
is_deeply([ls('--id', 'a1')], [], 'it is no dead letter any more');
is($cli->run('dead', 'replay', '--id', 'a1', '--json')->{json}{matched}, 0,
   'a second time there is nothing');

# the same event dies again, and is replayed again
my $key = $request->{headers}{'idempotency-key'};

letter(0, 'hook', id => 'a1', replays => 1);
$cli->run('dead', 'replay', '--id', 'a1');
$request = came(4);
isnt($request->{headers}{'idempotency-key'}, $key,
     'the next replay has another key');

is($cli->run('dead', 'replay', '--id', 'a2', '--as-sent', '--json')
       ->{json}{replayed}, 1, 'as sent');
is(came(5)->{body}, '{"id":"a2"}', 'the body as it was');

$cli->run('dead', 'replay', '--id', 'm2');
is_deeply(from_json(came(6)->{body})->[0]{n}, 7, 'mapped anew');

$r = $cli->run('dead', 'replay', '--id', 'm1', '--to', 'hook', '--json');
is($r->{json}{replayed}, 1, 'to another destination');
is(came(7)->{path}, '/hook', 'it came there');
is(counter('mapped', 'dead_replayed'), 4, 'counted where it died');


# ---- what cannot be replayed ----

$r = $cli->run('dead', 'replay', '--id', 'old', '--as-sent', '--json');
is($r->{status}, 1, 'without a request: exit 1');
is_deeply($r->{json}{skipped}, { 'no request is kept' => 1 }, 'and why');
letter(0, 'hook', id => 'huge',
       request => to_json({ body => 'x' x 65536 }));
is_deeply($cli->run('dead', 'replay', '--id', 'huge', '--as-sent', '--json')
              ->{json}{skipped},
          { 'the request is kept in part only' => 1 }, 'a part is not sent');
letter(0, 'hook', id => 'void', e => '', reason => 'missing');
is_deeply($cli->run('dead', 'replay', '--id', 'void', '--json')
              ->{json}{skipped}, { 'the event is gone' => 1 },
          'an event that is gone');
is_deeply($cli->run('dead', 'replay', '--destination', '_entry', '--json')
              ->{json}{skipped}, { 'it has no destination (see --to)' => 1 },
          'an entry without a destination');
is($redis->call('xlen', '{mt:00}:dead:_entry'), 1, 'all of them stay');


# ---- never twice ----

$cli->run('dead', 'drop', '--yes', '--destination', 'hook');
letter($_ % 2, 'hook', id => "k$_") for 1 .. 200;

my $before = () = $receiver->requests();
my $run = $cli->start('dead', 'replay', '-c', $cli->{file}, '--rate', '150');

ok(becomes(sub { counter('hook', 'dead_replayed') > 30 }, 10),
   'a replay is under way');
$run->kill_now();
ok($redis->call('xlen', '{mt:00}:dead:hook') > 0, 'and is killed');
is($cli->run('dead', 'replay', '--destination', 'hook', '--rate', '1000/s')
       ->{status}, 0, 'the next one ends it');
$receiver->wait_requests($before + 200);
ok(becomes(sub { drained($redis, 'hook', 'mapped') }, 10), 'all are sent');

my %times;

$times{from_json($_->{body})->{messageId}}++
    for grep { $_->{body} =~ /"k\d+"/ } $receiver->requests();
is(scalar keys %times, 200, 'each one');
is(scalar(grep { $_ != 1 } values %times), 0, 'once');


# ---- a letter that dies at once is not met again ----

$receiver->answer(always => { status => 400 });
letter(0, 'hook', id => "d$_") for 1 .. 120;
$r = $cli->run('dead', 'replay', '--destination', 'hook', '--rate', '200',
               '--json');
is($r->{json}{replayed}, 120, 'a replay ends, whatever comes back');
ok(becomes(sub { drained($redis, 'hook') }, 10), 'and they are dead again');
is($redis->call('xlen', '{mt:00}:dead:hook'), 120, 'all of them');

$t->done();
