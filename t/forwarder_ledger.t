#!/usr/bin/perl

# "ledger": what it counts, and that each kind of difference is found.

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
my $conf = forwarder_conf(hook => $receiver->url('/'),
                          top => "stream:\n  shards: 2");
my $cli = Martech::Command->new($t, $conf);
my ($zero, $one) = ('{mt:00}', '{mt:01}');


# docs/SPEC.md: what an ID adds to a digest
sub digest {
    my $sum = 0;

    for (@_) {
        my ($ms, $seq) = split /-/;

        $sum += (($ms % 2**21) * 1103515245 + ($seq % 2**16) * 2654435761)
            % 2**32;
    }

    return $sum % 2**32;
}


sub book {
    my ($tag, %fields) = @_;

    $redis->call('hset', "$tag:ledger", %fields);
}


sub clean {
    my ($name) = @_;
    my $r = $cli->run('ledger', '--json', '--wait', '0');

    is($r->{status}, 0, "$name: exit 0") or diag($r->{out}, $r->{err});
    is_deeply($r->{json}{differences}, [], "$name: no difference");

    return $r->{json};
}


# does something to Redis, expects one difference, and undoes it
sub differs {
    my ($name, $do, $undo, %expected) = @_;

    $do->();

    my $r = $cli->run('ledger', '--json', '--wait', '0');
    my @found = @{ $r->{json}{differences} };

    is($r->{status}, 1, "$name: exit 1");
    is(scalar @found, 1, "$name: one difference") or diag($r->{out});
    is($found[0]{$_}, $expected{$_}, "$name: $_") for sort keys %expected;
    like($cli->run('ledger', '--wait', '0')->{out},
         qr/^DIFFERENCE.*\Q$found[0]{text}\E$/m, "$name: in words");

    $undo->();
}


# ---- a book that holds ----

# Six events of web to "archive": 2 done, 1 dropped, 1 dead, 1 in q, 1 in
# retry; two of app, in the high lane and expired; one duplicate of web.
my @web = map { (1_700_000_000_000 + $_ * 7) . "-$_" } 1 .. 7;
my @app = ('1700000001000-0', '1700000001000-70000');

book($zero,
    'in:web' => 7, 'in~:web' => digest(@web), 'duplicate:web' => 1,
    'in:app' => 2, 'in~:app' => digest(@app), 'last' => $app[1],
    'routed:archive:web' => 6, 'routed~:archive:web' => digest(@web[0 .. 5]),
    'done:archive:web' => 2, 'done~:archive:web' => digest(@web[0, 1]),
    'drop:archive:web' => 1, 'drop~:archive:web' => digest($web[2]),
    'dead:archive:web' => 2, 'dead~:archive:web' => digest(@web[3, 3]),
    'retry:archive' => 9, 'dead_replayed:archive' => 1,
    'routed:archive:app' => 2, 'routed~:archive:app' => digest(@app),
    'expired:archive:app' => 1, 'expired~:archive:app' => digest($app[0]),
    'in_to:archive:web' => 1, 'in_to~:archive:web' => digest($web[3]),
    'refused:hook:consent:web' => 4, 'refused:hook:rollout:web' => 1,
    'refused:hook:source:app' => 2,
    'routed:hook:web' => 1, 'routed~:hook:web' => digest($web[5]),
    'moved:hook:web' => 1, 'moved~:hook:web' => digest($web[5]),
    'bad' => 1, 'relinked' => 3);

# the dead one was replayed, and died again: it was routed twice
book($zero, 'routed:archive:web' => 7,
     'routed~:archive:web' => digest(@web[0 .. 5], $web[3]));

$redis->call('xadd', "$zero:dead:archive", '*', 'event', $web[3]);
$redis->call('xadd', "$zero:dead:_entry", '*', 'event', '1-1');
$redis->call('xadd', "$zero:q:archive", $web[4], '', '');
$redis->call('zadd', "$zero:retry:archive", 1700000000000, $web[5]);
$redis->call('xadd', "$zero:q:archive:hi", $app[1], '', '');

my $json = clean('a book that holds');
my $archive = $json->{destinations}{archive};

