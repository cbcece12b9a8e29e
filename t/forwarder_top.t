#!/usr/bin/perl

# "top": what the table says, live on a terminal and line by line elsewhere.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Fcntl qw(O_RDWR O_NOCTTY);

use Martech::Command;
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $conf = forwarder_conf(hook => 'http://127.0.0.1:1/',
                          top => "stream:\n  shards: 4\n");
my $cli = Martech::Command->new($t, $conf);
my $zero = '{mt:00}';
my $now = int(time) * 1000;


sub top { $cli->run('top', '--once', '--json', '--interval', '200ms', @_) }

sub dest {
    my ($r, $name) = @_;
    my ($row) = grep { $_->{destination} eq $name }
        @{ $r->{json}{destinations} };

    return $row;
}


# ---- loops ----

$redis->call('set', '{mt:00}:owner', '7 host#0', 'PX', 60_000);
$redis->call('set', '{mt:01}:owner', '9 host#0', 'PX', 60_000);
$redis->call('set', '{mt:02}:owner', '4 old one', 'PX', 60_000);
$redis->call('zadd', "$zero:loops", $now + 60_000, 'host#0', $now - 1000,
             'dead#1');
$redis->call('hset', "$zero:loop:host#0", 'hook', to_json({
    breaker => 'open', inflight => 3, concurrency => 8, sent => 100,
    failed => 1, p50 => 2.5, p99 => 17.25, limited_ms => 0 }));
$redis->call('hset', "$zero:loop:dead#1", 'hook', to_json({
    breaker => 'closed', inflight => 1, p99 => 3 }), 'gone', 'no json');

my $r = top();

is($r->{status}, 0, 'exit 0') or diag($r->{err});
is($r->{json}{without_owner}, 1, 'a shard without an owner');

my %loop = map { $_->{name} => $_ } @{ $r->{json}{loops} };

is($loop{'host#0'}{shards}, 2, 'shards of a loop');
ok($loop{'host#0'}{alive}, 'that is alive');
is($loop{'old one'}{shards}, 1, 'an owner that gives no heart-beat');
ok(!$loop{'dead#1'}{alive}, 'one that is gone');
is(dest($r, 'hook')->{breaker}, 'open 1/2', 'its breaker, of all loops');
is(dest($r, 'hook')->{inflight}, 4, 'requests under way');
is(dest($r, 'hook')->{p99_ms}, 17.25, 'the slowest loop counts');
is(dest($r, 'archive')->{breaker}, '-', 'nothing is known of the other');


# ---- depth, ages, rates ----

my %age = (0 => 30, 1 => 200, 2 => 3000, 3 => 20_000, 4 => 80_000,
           5 => 200_000, 6 => 300_000);

for my $n (sort { $age{$b} <=> $age{$a} } keys %age) {
    $redis->call('xadd', '{mt:01}:q:hook', $now - 1000 * $age{$n} . '-0', '',
                 '');
}

$redis->call('xadd', '{mt:02}:q:hook:hi', $now - 40_000 . '-0', '', '');
$redis->call('zadd', '{mt:02}:retry:hook', 1, $now - 90_000 . '-0');

$r = top('--ages');
is(dest($r, 'hook')->{waiting}, 8, 'waiting in both lanes');
is(dest($r, 'hook')->{retry}, 1, 'and to be retried');
is_deeply(dest($r, 'hook')->{ages},
          { '1m' => 2, '5m' => 2, '1h' => 1, '6h' => 1, '1d' => 1,
            '3d' => 1, older => 1 }, 'their ages');
cmp_ok(abs(dest($r, 'hook')->{oldest_ms} - 300_000_000), '<', 20_000,
       'the oldest one');
like($cli->run('top', '--once', '--ages', '--interval', '100ms')->{out},
     qr/^YOUNGER THAN .*\n^archive .*\n^hook +2 +2 +1 +1 +1 +1 +1$/m,
     'in a table');

my $process = $cli->start('top', '--json', '-c', $cli->{file}, '-n', '3',
                          '--interval', '300ms');
my $sum = 0;

while ($process->alive()) {
    $redis->call('hincrby', '{mt:03}:ledger', 'routed:hook:web', 2);
    $redis->call('hincrby', '{mt:03}:ledger', 'done:hook:web', 1);
    $redis->call('hincrby', '{mt:03}:ledger', 'routed~:hook:web', 999_999);
}

$r = $cli->end($process);
is(scalar @{ $r->{lines} }, 3, '-n: so many tables');

my ($last) = grep { $_->{destination} eq 'hook' }
    @{ $r->{lines}[2]{destinations} };

cmp_ok($last->{done_per_s}, '>', 10, 'events done a second');
cmp_ok(abs($last->{in_per_s} - 2 * $last->{done_per_s}), '<',
       0.2 * $last->{in_per_s} + 20, 'and in: twice as many');

$redis->call('hset', "$zero:state:hook", 'paused', $now, 'paused_why', 'x');
like($cli->run('top', '--once', '--interval', '100ms')->{out},
     qr/^hook .* paused \S+: x$/m, 'a paused destination');


# ---- a terminal ----

# of Linux: unlock the other end, ask for its number, set the size
my ($TIOCSPTLCK, $TIOCGPTN, $TIOCSWINSZ) = (0x40045431, 0x80045430, 0x5414);
my ($number, $size) = (pack('i', 0), pack('S4', 9, 60, 0, 0));

sysopen my $pty, '/dev/ptmx', O_RDWR | O_NOCTTY or die "no terminal: $!\n";
ioctl $pty, $TIOCSPTLCK, $number or die "no terminal: $!\n";
ioctl $pty, $TIOCGPTN, $number or die "no terminal: $!\n";
sysopen my $slave, '/dev/pts/' . unpack('i', $number), O_RDWR | O_NOCTTY
    or die "no terminal: $!\n";
ioctl $slave, $TIOCSWINSZ, $size or die "no size: $!\n";

my $live = Martech::Process->start(name => 'top', code => sub {
    open STDOUT, '>&', $slave or die;
    exec $cli->{program}, 'top', '-c', $cli->{file}, '--interval', '100ms';
});

my $screen = '';

ok(becomes(sub {
    my $bits = '';

    vec($bits, fileno $pty, 1) = 1;
    sysread $pty, $screen, 65536, length $screen
        while select my $ready = $bits, undef, undef, 0.05;

    return (() = $screen =~ /\e\[H/g) > 3;
}, 20), 'frames are drawn on a terminal');
like($screen, qr/\A\e\[\?1049h/, 'on a screen of its own');

my ($frame) = $screen =~ /\e\[H(.*?)\e\[J/s;
my @lines = split /\e\[K\r+\n/, $frame;

cmp_ok(scalar @lines, '<=', 8, 'as many lines as there are');
is(scalar(grep { length > 60 } @lines), 0, 'not wider than it');
unlike($frame, qr/\e\[2J/, 'nothing is erased first');

$live->signal('INT');
ok($live->wait_end(5), 'Ctrl-C ends it');
is($live->status(), 0, 'with exit 0');
sysread $pty, $screen, 65536, length $screen;
like($screen, qr/\e\[\?1049l\s*\z/, 'the terminal is as before');

$t->done();
