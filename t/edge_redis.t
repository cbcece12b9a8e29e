#!/usr/bin/perl

# What becomes of events when Redis is stopped, stalled, restarted, full, a
# replica, or wants another password: 503 and Retry-After, never a false
# success, and recovery without a reload.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time);

use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis(port => $t->port(6379));
my $number = 0;

my $nginx = $t->nginx(<<'END');
    martech_redis  %%REDIS%% timeout=500ms connect_timeout=500ms;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }

        location /patient/ {
            martech_ack redis retry_after=7s;
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

my $port = $t->port(8080);
my %answered;


# Posts an event; the response.  What was answered with 200 is remembered.
sub send_event {
    my ($to, $path) = @_;
    my $id = 'redis-' . ++$number;
    my $response = post($to // $port, ($path // '') . '/v1/track',
        { event => 'E', userId => "u$number", messageId => $id });

    $answered{$id} = 1 if $response->{status} == 200;

    return $response;
}


sub refused {
    my ($what) = @_;
    my $start = time();
    my $response = send_event();

    is($response->{status}, 503, "$what: 503");
    is($response->{json}{code}, 'unavailable', "$what: the code");
    like($response->{headers}{'retry-after'}, qr/^\d+$/,
         "$what: when to try again");
    ok(time() - $start < 2, "$what: within the timeout");
}


# "at most 2 s" is promised; the limit leaves room for a slow machine
sub recovers {
    my ($what) = @_;
    my $start = time();

    ok(becomes(sub { send_event()->{status} == 200 }, 10), "$what: recovers");
    cmp_ok(time() - $start, '<', 5, "$what: soon");
}


is(send_event()->{status}, 200, 'stored while all is well');


# ---- stalled ----

$redis->freeze();
refused('stalled');
refused('still stalled');
$redis->thaw();
recovers('after a stall');


# ---- stopped, restarted ----

$redis->kill_now();
refused('stopped');
refused('still stopped');
is(send_event($port, '/patient')->{headers}{'retry-after'}, 7,
   'the configured time to try again');
$redis->start();
recovers('after a stop');

$redis->restart();
recovers('after a restart');


# ---- full ----

$redis->call('config', 'set', 'maxmemory', 1);
refused('full');
refused('still full');
$redis->call('config', 'set', 'maxmemory', 0);
recovers('after it was full');


# ---- a replica ----

$redis->call('replicaof', '127.0.0.1', 1);
refused('a replica');
$redis->call('replicaof', 'no', 'one');
recovers('a master again');


# ---- connection killed ----

$redis->call('client', 'kill', 'type', 'normal', 'skipme', 'yes');
recovers('after its connection was killed');


# ---- all of it again, with events on their way ----

for my $trouble (
    [ 'stall', sub { $redis->freeze() }, sub { $redis->thaw() } ],
    [ 'restart', sub { $redis->kill_now() }, sub { $redis->start() } ])
{
    my ($what, $begin, $end) = @$trouble;
    my $load = $t->load(port => $port, clients => 2, batch => 5);

    $load->wait_more(50);
    $begin->();
    $end->();
    $load->wait_more(50);
    $answered{$_} = 1 for $load->stop();
    pass("events flow again after a $what under load");
}

my %stored = map { $_->{id} => 1 } $redis->events(decode => 0);

is(join(' ', grep { !$stored{$_} } sort keys %answered), '',
   'every event that was answered with 200 is stored');

my $status = get($port, '/status')->{json};

is($status->{events_received},
   $status->{events_stored} + $status->{events_rejected}
   + $status->{events_dropped}, 'every event is accounted for');
ok($status->{redis_failures} > 0, 'lost connections are counted');
ok(becomes(sub { get($port, '/status')->{json}{events_waiting} == 0 }, 5),
   'nothing is left in the buffer');

# repeats of one fault are few in the log
cmp_ok($nginx->logged(qr/\[(?:error|warn)\]/), '<', 60,
       'the log is not flooded');


# ---- other ways to reach it ----

$t->define(PASSWORD => $t->file('password', "s3cret\n"),
           WRONG => $t->file('wrong', "wr0ng\n"));

# a configuration of its own for each address; the port it listens on
sub edge {
    my ($listen, $address) = @_;

    my $edge = $t->nginx(<<"END");
    martech_redis $address timeout=500ms;

    server {
        listen 127.0.0.1:$listen;

        location / {
            martech_collect;
        }
    }
END

    return ($t->port($listen), $edge);
}


sub stores {
    my ($listen, $address, $name) = @_;
    my ($to) = edge($listen, $address);

    ok(becomes(sub { send_event($to)->{status} == 200 }, 10), $name);
}


stores(8181, '127.0.0.1:6379', 'by TCP');
stores(8182, '127.0.0.1:6379 db=3', 'another database');
$redis->client()->select(3);
is($redis->count(), 1, 'the event is in that database');
$redis->client()->select(0);
SKIP: {
    skip 'no localhost here', 1 unless gethostbyname 'localhost';

    stores(8183, 'localhost:' . $t->port(6379), 'by name');
}

SKIP: {
    my $six = IO::Socket::INET->can('new') && eval {
        require IO::Socket::IP;
        IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1);
    };

    skip 'no IPv6 here', 1 unless $six;

    $redis->call('config', 'set', 'bind', '127.0.0.1 ::1');
    stores(8184, '[::1]:' . $t->port(6379), 'by IPv6');
}

my $secret = $t->redis(password => 's3cret');

$t->define(SECRET => 'unix:' . $secret->socket());
$secret->call('acl', 'setuser', 'edge', 'on', '>s3cret', '~*', '+@all');

stores(8185, '%%SECRET%% password_file=%%PASSWORD%%', 'with a password');
stores(8186, '%%SECRET%% user=edge password_file=%%PASSWORD%%', 'with a user');

for (['8187', '%%SECRET%% password_file=%%WRONG%%', 'a wrong password'],
     ['8188', '%%SECRET%%', 'no password'],
     ['8189', '%%SECRET%% user=nobody password_file=%%PASSWORD%%',
      'an unknown user'])
{
    my ($listen, $address, $what) = @$_;
    my ($to, $edge) = edge($listen, $address);

    is(send_event($to)->{status}, 503, "$what: 503");
    ok(becomes(sub { $edge->logged(qr/\[error\].*(?:WRONGPASS|NOAUTH)/) }, 5),
       "$what: the log says so");
    unlike($edge->log_text(), qr/wr0ng|s3cret/,
           "$what: the log keeps the secret");
}


# ---- a cluster ----

my $cluster = $t->redis(port => $t->port(7000), options => [
    '--cluster-enabled', 'yes', '--cluster-port', $t->port(7001) ]);

$t->define(CLUSTER => 'unix:' . $cluster->socket());

my ($to) = edge(8190, '%%CLUSTER%%');

is(send_event($to)->{status}, 503, 'a cluster without slots: 503');
$cluster->call('cluster', 'addslotsrange', 0, 16383);
ok(becomes(sub { send_event($to)->{status} == 200 }, 10),
   'a cluster node with all slots takes events');

$t->done();