is($json->{sources}{web}{in}, 7, 'events of a source');
is($json->{sources}{web}{duplicate}, 1, 'duplicates of it');
is($archive->{sources}{web}{done}, 2, 'what was delivered');
is($archive->{waiting}, 3, 'what waits');
is($json->{destinations}{hook}{sources}{web}{refused}{consent}, 4,
   'why it was refused');
is($json->{relinked}, 3, 'devices that changed their user');

my $text = $cli->run('ledger')->{out};
my $hex = sprintf '%08x', digest(@web[0 .. 5], $web[3]);

like($text, qr/^web +7 +1 +/m, 'the line of a source');
like($text, qr/^archive +web +7 +0 +2 +2 +2 +0 +1 +0 +0 +$hex$/m,
     'the line of a destination and source');
like($text, qr/^refused by hook, source web, consent: 4$/m, 'a reason');
like($text, qr/^no difference$/m, 'the verdict');


# ---- each kind of difference ----

differs('an event that was not routed',
    sub { $redis->call('hincrby', "$zero:ledger", 'refused:hook:consent:web',
                       -1) },
    sub { $redis->call('hincrby', "$zero:ledger", 'refused:hook:consent:web',
                       1) },
    what => 'offered', shard => 0, destination => 'hook', source => 'web',
    expected => 6, found => 5);

differs('another pointer than that of the event',
    sub { $redis->call('del', "$zero:q:archive");
          $redis->call('xadd', "$zero:q:archive", '1700000000001-1', '',
                       '') },
    sub { $redis->call('del', "$zero:q:archive");
          $redis->call('xadd', "$zero:q:archive", $web[4], '', '') },
    what => 'digest', shard => 0, destination => 'archive');

differs('another retry than that of the event',
    sub { $redis->call('zrem', "$zero:retry:archive", $web[5]);
          $redis->call('zadd', "$zero:retry:archive", 1, '5-5') },
    sub { $redis->call('zrem', "$zero:retry:archive", '5-5');
          $redis->call('zadd', "$zero:retry:archive", 1, $web[5]) },
    what => 'digest', shard => 0, destination => 'archive');

differs('another event routed than came in',
    sub { book($zero, 'in~:app' => digest(@app) + 1) },
    sub { book($zero, 'in~:app' => digest(@app)) },
    what => 'offered digest', destination => 'archive', source => 'app');

differs('a dead letter that is gone',
    sub { $redis->call('hset', "$zero:ledger", 'dead_replayed:archive', 0) },
    sub { $redis->call('hset', "$zero:ledger", 'dead_replayed:archive', 1) },
    what => 'dead', shard => 0, destination => 'archive', expected => 2,
    found => 1);

differs('a bad entry that is gone',
    sub { book($zero, bad => 2) }, sub { book($zero, bad => 1) },
    what => 'dead', destination => '_entry', expected => 2, found => 1);

# numbers and digests both see it
$redis->call('xdel', "$zero:q:archive", $web[4]);

my $r = $cli->run('ledger', '--json', '--wait', '0');

is_deeply([sort map { $_->{what} } @{ $r->{json}{differences} }],
          ['digest', 'waiting'], 'a pointer that is gone');
$redis->call('del', "$zero:q:archive");
$redis->call('xadd', "$zero:q:archive", $web[4], '', '');
clean('all is back');


# ---- a fallback, and a destination that came later ----

book($one, 'in:web' => 3, 'in~:web' => digest(@web[0 .. 2]),
     map { ("routed:$_:web" => 3, "routed~:$_:web" => digest(@web[0 .. 2]),
            "done:$_:web" => 3, "done~:$_:web" => digest(@web[0 .. 2])) }
         'archive');

$r = $cli->run('ledger', '--json', '--wait', '0');
is($r->{status}, 1, 'a destination that was offered nothing: exit 1');
is($r->{json}{differences}[0]{shard}, 1, 'in shard 1');
like($r->{json}{differences}[0]{text},
     qr/^3 events came in, but 0 were routed and 0 refused .*--accept/,
     'with a way out');
is($cli->run('ledger', '--accept')->{status}, 0, 'it is taken note of');
clean('after that');

