#!/usr/bin/perl

# The quarantine: what is listed, shown, exported, dropped; and what a plan
# that was mended lets in, once.

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
my $conf = forwarder_conf(hook => $receiver->url('/hook'),
                          without => 'archive',
                          top => "stream:\n  shards: 2\n");
my $cli = Martech::Command->new($t, $conf);
my %count;


# What the edge writes; the place.  Pieces of the text are given as they are:
# numbers, spaces and unknown members must come through byte for byte.
sub quarantined {
    my ($shard, $id, %arg) = @_;
    my $name = $arg{name} // '"event":"Order Completed",';
    my $ids = $arg{ids} // '"userId":"u",';
    my $type = $arg{type} // 'track';
    my $priority = $arg{priority} ? ',"priority":"high"' : '';
    my $event = $arg{q} // qq({"type":"$type","messageId":"$id",)
        . qq("receivedAt":"2026-01-01T00:00:00.000Z",$ids"context":)
        . qq({"ip":"192.0.2.7","martech":{"v":1,"source":"web",)
        . qq("plan":{"name":"shop","version":"6","event":"1",)
        . qq("action":"quarantine","violations":[{"pointer":)
        . qq("/properties/price","rule":"type"}]}$priority,"z":1.50},)
        . qq("app":{"n":12345678901234567890}},$name"properties":)
        . ($arg{properties} // '{"price": 1.0e2}') . '}';

    $redis->call('xadd', "{mt:0$shard}:quarantine", '*', 'v', 1, 'id', $id,
                 'src', $arg{src} // 'web', 'q', $event);
    $count{$shard}++;

    return $event;
}


sub in { map { [ $_->{id}, $_->{e}, $_->{src}, $_->{v} ] }
         $redis->events(shards => 2, decode => 0) }

sub waiting_now {
    return $redis->call('xlen', '{mt:00}:quarantine')
         + $redis->call('xlen', '{mt:01}:quarantine');
}

sub booked {
    my ($name) = @_;

    return ($redis->call('hget', '{mt:00}:ledger', $name) // 0)
         + ($redis->call('hget', '{mt:01}:ledger', $name) // 0);
}

sub ids { sort map { $_->{id} } @{ $_[0]{lines} } }
sub ls { ids($cli->run(qw(plan quarantine ls --json), @_)) }


my $bytes = quarantined(0, 'ok1', priority => 1);

quarantined(1, 'ok2');
quarantined(0, 'bad1', properties => '{"price":"many"}');
quarantined(1, 'old1', name => '"event":"order_completed",');
quarantined(0, 'anon1', ids => '', src => 'app');
quarantined(1, 'user1', type => 'identify', name => '',
            properties => '{},"traits":{"plan":"free"}');
quarantined(0, 'other1', name => '"event":"Nobody Knows",');
quarantined(1, 'hurt1', q => 'no json');

my $plan = $t->file('plan.json', to_json({
    martech_plan => 1, name => 'shop', version => '7',
    defaults => { unplanned_event => 'quarantine' },
    events => { 'Order Completed' => {
        violation => 'quarantine', aliases => ['order_completed'],
        priority => 'low', properties => { type => 'object', properties => {
            price => { type => 'number' } } } } },
    traits => { identify => { properties => { type => 'object' } } },
}));


# ---- looking ----

is_deeply([ls()], [sort qw(ok1 ok2 bad1 old1 anon1 user1 other1 hurt1)],
          'all are listed');
is_deeply([ls('--shard', '1')], [qw(hurt1 ok2 old1 user1)], 'of a shard');
is_deeply([ls('--event', 'Nobody Knows')], ['other1'], 'by event');
is_deeply([ls('--event', 'identify')], ['user1'], 'by type');
is_deeply([ls('--source', 'app')], ['anon1'], 'by source');
is_deeply([ls('--rule', 'type', '--shard', '0')],
          [qw(anon1 bad1 ok1 other1)], 'by rule');
is_deeply([ls('--rule', 'required')], [], 'by another one');
is_deeply([ls('--id', 'ok1', '--id', 'ok2')], [qw(ok1 ok2)], 'by ids');
is(scalar(my @two = ls('--limit', '2')), 2, 'a limit');
is($cli->run(qw(plan quarantine ls --shard 2))->{status}, 2, 'no such shard');

my $r = $cli->run(qw(plan quarantine ls));

like($r->{out},
     qr{^\S+ \S+  web +Order Completed +ok1 +00/\S+ +type /prop\S+/price$}m,
     'a line of the table');
unlike($r->{out}, qr/192\.0\.2\.7|userId/, 'nothing of the event');

$r = $cli->run(qw(plan quarantine show ok1));
is($r->{json}{event}, 'Order Completed', 'one is shown');
is($r->{json}{plan}, 'shop 6', 'with its plan');
is_deeply($r->{json}{violations},
          [ { pointer => '/properties/price', rule => 'type' } ],
          'and the reasons');
unlike($r->{out}, qr/192\.0\.2\.7/, 'without its values');
is($cli->run(qw(plan quarantine show ok1 --values))->{json}{q}{context}{ip},
   '192.0.2.7', 'unless they are asked for');
is($cli->run('plan', 'quarantine', 'show', $r->{json}{place})->{json}{id},
   'ok1', 'by its place');
is($cli->run(qw(plan quarantine show nobody))->{status}, 1,
   'none: exit 1');

$r = $cli->run(qw(plan quarantine export));
is(scalar @{ $r->{lines} }, 8, 'all are exported');
unlike($r->{out}, qr/192\.0\.2\.7/, 'without values');
$r = $cli->run(qw(plan quarantine export --values));
is(scalar @{ $r->{lines} }, 8, 'with values');
like($r->{out}, qr/\Q$bytes\E/, 'as the bytes that they are');


# ---- status, ledger ----

like($cli->run('status')->{out}, qr/^quarantine: 8 events, oldest /m,
     '"status" tells of it');
like($cli->run(qw(top --once))->{out}, qr/^quarantine: 8 events, oldest /m,
     '"top" too');
is($cli->run(qw(top --once --json))->{json}{quarantine}, 8, 'for programs');

# an older edge does not count them, a newer one does: two were evicted
like($cli->run('ledger')->{out},
     qr/^quarantine: waiting 8, replayed 0, dropped 0, evicted 0$/m,
     'an edge that counts none');
$redis->call('hset', '{mt:00}:edge', 'aaaaaaaaaaaaaaaa:stored', 10,
             'aaaaaaaaaaaaaaaa:quarantined', 10);
$r = $cli->run('ledger', '--wait', '0');
is($r->{status}, 0, 'what is aside is no difference') or diag($r->{out});
like($r->{out},
     qr/^quarantine: waiting 8, replayed 0, dropped 0, evicted 2$/m,
     'what is nowhere was evicted');
$redis->call('hset', '{mt:00}:edge', 'aaaaaaaaaaaaaaaa:stored', 11);
like($cli->run('ledger', '--wait', '0')->{out},
     qr/edges have stored 1 events, but only 0 are known/,
     'but an event of "in" that is nowhere is a difference');
$redis->call('hset', '{mt:00}:edge', 'aaaaaaaaaaaaaaaa:stored', 10);


# ---- replay ----

is($cli->run(qw(plan replay))->{status}, 2, 'a plan is needed');
is($cli->run('plan', 'replay', '--plan', $plan, '--unchecked')->{status}, 2,
   'not both');
is($cli->run('plan', 'replay', '--plan', '/none')->{status}, 1,
   'no such plan');

sub replay { $cli->run('plan', 'replay', '--json', @_) }

$r = replay('--plan', $plan, '--dry-run');
is($r->{status}, 1, 'some would stay: exit 1');
is_deeply([ @{ $r->{json} }{qw(matched replayed left)} ], [8, 5, 3],
          'a dry run');
is_deeply($r->{json}{rules}, { type => 1, unplanned_event => 1,
                               unreadable => 1 }, 'why they stay');
is_deeply($r->{json}{events}{'Order Completed'}, { moved => 3, left => 1 },
          'by event');
is(waiting_now(), 8, 'it has moved nothing');

$r = replay('--plan', $plan, '--event', 'Order Completed', '--source', 'web',
            '--limit', 1);
is($r->{json}{replayed}, 1, 'the limit holds');
is_deeply([ map { $_->[0] } in() ], ['ok1'], 'one is let in');

my ($moved) = in();
my $expected = $bytes
    =~ s/,?"plan":\{.*?\]\}(?:,"priority":"high")?//r
    =~ s/("z":1\.50)/$1,PLAN/r;
my ($verdict) = $moved->[1]
    =~ /"z":1\.50,("plan":\{.*?\}(?:,"priority":"\w+")?)\}/;

is($moved->[1] =~ s/\Q$verdict\E/PLAN/r, $expected,
   'all else is as it was, byte for byte');
is_deeply(from_json("{$verdict}"), {
    plan => { replayed => JSON::PP::true(), name => 'shop', version => '7',
              event => '1', action => 'accept' }, priority => 'low' },
    'what the plan says of it now');
is_deeply([ @$moved[2, 3] ], ['web', 1], 'source and version');

$r = replay('--plan', $plan);
is_deeply([ @{ $r->{json} }{qw(matched replayed left)} ], [7, 4, 3],
          'the others');
is_deeply([ sort map { $_->[0] } in() ], [qw(anon1 ok1 ok2 old1 user1)],
          'are let in');
is(waiting_now(), 3, 'and gone from the quarantine');
is(booked('quarantine_replayed'), 5, 'and counted');

my ($old) = grep { $_->[0] eq 'old1' } in();
is(from_json($old->[1])->{event}, 'Order Completed', 'an alias is renamed');

my ($anon) = grep { $_->[0] eq 'anon1' } in();
unlike($anon->[1], qr/anonymousId|userId/,
       'an event without ids gets none');

replay('--plan', $plan);
is(scalar(my @all = in()), 5, 'a second run lets nothing in');
is(booked('quarantine_replayed'), 5, 'and counts nothing');
like($cli->run('plan', 'replay', '--plan', $plan)->{out},
     qr/^left because of type: 1\n.*^replayed 0 of 3 quarantined events$/ms,
     'in words');

$r = $cli->run('ledger', '--wait', '0');
is($r->{status}, 0, 'the ledger holds') or diag($r->{out});
like($r->{out},
     qr/^quarantine: waiting 3, replayed 5, dropped 0, evicted 2$/m,
     'and tells it');

# sources may have plans of their own, and the quarantine is one
my $foreign = $t->file('app.json', to_json({
    martech_plan => 1, name => 'app', version => '1', events => {} }));

$r = replay('--plan', $foreign, '--dry-run');
is_deeply([ $r->{json}{replayed}, $r->{json}{rules} ],
          [ 0, { another_plan => 2, unreadable => 1 } ],
          'a plan lets in nothing that another one has put aside');
$r = replay('--plan', $foreign, '--dry-run', '--any-plan');
is($r->{json}{replayed}, 2, 'unless it is asked to');

$r = replay('--unchecked', '--event', 'Nobody Knows');
is($r->{json}{replayed}, 1, 'one goes unchecked');

my ($other) = grep { $_->[0] eq 'other1' } in();
is_deeply(from_json($other->[1])->{context}{martech}{plan}, {
    replayed => JSON::PP::true(), unchecked => JSON::PP::true(),
    name => 'shop', version => '6', event => '1', action => 'quarantine',
    violations => [ { pointer => '/properties/price', rule => 'type' } ] },
    'with what was said of it');


# ---- drop ----

$r = $cli->run(qw(plan quarantine drop));
is($r->{status}, 2, 'drop asks first');
like($r->{err}, qr/would drop 2 quarantined events/, 'and counts');
$r = $cli->run(qw(plan quarantine drop --dry-run));
is($r->{out}, "would have dropped 2 of 2 quarantined events\n", 'a dry run');
$r = $cli->run(qw(plan quarantine drop --id bad1 --yes));
is($r->{out}, "dropped 1 of 1 quarantined events\n", 'one');
is(waiting_now(), 1, 'it is gone');
is(booked('quarantine_dropped'), 1, 'and counted');


# ---- killed in the middle, full, of a wrong type ----

quarantined($_ % 2, "k$_") for 1 .. 300;

my $process = $cli->start('plan', 'replay', '--plan', $plan, '--rate', '200',
                          '-c', $cli->{file});

ok(becomes(sub { waiting_now() < 260 }, 20), 'a replay is on its way');
$process->kill_now();

my @some = grep { $_->[0] =~ /^k/ } in();

cmp_ok(scalar @some, '>', 0, 'it was killed');
cmp_ok(scalar @some, '<', 300, 'in the middle');
is(@some + waiting_now(), 301, 'each is in one place');
replay('--plan', $plan);

my %seen;

$seen{ $_->[0] }++ for grep { $_->[0] =~ /^k/ } in();
is(scalar keys %seen, 300, 'the next one lets in the others');
is(scalar(grep { $_ != 1 } values %seen), 0, 'and none twice');
is(booked('quarantine_replayed'), 306, 'the ledger knows');

# two at a time
quarantined($_ % 2, "t$_") for 1 .. 200;

my $second = Martech::Command->new($t, $conf);

$second->{$_} .= '2' for qw(out err);

my @both = map { $_->start('plan', 'replay', '--plan', $plan, '-c',
                           $_->{file}) } $cli, $second;

$cli->end($both[0]);
$second->end($both[1]);
is(scalar(grep { $_->[0] =~ /^t/ } in()), 200, 'two at once: none twice');
is(booked('quarantine_replayed'), 506, 'and counted once');

# a ledger that cannot be written
quarantined(0, 'w1');
$redis->call('rename', '{mt:00}:ledger', '{mt:00}:kept');
$redis->call('set', '{mt:00}:ledger', 'x');
is(replay('--plan', $plan, '--id', 'w1')->{status}, 1,
   'a key of a wrong type: exit 1');
is(scalar(grep { $_->[0] eq 'w1' } in()), 0, 'nothing has moved');
$redis->call('rename', '{mt:00}:kept', '{mt:00}:ledger');
is(replay('--plan', $plan, '--id', 'w1')->{json}{replayed}, 1,
   'until it is mended');

# a full server
quarantined(0, 'f1');
$redis->call('config', 'set', 'maxmemory', '1');
is(replay('--plan', $plan, '--id', 'f1')->{status}, 1, 'full: exit 1');
is($cli->run(qw(plan quarantine drop --id hurt1 --yes))->{status}, 0,
   'but dropping goes');
$redis->call('config', 'set', 'maxmemory', '0');
is(scalar(grep { $_->[0] eq 'f1' } in()), 0, 'nothing has moved');
is(replay('--plan', $plan, '--id', 'f1')->{json}{replayed}, 1,
   'until there is room');


# ---- a name that is personal ----

quarantined(0, 'mail1', properties => '{"price":1,"jane@example.com":2}');
is(replay('--plan', $plan, '--id', 'mail1')->{json}{replayed}, 1,
   'one that is only reported goes');

my ($mail) = grep { $_->[0] eq 'mail1' } in();
is_deeply(from_json($mail->[1])->{context}{martech}{plan}{violations},
          [ { pointer => '/properties/***', rule => 'unplanned_property' } ],
          'a pointer shows no address, as at the edge');


# ---- on to a destination, and metrics ----

quarantined(1, 'last');

my $forwarder = $t->forwarder(forwarder_conf(
    hook => $receiver->url('/hook'), without => 'archive',
    top => "stream:\n  shards: 2\nmetrics: 127.0.0.1:9464\n"));

ok(becomes(sub { !missing([qw(ok1 old1 user1 w1)], hook_ids($receiver)) },
           30), 'what was let in arrives');
ok(becomes(sub {
    get($t->port(9464), '/metrics')->{body}
        =~ /^martech_forwarder_quarantine_entries 1$/m;
}, 20), 'metrics tell how many wait');
ok(becomes(sub {
    get($t->port(9464), '/metrics')->{body}
        =~ /^martech_forwarder_quarantine_oldest_age_seconds \d*\.?\d+$/m;
}, 20), 'and for how long');
replay('--plan', $plan);
ok(becomes(sub { !missing(['last'], hook_ids($receiver)) }, 20),
   'a replay beside a forwarder arrives');
ok(becomes(sub {
    get($t->port(9464), '/metrics')->{body}
        =~ /^martech_forwarder_quarantine_entries 0$/m;
}, 20), 'and metrics go down');

$t->done();
