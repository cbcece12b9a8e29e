#!/usr/bin/perl

# Redis full, and the disk under it: no event is half routed, none is lost, and
# a full Redis is drained.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 120);
my $disk = $t->tmpfs(24);
my $receiver = $t->receiver(always => { status => 503 });

# ---- memory ----

my $redis = $t->redis();
my $forwarder = $t->forwarder(forwarder_conf(
    hook => $receiver->url('/hook'), without => 'archive',
    hook_limits => "retry: { base: 50ms, factor: 2, cap: 300ms }\n"
                   . 'breaker: { open: 100ms, cap: 200ms }'));


# Adds events until Redis refuses; their ids.
sub fill_up {
    my ($redis, $prefix) = @_;
    my @ids;

    for my $n (1 .. 20_000) {
        my ($id) = eval { add_events($redis, 1, prefix => "$prefix-$n",
                                     shard => $n % 16) } or last;
        push @ids, $id;
    }

    return @ids;
}


my @before = add_events($redis, 50, prefix => 'before');

my $used = $redis->info('used_memory');

$redis->call('config', 'set', 'maxmemory', $used + 512 * 1024);

my @full = fill_up($redis, 'full');

cmp_ok(scalar @full, '>', 100, 'Redis took events until it was full');
cmp_ok(scalar @full, '<', 20_000, 'then it refused one');

$receiver->answer(answers => [], always => { status => 200 });

ok(becomes(sub { !missing([@before, @full], hook_ids($receiver)) }, 40),
   'everything that it took is delivered');
ok(becomes(sub { drained($redis, 'hook') }, 20), 'and it is drained');
ok(ledger_holds($redis, 'hook'), 'the ledger holds');
is(ledger($redis)->{'done:hook'}, @before + @full, 'each was done once');

ok(becomes(sub { defined eval { add_events($redis, 1, prefix => 'again');
                                1 } }, 20),
   'there is room again');

$forwarder->stop();

# ---- the disk ----

my $other = $t->redis(options => ['--dir', $disk->dir(),
                                  '--appendfsync', 'always']);

$other->call('config', 'set', 'appendfsync', 'everysec');

my $conf = forwarder_conf(hook => $receiver->url('/disk'),
                          without => 'archive');

$conf =~ s/^(  address: ).*$/$1unix:@{[ $other->socket() ]}/m;

my $second = $t->forwarder($conf);
my @early = add_events($other, 100, prefix => 'early');

ok(becomes(sub { drained($other, 'hook')
                 && (ledger($other)->{'done:hook'} // 0) == 100 }, 20),
   'events flow before the disk is full');

$receiver->answer(answers => [], always => { status => 503 });

my @waiting = add_events($other, 200, prefix => 'waiting');

my $filler = $disk->dir() . '/filler';

open my $fh, '>', $filler or die "cannot write: $!\n";
1 while syswrite $fh, 'x' x 65536;
1 while syswrite $fh, 'x';
close $fh;

my $refused = becomes(sub {
    !defined eval { $other->call('set', 'probe', 'x' x 4096); 1 }
}, 20);

ok($refused, 'Redis refuses writes while its disk is full');

# answers come, but what they mean cannot be written down

$receiver->answer(answers => [], always => { status => 200 });

ok(becomes(sub { $second->log_text() =~ /MISCONF|refused a step/ }, 20),
   'the forwarder says so');

unlink $filler;

ok(becomes(sub { drained($other, 'hook')
                 && (ledger($other)->{'done:hook'} // 0) == 300 }, 40),
   'when there is room again everything is done');
ok(!missing([@early, @waiting], hook_ids($receiver)), 'nothing is missing');
ok(ledger_holds($other, 'hook'), 'the ledger holds');

# ---- no rewrite, no snapshot ----

open $fh, '>', $filler or die "cannot write: $!\n";
1 while syswrite $fh, 'x' x 65536;
close $fh;

$other->call('config', 'set', 'save', '3600 1');
eval { $other->call('bgsave') };

my $failed = becomes(sub {
    $other->info('rdb_last_bgsave_status') eq 'err'
}, 20);

ok($failed, 'a snapshot fails');

my @ids = eval { add_events($other, 5, prefix => 'stopped') };

is(scalar @ids, 0, 'and Redis stops writes');

unlink $filler;
$other->call('bgsave');

ok(becomes(sub { $other->info('rdb_last_bgsave_status') eq 'ok' }, 20),
   'until one succeeds');

my @after = add_events($other, 50, prefix => 'after');

ok(becomes(sub { !missing(\@after, hook_ids($receiver)) }, 20),
   'then events flow as before');
ok(becomes(sub { drained($other, 'hook') }, 20), 'drained');
ok(ledger_holds($other, 'hook'), 'the ledger holds');

$second->stop();
$t->done();
