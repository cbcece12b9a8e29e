#!/usr/bin/perl

# "pause", "resume", "status", and what all commands have in common: help,
# usage, and a Redis that is away or wants a password.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $conf = forwarder_conf(hook => 'http://127.0.0.1:1/');
my $cli = Martech::Command->new($t, $conf);
my $state = '{mt:00}:state:hook';


sub row {
    my ($name) = @_;
    my ($row) = grep { $_->{destination} eq $name }
        @{ $cli->run('status', '--json')->{json} };

    return $row;
}


# ---- pause and resume ----

my $r = $cli->run('pause', 'hook', '--why', 'a new key is on its way');

is($r->{status}, 0, 'pause: exit 0');
like($r->{out}, qr/hook is paused/, 'it says so');

my %state = @{ $redis->call('hgetall', $state) };

is($state{paused_why}, 'a new key is on its way', 'the reason is kept');
cmp_ok(abs($state{paused} / 1000 - time), '<', 10, 'and the time, in ms');
like($cli->run('status')->{out},
     qr/^hook\s.*paused \d+m?s: a new key is on its way$/m,
     'status shows it');
is(row('hook')->{paused_why}, 'a new key is on its way', 'in JSON too');
like($cli->run('status')->{out}, qr/^archive\s.*\bready$/m,
     'the other one is ready');

$redis->call('hset', $state, 'parked', 'credentials', 'hold',
             (time + 60) * 1000, 'other', 'stays');
$r = $cli->run('resume', 'hook', '--json');

is($r->{status}, 0, 'resume: exit 0');
ok($r->{json}{changed}, 'it has changed something');
is_deeply($redis->call('hgetall', $state), ['other', 'stays'],
          'paused, parked and hold are gone, the rest is not');
like($cli->run('resume', 'hook')->{out}, qr/neither paused/,
     'a second time there is nothing to do');

$redis->call('hset', $state, 'parked', 'credentials');
like($cli->run('status')->{out}, qr/^hook\s.*parked: credentials$/m,
     'a parked destination');
$redis->call('hdel', $state, 'parked');
$redis->call('hset', $state, 'hold', (time + 60) * 1000);
like($cli->run('status')->{out}, qr/^hook\s.*held for (?:5|6)\ds$/m,
     'a held one');
$redis->call('hset', $state, 'hold', (time - 60) * 1000);
like($cli->run('status')->{out}, qr/^hook\s.*ready$/m,
     'one that is held no longer');


# ---- numbers of status ----

my $old = (time - 600) * 1000;

$redis->call('xadd', '{mt:02}:q:hook', "$old-0", '', '');
$redis->call('xadd', '{mt:03}:q:hook:hi', '*', '', '');
$redis->call('zadd', '{mt:03}:retry:hook', 17, ($old + 1000) . '-0');
$redis->call('xadd', '{mt:04}:dead:hook', '*', 'id', 'x');

my $row = row('hook');

is($row->{waiting}, 2, 'both lanes wait');
is($row->{retry}, 1, 'a retry');
is($row->{dead}, 1, 'a dead letter');
cmp_ok(abs($row->{oldest_ms} - 600_000), '<', 10_000, 'the oldest of them');

$redis->call('hset', '{mt:05}:ledger', 'routed:gone:web', 1);
like($cli->run('status')->{out}, qr/^gone\s.*not configured$/m,
     'a destination that only a ledger knows');


# ---- usage ----

for my $case (
    [['pause', 'nobody'], qr/no destination "nobody"/],
    [['pause'], qr/DESTINATION is missing/],
    [['pause', 'hook', 'hook'], qr/unknown argument "hook"/],
    [['pause', 'hook', '--wy'], qr/unknown option "--wy"/],
    [['pause', 'hook', '--why', "a\nb"], qr/control character/],
    [['status', '--yes'], qr/unknown option "--yes"/],
    [['dead'], qr/what of "dead" is missing/],
    [['dead', 'ls', '--limit', 'x'], qr/a number is expected/],
    [['dead', 'ls', '--older', '5 x'], qr/a time such as/],
    [['dead', 'ls', '--code', '4x'], qr/404 or 4xx/],
    [['dead', 'ls', '--shard', '16'], qr/there are 16/],
    [['dead', 'ls', '--rate', '5'], qr/unknown option "--rate"/],
    [['dead', 'replay', '--rate', '5\/m'], qr/a number is expected/],
    [['dead', 'replay', '--diff'], qr/--dry-run/],
    [['dead', 'replay', '--remap', '--as-sent'], qr/exclude/],
    [['dead', 'replay', '--to', 'nobody'], qr/no destination "nobody"/],
    [['identity', 'show'], qr/one of/],
    [['top', '--interval', '1ms'], qr/less than 100ms/],
) {
    my ($words, $text) = @$case;

    $r = $cli->run(@$words);
    is($r->{status}, 2, "@$words: exit 2");
    like($r->{err}, $text, 'and why');
}

is($cli->plain('ledger')->{status}, 2, 'without -c: exit 2');
is($cli->plain('ledger', '-c', '/nonexistent')->{status}, 1,
   'without a file: exit 1');
is($cli->plain()->{status}, 2, 'without a command: exit 2');
is($cli->plain('bogus')->{status}, 2, 'an unknown command: exit 2');
is($cli->plain('help', 'bogus')->{status}, 2, 'help about it: exit 2');

my $help = $cli->plain('help');

is($help->{status}, 0, 'help: exit 0');

for my $name ('run', 'check', 'status', 'top', 'pause', 'resume', 'ledger',
              'dead ls', 'dead show', 'dead stats', 'dead export',
              'dead drop', 'dead replay', 'identity show',
              'identity forget', 'version')
{
    like($help->{out}, qr/^  $name\b/m, "help lists $name");
    like($cli->plain((split / /, $name), '--help')->{out},
         qr/^martech-forwarder $name\b/, 'and has its own');
    is($cli->plain('help', split / /, $name)->{out},
       $cli->plain((split / /, $name), '--help')->{out},
       'in both ways');
}


# ---- Redis ----

my $locked = $t->redis(password => 'open sesame');
my $with = $conf;

$with =~ s{address: \%\%REDIS\%\%}
          {address: unix:@{[ $locked->socket() ]}\n  password: env:PASS};

my $right = Martech::Command->new($t, $with, env => { PASS => 'open sesame' });

is($right->run('pause', 'hook')->{status}, 0, 'with the password');

my $wrong = Martech::Command->new($t, $with, env => { PASS => 'wrong' });

$r = $wrong->run('pause', 'hook');
is($r->{status}, 1, 'with a wrong one: exit 1');
like($r->{err}, qr/refuses the login: WRONGPASS/, 'and why');
unlike($r->{err}, qr/wrong\b/, 'but not the password');

$locked->stop();
$r = $right->run('status');
is($r->{status}, 1, 'without Redis: exit 1');
like($r->{err}, qr/cannot connect to redis at unix:/, 'and why');

$t->done();
