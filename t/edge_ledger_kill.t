#!/usr/bin/perl

# The ledger after workers were killed with events in their memory, also when
# the worker that follows takes another block of the counters: after a reload
# there is a free one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new(timeout => 60);
my $redis = $t->redis();

$t->expect(qr/exited on signal 9/);

my $nginx = $t->nginx(<<'END');
    martech_redis  %%REDIS%% timeout=20s;

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


for my $reload (0, 1) {
    my $name = $reload ? 'after a reload' : 'at first';

    if ($reload) {
        my @old = $nginx->workers();

        $nginx->reload();
        wait_until(sub { !grep { my $pid = $_; grep { $pid == $_ } @old }
                             $nginx->workers() }, 10, 'the old worker leaves');
    }

    wait_until(sub { (status()->{redis_ready} // 0) == 1 }, 10,
               'it is connected');
    $redis->freeze();

    my @parked = map {
        my $c = Martech::Http->connect($port);

        $c->send(post_bytes('/v1/track', { event => 'E', userId => "u$_" }));
        $c;
    } 1 .. 5;

    wait_until(sub { status()->{events_waiting} == 5 }, 5, 'they wait');
    $nginx->kill_worker();
    $redis->thaw();

    my $s = status();
    my $sum = 0;

    $sum += $s->{"events_$_"}
        for qw(stored spooled rejected dropped waiting);

    is($sum, $s->{events_received}, "$name the ledger holds");
    is($s->{dropped}{killed}, 5 * (1 + $reload),
       "$name they are counted as killed");
}

$t->done();