differs('the next one is a difference again',
    sub { $redis->call('hincrby', "$one:ledger", 'in:web', 1);
          $redis->call('hincrby', "$one:ledger", 'routed:archive:web', 1);
          $redis->call('hincrby', "$one:ledger", 'done:archive:web', 1);
          $redis->call('hset', "$one:ledger", 'duplicate:web', 0) },
    sub { $redis->call('hincrby', "$one:ledger", 'in:web', -1);
          $redis->call('hincrby', "$one:ledger", 'routed:archive:web', -1);
          $redis->call('hincrby', "$one:ledger", 'done:archive:web', -1) },
    what => 'offered', destination => 'hook', expected => 4, found => 3);


# ---- the edge ----

is($json->{edge}{stored}, undef, 'nothing is known of edges');

# 12 in, 1 bad; 1 read and not routed, 150 not read
$redis->call('xgroup', 'create', "$one:in", 'forwarder', '0', 'mkstream');
$redis->call('xadd', "$one:in", '*', 'v', 1);
$redis->call('xreadgroup', 'group', 'forwarder', 'x', 'count', 1, 'streams',
             "$one:in", '>');
$redis->call('xadd', "$one:in", '*', 'v', 1) for 1 .. 150;

$redis->call('hset', "$zero:edge", 'aa:stored', 100, 'bb:stored', 61,
             'aa:rejected', 5, 'aa:at', 1700000000000);
$json = clean('fewer stored than are here');
is($json->{edge}{stored}, 161, 'edges are added up');
is($json->{unread} + $json->{pending}, 151, 'not routed yet');
is($json->{stored_twice}, 12 + 1 + 151 - 161, 'more are here');

$redis->call('hset', "$zero:edge", 'bb:stored', 66);
$r = $cli->run('ledger', '--json');
is($r->{status}, 1, 'more stored than are here: exit 1');
is($r->{json}{differences}[0]{what}, 'edge', 'that is a loss');
is($r->{json}{differences}[0]{expected}
   - $r->{json}{differences}[0]{found}, 2, 'of two');
$redis->call('hset', "$zero:edge", 'bb:stored', 0);


# ---- a system that moves ----

# a writer that keeps the books right, and seldom stands still
my $writer = Martech::Process->start(name => 'writer', code => sub {
    my $other = $redis->connect();
    my $n = 0;

    while (1) {
        my $id = 1_700_000_100_000 + $n++ . '-0';

        $other->multi();
        $other->hincrby("$zero:ledger", 'in:web', 1);
        $other->hincrby("$zero:ledger", 'refused:hook:when:web', 1);
        $other->hincrby("$zero:ledger", 'routed:archive:web', 1);
        $other->hincrby("$zero:ledger", 'routed~:archive:web', digest($id));
        $other->xadd("$zero:q:archive", $id, '', '');
        $other->exec();
    }
});

ok(becomes(sub { $redis->call('xlen', "$zero:q:archive") > 10 }, 10),
   'a writer is at work');

my %wrong;

ok(becomes(sub {
    my $now = $cli->run('ledger', '--json', '--wait', '0');

    $wrong{$_->{text}}++ for @{ $now->{json}{differences} };
    return "@{ $now->{json}{moving} }" eq '0';
}, 20), 'the shard that moves is named');
ok(becomes(sub {
    my $now = $cli->run('ledger', '--wait', '0');

    $wrong{$now->{out}}++ if $now->{status};
    return $now->{out} =~ /^digest not checked, moving: 1 of 2 shards$/m;
}, 20), 'in words');
is_deeply([keys %wrong], [], 'what is seen meanwhile holds');
$writer->stop('KILL', 5);
is($cli->run('ledger')->{status}, 0, 'and what is left');


# ---- a forwarder of before: no sources, no digests ----

$redis->call('flushall');

my $forwarder = $t->forwarder($conf);

$receiver->answer(always => { status => 200 });
add_events($redis, 20, shard => $_ % 2, prefix => "e$_") for 0, 1;
ok(becomes(sub { drained($redis, 'hook', 'archive') }, 20), 'events go by');
is($cli->run('ledger')->{status}, 0, 'a real ledger holds');

$t->done();
