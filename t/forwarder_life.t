#!/usr/bin/perl

# The life of the forwarder: bad configurations with their lines, clean ends,
# Redis away and back, two at a time, entries that nobody can read.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $good = forwarder_conf(hook => $receiver->url('/hook'));
my $forwarder = $t->forwarder($good, run => 0);


# ---- check ----

my ($accepted, $output) = $forwarder->check();

ok($accepted, 'a good configuration is accepted') or diag($output);
is($redis->info('total_commands_processed') < 20, 1,
   'a check does nothing in redis');

# [change from, to, what the message must contain, name]
my @bad = (
    ['owner:', 'ower:', qr/:\d+: .*"?ower/, 'an unknown section'],
    ['lease: 1s', 'lease: soon', qr/:\d+: .*soon/, 'a time that is none'],
    ['lease: 1s', 'lease: 1ms', qr/:\d+: .*1ms/, 'a time out of range'],
    ['use: webhook', 'use: pigeon', qr/:\d+: .*pigeon/,
     'an unknown destination'],
    ['url: http', 'url: gopher', qr/:\d+: .*gopher/, 'a URL of another kind'],
    ["      url:", "      urn:", qr/:\d+: .*urn/, 'an unknown setting'],
    ['  hook:', '  "a b":', qr/:\d+: .*a b/, 'a name with a blank'],
    ['  hook:', '  archive:', qr/:\d+: .*archive/, 'a name that stands twice'],
    ['unix:', 'pipe:', qr/:\d+: .*pipe:/, 'a wrong address'],
    ['redis:', "redis: [\n", qr/:\d+: /, 'no YAML'],
    ['settings:', 'settings: 7 #', qr/:\d+: /, 'a number for a mapping'],
);

for (@bad) {
    my ($from, $to, $says, $name) = @$_;
    my $conf = $t->fill($good);

    $conf =~ s/\Q$from\E/$to/ or die "no \"$from\"\n";
    ($accepted, $output) = $forwarder->check($conf);
    ok(!$accepted, "refused: $name");
    like($output, $says, "with its line and value: $name");
}

($accepted, $output) = $forwarder->check($t->fill(
    $good =~ s/(use: webhook\n +settings:\n)/$1      secret: env:NOT_SET\n/r));
ok(!$accepted, 'refused: a secret that is not set');
like($output, qr/NOT_SET/, 'with its name');

$forwarder->write_conf($t->fill($good));


# ---- start without Redis ----

$redis->stop();
$forwarder->start();
ok(becomes(sub { $forwarder->logged(qr/redis/) }, 10),
   'without redis it says so');
ok($forwarder->running(), 'and stays');
$redis->start();

my @ids = add_events($redis, 30, prefix => 'late');

ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
   'once redis is there, it works');


# ---- Redis restarts, stalls ----

$redis->restart();
push @ids, add_events($redis, 30, prefix => 'restart');
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
   'it survives a restart of redis');

$redis->freeze();
ok(!becomes(sub { !$forwarder->running() }, 2), 'it survives a stall');
$redis->thaw();
push @ids, add_events($redis, 30, prefix => 'stall');
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 30),
   'and goes on after it');


# ---- the consumer group is lost ----

$redis->call('flushall');
push @ids, add_events($redis, 16, prefix => 'flushed');
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
   'it makes a lost consumer group again');


# ---- entries that nobody can read ----

for my $bad (['v', 9, 'id', 'x', 'src', 's', 'e', '{}'],
             ['id', 'x', 'src', 's', 'e', '{}'],
             ['v', 1, 'src', 's', 'e', '{}'],
             ['v', 1, 'id', 'x', 'src', 's'],
             ['v', 1, 'id', 'x', 'src', 's', 'e', 'no JSON'],
             ['any', 'thing'])
{
    $redis->call('xadd', '{mt:03}:in', '*', @$bad);
}

push @ids, add_events($redis, 3, prefix => 'behind', shard => 3);
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
   'an entry that cannot be read stops nobody');
ok(becomes(sub { (ledger($redis)->{bad} // 0) >= 5 }, 5), 'it is counted');
is($redis->call('xlen', '{mt:03}:dead:_entry'), ledger($redis)->{bad},
   'and kept');


# ---- a second one ----

{
    my $conf = forwarder_conf(hook => $receiver->url('/hook'))
        =~ s/name: tester/name: second/r;
    my $second = $t->forwarder($conf);

    push @ids, add_events($redis, 60, prefix => 'two');
    ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
       'two forwarders do not stand in each other\'s way');

    $forwarder->kill_now();
    push @ids, add_events($redis, 60, prefix => 'one');
    ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
       'the second takes over from one that was killed');

    $forwarder->start();
    ok($second->stop(), 'the second ends');
    push @ids, add_events($redis, 60, prefix => 'back');
    ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
       'and the first takes over again');
}


# ---- one that was stopped too long may not write ----

{
    my $conf = forwarder_conf(hook => $receiver->url('/hook'))
        =~ s/name: tester/name: third/r;

    $forwarder->signal('STOP');

    my $third = $t->forwarder($conf);

    push @ids, add_events($redis, 60, prefix => 'fence');
    ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
       'another takes over from one that hangs');
    $forwarder->signal('CONT');
    push @ids, add_events($redis, 60, prefix => 'fenced');
    ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
       'the one that hung does no harm');
    ok(becomes(sub { drained($redis, 'archive', 'hook') }, 20),
       'nothing is left behind');
    ok(ledger_holds($redis, $_), "the ledger holds for $_")
        for qw(archive hook);
}


# ---- a clean end with requests on their way ----

{
    $receiver->answer(always => { status => 200, delay => 0.3 });

    my $before = () = $receiver->requests();

    push @ids, add_events($redis, 20, prefix => 'end');
    $receiver->wait_requests($before + 1);
    ok($forwarder->stop(), 'TERM ends it');
    is($forwarder->{process}->status(), 0, 'with success');
    $receiver->answer(always => { status => 200 });
    $forwarder->start();
    ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
       'what was on its way arrives');
}

$t->done();
