#!/usr/bin/perl

# The ledger after an upgrade of the binary that was taken back: what the old
# workers had left on disk was replayed by workers of the new master.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new(timeout => 90);
my $redis = $t->redis();

my $nginx = $t->nginx(<<'END', daemon => 1);
    martech_redis  %%REDIS%% timeout=5s;
    martech_spool  %%PREFIX%%/spool segment=1m after=100ms;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

my $port = $t->port(8080);

sub status { (get($port, '/status') // {})->{json} // {} }

wait_until(sub { (status()->{spool_ready} // 0) == 1 }, 10, 'it has a spool');
$redis->kill_now();

my @status = map { post($port, '/v1/track', { event => 'E', userId => "u$_" })
                       ->{status} } 1 .. 20;

is((grep { $_ == 200 } @status), 20, 'events are spooled');

$nginx->upgrade();
ok($nginx->winch(), 'the workers of the old master leave');
$redis->start();

ok(becomes(sub { $redis->count() == 20 }, 20),
   'the workers of the new master replay what they left');
wait_until(sub { (status()->{spool_replayed} // 0) == 20 }, 10, 'that counts');
ok($nginx->rollback(), 'the old master takes over again');
wait_until(sub { (status()->{spool_ready} // 0) == 1 }, 10, 'it has a spool');

ok(becomes(sub { status()->{spool_waiting} == 0 }, 30),
   'it knows that nothing waits any more') or diag(to_json(status()));

$t->done();
