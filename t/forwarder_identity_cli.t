#!/usr/bin/perl

# "identity show" and "identity forget".

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $cli = Martech::Command->new($t,
    forwarder_conf(hook => 'http://127.0.0.1:1/'));


sub show { $cli->run('identity', 'show', '--json', @_)->{json} }


# shard 13 of 16 is that of "a" (docs/SPEC.md section 1)
$redis->call('hset', '{mt:13}:link', 'a', 'user-1');

# made by an alias, in another shard
$redis->call('hset', '{mt:02}:link', 'b', 'user-1', 'c', 'user-2');
$redis->call('hset', '{mt:02}:link', map { ("n$_", "other-$_") } 1 .. 3000);
$redis->call('hset', '{mt:02}:link', 'd', 'user-1');


# ---- show ----

my $a = show('--anonymous', 'a');
my $user = show('--user', 'user-1');

like($a->{person}, qr/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab]/,
     'a person is a UUIDv5');
is($a->{person}, $user->{person}, 'of the linked user');
isnt($a->{person}, show('--anonymous', 'nobody')->{person},
     'another one is another person');
is(show('--anonymous', 'nobody')->{person}, show('--user', 'nobody')->{person},
   'without a link it is that of the id');
is_deeply($a->{links}, [{ shard => 13, anonymousId => 'a',
                          userId => 'user-1' }], 'the link of a device');
is_deeply([sort map { "$_->{shard} $_->{anonymousId}" } @{ $user->{links} }],
          ['13 a', '2 b', '2 d'], 'all links of a user');
like($cli->run('identity', 'show', '--anonymous', 'a')->{out},
     qr/^person  $a->{person}\nlink    a -> user-1  \(shard 13\)\n\z/,
     'in words');
is($cli->run('identity', 'show', '--anonymous', 'a', '--user', 'b')
       ->{status}, 2, 'both at once: exit 2');


# ---- forget ----

my $r = $cli->run('identity', 'forget', '--user', 'user-1');

is($r->{status}, 2, 'forget without --yes: exit 2');
like($r->{err}, qr/would remove 3 links/, 'it says what');
is(scalar @{ show('--user', 'user-1')->{links} }, 3, 'and does nothing');

$r = $cli->run('identity', 'forget', '--user', 'user-1', '--yes');
is($r->{status}, 0, 'with --yes: exit 0');
like($r->{out}, qr/^link    b -> user-1  \(shard 2\)$/m, 'it says what');
like($r->{out}, qr/^removed 3 links$/m, 'and how many');
is_deeply(show('--user', 'user-1')->{links}, [], 'they are gone');
is($redis->call('hlen', '{mt:02}:link'), 3001, 'the others are not');

$r = $cli->run('identity', 'forget', '--anonymous', 'c', '--yes', '--json');
is($r->{json}{removed}, 1, 'of a device');
is($redis->call('hget', '{mt:02}:link', 'c'), undef, 'it is gone');
is($cli->run('identity', 'forget', '--anonymous', 'c')->{status}, 0,
   'nothing to forget: exit 0');

$t->done();
