#!/usr/bin/perl

# The life of a worker: reload under load, stop with requests parked, with
# Redis dead, with a shutdown timeout.  Nothing acknowledged is lost, and no
# worker stays for ever.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time);

use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();

my $CONF = <<'END';
    martech_redis  %%REDIS%% timeout=2s;

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

my $nginx = $t->nginx($CONF, workers => 2);
my $port = $t->port(8080);
my $number = 0;


sub request {
    my ($to) = @_;
    my $id = 'reload-' . ++$number;
    my $c = Martech::Http->connect($to // $port);

    $c->send(post_bytes('/v1/track', { event => 'E', userId => 'u',
                                       messageId => $id }));

    return ($c, $id);
}


sub parked {
    my ($to, $count) = @_;

    wait_until(sub {
        get($to, '/status')->{json}{requests_parked} == $count
    }, 10, "$count requests wait for redis");
}


# waits until every worker is connected
sub ready {
    my ($to, $count) = @_;

    wait_until(sub {
        get($to, '/status')->{json}{redis_ready} == $count
    }, 15, "$count workers are connected");
}


sub has {
    my ($id) = @_;

    return scalar grep { $_->{id} eq $id } $redis->events(decode => 0);
}


# workers of older generations must go within the limit
sub old_ones_leave {
    my ($limit, $name, @old) = @_;

    ok(becomes(sub {
        my %alive = map { $_ => 1 } $nginx->workers();

        return !grep { $alive{$_} } @old;
    }, $limit), $name);
}


# ---- reload under load ----

my $load = $t->load(port => $port, clients => 3, batch => 3);

$load->wait_more(30);

for my $n (1 .. 5) {
    my @old = $nginx->workers();

    $nginx->reload();
    $load->wait_more(30);
    old_ones_leave(15, "the old workers of reload $n leave", @old);
}

my @acked = $load->stop();
my %stored = map { $_->{id} => 1 } $redis->events(decode => 0);

cmp_ok(scalar @acked, '>', 150, 'events were answered all the time');
is((grep { !$stored{$_} } @acked), 0,
   'every event that was answered during reloads is stored');


# ---- reload with a request parked ----

{
    ready($port, 2);
    $redis->freeze();

    my ($c, $id) = request();

    parked($port, 1);

    my @old = $nginx->workers();

    $nginx->reload();
    ok($c->silent(0.2), 'a parked request outlives the reload');
    $redis->thaw();
    is($c->response()->{status}, 200, 'and is answered by the old worker');
    ok(has($id), 'and stored');
    old_ones_leave(10, 'which then leaves', @old);
}


# ---- reload with Redis dead ----

{
    ready($port, 2);
    $redis->freeze();

    my ($c) = request();
    my $start = time();

    parked($port, 1);

    my @old = $nginx->workers();

    $nginx->reload();
    is($c->response()->{status}, 503, 'without redis it is refused in time');
    cmp_ok(time() - $start, '<', 6, 'within the timeout');
    old_ones_leave(10, 'a worker leaves although redis is dead', @old);
    $redis->thaw();
}


# ---- fast stop with a request parked ----

{
    ready($port, 2);
    $redis->freeze();

    my ($c) = request();
    my $start = time();

    parked($port, 1);
    $nginx->{process}->signal('TERM');
    ok($nginx->{process}->wait_end(10), 'TERM ends it at once');
    cmp_ok(time() - $start, '<', 3, 'without waiting for redis');
    $redis->thaw();
}


# ---- a shutdown timeout, sanitized ----

{
    my $conf = $CONF =~ s/timeout=2s/timeout=30s/r
                     =~ s/127\.0\.0\.1:8080/127.0.0.1:8082/r;
    my $other = $t->nginx($conf, asan => 1,
                          main => 'worker_shutdown_timeout 1s;');
    my $to = $t->port(8082);
    my ($first) = request($to);

    is($first->response()->{status}, 200, 'a worker with a shutdown timeout');
    $redis->freeze();

    my ($c) = request($to);

    parked($to, 1);
    $other->reload();

    my $start = time();

    ok(becomes(sub { !$c->silent(0.01) }, 10), 'its client is let go');
    cmp_ok(time() - $start, '<', 5, 'when the timeout is over');
    ok(becomes(sub { $other->workers() == 1 }, 10), 'and the worker leaves');
    $redis->thaw();
    ok(becomes(sub { (request($to))[0]->response()->{status} == 200 }, 10),
       'the new worker stores');
}


# ---- many reloads leave nothing behind ----

{
    my $other = $t->nginx($CONF =~ s/127\.0\.0\.1:8080/127.0.0.1:8083/r);
    my $to = $t->port(8083);
    my $master = $other->pid();
    my $count = sub { my @fds = glob "/proc/$_[0]/fd/*"; scalar @fds };

    wait_until(sub { $other->workers() == 1 }, 10, 'one worker runs');

    my $before = $count->($master);

    for (1 .. 15) {
        $other->reload();
        (request($to))[0]->response();
    }

    ok(becomes(sub { $other->workers() == 1 }, 15), 'one worker is left');
    cmp_ok($count->($master), '<=', $before,
           'the master holds no more descriptors');
}

$t->done();
