#!/usr/bin/perl

# The test library's network: a proxy that fails in every way it promises, a
# name server, certificates, and clients that keep a pace.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use IO::Socket::UNIX;
use Time::HiRes qw(time);

use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();


# a connection; what it speaks are inline commands of Redis
sub client {
    my ($proxy) = @_;
    my $socket = $proxy->address() =~ /^unix:(.*)/
        ? IO::Socket::UNIX->new(Peer => $1)
        : IO::Socket::INET->new(PeerAddr => $proxy->address());

    return undef unless $socket;
    return bless { socket => $socket, buffer => '' }, 'Martech::Http';
}


# the next bytes: so many, or all until the end ("" after the limit)
sub bytes {
    my ($c, $count, $limit) = @_;
    my $deadline = time() + ($limit // 10);

    while (length $c->{buffer} < $count) {
        last unless $c->fill($deadline);
    }

    return substr $c->{buffer}, 0, $count, '';
}


sub ping {
    my ($c) = @_;

    return 0 unless $c;

    $c->send("PING\r\n");

    return bytes($c, 7) eq "+PONG\r\n";
}


# code and number of answers for an A record
sub rcode {
    my ($dns, $name) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => $dns->address(),
                                       Proto => 'udp');

    $socket->send(pack('n6', 7, 0x0100, 1, 0, 0, 0)
                  . pack('(C/a)*', split /\./, $name)
                  . pack('C n n', 0, 1, 1));
    $socket->recv(my $answer, 512);

    my ($id, $flags, undef, $count) = unpack 'n4', $answer;

    return $id == 7 ? ($flags & 15) . " $count" : 'no answer';
}


sub cpu {
    my @stat = split ' ', Martech::Nginx::slurp("/proc/$_[0]/stat");

    return ($stat[13] + $stat[14]) / 100;
}


# ---- a proxy ----

for my $proxy ($t->proxy(), $t->proxy(path => $t->dir() . '/proxy.sock')) {
    my $kind = $proxy->address() =~ /^unix/ ? 'unix: ' : 'tcp: ';
    my $c = client($proxy);

    ok(ping($c), "${kind}it passes");
    is($proxy->stats()->{open}, 1, "${kind}it counts connections");

    $proxy->cut();
    ok($c->closed(5), "${kind}it cuts");
    ok(ping($c = client($proxy)), "${kind}and takes new ones");

    $proxy->cut(reset => 1);
    ok($c->closed(5), "${kind}it cuts by a reset");

    # in the middle of an answer
    $c = client($proxy);
    $proxy->cut_after(to_client => 10);
    $c->send("PING\r\nPING\r\n");
    is(bytes($c, 100), "+PONG\r\n+PO", "${kind}so many bytes of answers pass");
    ok(ping(client($proxy)), "${kind}the next connection has none of it");

    # in the middle of a command
    $c = client($proxy);
    $proxy->cut_after(to_server => 17);
    $c->send("SET k 1\r\nINCR k\r\nINCR k\r\n");
    bytes($c, 100);
    ok($c->closed(5), "${kind}so many bytes of commands pass");
    ok(becomes(sub { ($redis->call('get', 'k') // 0) == 2 }, 5),
       "${kind}and those do");

    # answers that are lost
    $c = client($proxy);
    $proxy->swallow();
    $c->send("INCR k\r\n");
    ok(becomes(sub { $redis->call('get', 'k') == 3 }, 5), "${kind}a command");
    ok($c->silent(0.1), "${kind}whose answer is swallowed");
    is($proxy->resume()->{swallowed}, 4, "${kind}is counted");
    ok(ping($c), "${kind}later ones are not");

    # answers that are late
    $proxy->delay(150);
    my $start = time();
    ok(ping($c), "${kind}an answer");
    cmp_ok(time() - $start, '>', 0.14, "${kind}is late");
    $proxy->resume();

    # nothing is read
    $proxy->stall();
    my $sent = $proxy->stats()->{to_server};
    $c->send("PING\r\n");
    ok($c->silent(0.1), "${kind}a connection that is stalled");
    is($proxy->stats()->{to_server}, $sent, "${kind}carries nothing");
    $proxy->resume();
    is(bytes($c, 7), "+PONG\r\n", "${kind}until it goes on");

    # no new connections
    $proxy->refuse();
    ok(!client($proxy), "${kind}it refuses");
    ok(ping($c), "${kind}and keeps what is open");
    $proxy->resume();
    ok(ping(client($proxy)), "${kind}until it goes on");

    # a server that is gone
    $redis->kill_now();
    ok($c->closed(5), "${kind}a dead server is seen");
    ok(client($proxy)->closed(5), "${kind}and that it does not come back");
    $redis->start();
    ok(ping(client($proxy)), "${kind}until it does");
}


# a value of many megabytes there and back, and a client that does not read
{
    my $proxy = $t->proxy();
    my $size = 32 << 20;
    my $c = client($proxy);
    my $before = cpu($proxy->pid());

    $redis->call('set', 'big', 'x' x $size);
    $c->send("GET big\r\n");
    is(length bytes($c, $size + 13, 30), $size + 13, 'much passes');
    cmp_ok(cpu($proxy->pid()) - $before, '<', 2, 'at little cost');

    $c->send("GET big\r\n" x 3);
    wait_until(sub { $proxy->stats()->{waiting} >= 1 << 20 }, 10, 'it is full');
    $before = cpu($proxy->pid());
    ok(ping(client($proxy)), 'while one waits another passes');
    cmp_ok($proxy->stats()->{waiting}, '<', 2 << 20, 'what waits is limited');

    select undef, undef, undef, 0.3;
    cmp_ok(cpu($proxy->pid()) - $before, '<', 0.1, 'and waiting costs nothing');
    is(length bytes($c, 3 * ($size + 13), 60), 3 * ($size + 13),
       'in the end it has everything');
    $redis->call('del', 'big');
}


# ---- a name server ----

{
    my $dns = $t->dns(table => { 'redis.test' => '127.0.0.1',
                                 'six.test' => ['::1', '127.0.0.2'] });
    my $nginx = $t->nginx(<<"END");
    resolver @{[ $dns->address() ]} valid=1s;
    resolver_timeout 1s;

    server {
        listen 127.0.0.1:8080;

        location / {
            proxy_pass http://\$arg_name:@{[ $t->port(8081) ]};
        }
    }

    server {
        listen 127.0.0.1:8081;
        return 204;
    }
END
    my $status = sub { get($t->port(8080), "/?name=$_[0]")->{status} };

    is($status->('redis.test'), 204, 'a name is known');
    is($status->('other.test'), 502, 'another one is not');
    $dns->set('other.test' => '127.0.0.1');
    ok(becomes(sub { $status->('other.test') == 204 }, 10), 'until it is');
    $dns->set('other.test' => undef);
    ok(becomes(sub { $status->('other.test') == 502 }, 10), 'and forgotten');
    cmp_ok($dns->asked('other.test'), '>=', 3, 'questions are counted');
    $dns->answer('servfail');
    is($status->('fail.test'), 502, 'a name server that fails');
    $dns->answer('silent');
    is($status->('silent.test'), 502, 'or says nothing');
    cmp_ok($dns->asked('silent.test'), '>', 0, 'though it was asked');
    $dns->answer('ok');

    is(rcode($dns, 'redis.test'), '0 1', 'in DNS: a name that is known');
    is(rcode($dns, 'SIX.test'), '0 1', 'in capitals');
    is(rcode($dns, 'other.test'), '3 0', 'NXDOMAIN');
    $dns->answer('refused');
    is(rcode($dns, 'redis.test'), '5 0', 'REFUSED');

    my @six = Martech::Dns::addresses(28, ['::1', '127.0.0.2']);

    is(unpack('H*', "@six"), '0' x 31 . '1', 'a record of each type');
}


# ---- certificates ----

{
    my $tls = $t->tls();
    my $port = $t->port(6390);
    my $open = $t->redis(options => [$tls->redis_options(port => $port)]);
    my $strict = $t->redis(options => [$tls->redis_options(
        port => $t->port(6391), clients => 'yes')]);

    my $pings = sub {
        my ($at, @arg) = @_;

        return `redis-cli --tls -h 127.0.0.1 -p $at @arg ping 2>&1` =~ /PONG/
            ? 1 : 0;
    };
    my $ca = '--cacert ' . $tls->cert('ca');

    is($pings->($port, $ca), 1, 'the authority is trusted');
    is($pings->($port, '--cacert ' . $tls->cert('ca-other')), 0,
       'the other one is not');
    is($pings->($t->port(6391), $ca), 0, 'a client without certificate');
    is($pings->($t->port(6391), $ca, '--cert', $tls->cert('client'), '--key',
                $tls->key('client')), 1, 'one with it');
    is($pings->($t->port(6391), $ca, '--cert', $tls->cert('client-other'),
                '--key', $tls->key('client-other')), 0, 'one of a stranger');
    like(scalar `openssl x509 -noout -text -in @{[ $tls->cert('server') ]}`,
         qr/DNS:redis\.test, DNS:localhost, IP Address:127\.0\.0\.1/,
         'the names of the server');
    like(scalar `openssl x509 -noout -subject -in @{[ $tls->cert('server') ]}`,
         qr/CN = redis\.test/, 'and its common name');

    for my $case (['server', 'redis.test', 'OK'],
                  ['server', 'wrong.test', 'error'],
                  ['server-wrong', 'wrong.test', 'OK'],
                  ['server-other', 'redis.test', 'error'])
    {
        my ($name, $host, $want) = @$case;
        my $ca_file = $tls->cert('ca');
        my $file = $tls->cert($name);

        like(scalar `openssl verify -CAfile $ca_file -verify_hostname $host \\
             $file 2>&1`, qr/$want/, "$name for $host: $want");
    }
}


# ---- clients that keep a pace ----

{
    my $proxy = $t->proxy(port => 6380);
    my $nginx = $t->nginx(<<'END');
    martech_redis 127.0.0.1:6380 timeout=2s;

    server {
        listen 127.0.0.1:8082;
        keepalive_requests 50;

        location / {
            martech_collect;
        }
    }

    server {
        listen 127.0.0.1:8083;
        return 503;
    }
END
    my $start = time();
    my $load = $t->load(port => $t->port(8082), rate => 400, name => 'slow');

    $load->wait_more(400);

    my $stats = $load->stats();
    my $took = time() - $start;

    cmp_ok($took, '>', 0.8, 'no more than were wanted are sent');
    cmp_ok($took, '<', 3, 'and no less');
    cmp_ok($stats->{status}{200}, '>=', 400, 'answers are counted');
    cmp_ok($stats->{ack}{redis}, '>=', 400, 'and who has acknowledged');
    cmp_ok($stats->{slowest}, '>', 0, 'and how long it took');
    cmp_ok(Martech::Pace::percentile(0.5, $stats->{latency}), '<', 200,
           'mostly not long');

    $load->rate(0);
    becomes(sub { $load->stats()->{busy} == 0 }, 5);

    my $before = $load->stats()->{sent};

    select undef, undef, undef, 0.1;
    is($load->stats()->{sent}, $before, 'a rate of 0 is a pause');
    is($load->mark()->{slowest}, 0, 'latencies may be forgotten');
    $load->rate(2000);
    $load->wait_more(200);
    $proxy->cut(reset => 1);
    $load->wait_more(200);
    $nginx->kill_worker();
    $load->wait_more(200);

    my $batches = $t->load(port => $t->port(8082), rate => 400, batch => 10,
                           name => 'ten');

    $batches->wait_more(100);

    my @acked = ($load->stop(), $batches->stop());
    my @events = $redis->events();
    my %stored = map { $_->{id} => 1 } @events;

    cmp_ok(scalar @acked, '>', 1000, 'events were acknowledged');
    is(scalar(grep { !$stored{$_} } @acked), 0, 'those are stored');
    is(scalar(() = $load->acked('redis')), scalar(() = $load->acked()),
       'by redis');
    is(scalar(() = $load->acked('memory')), 0, 'not in memory');
    cmp_ok($load->{last}{status}{cut} // 0, '>', 0,
           'what was cut is no success');
    is(join(' ', grep { $_ } map { Martech::Pace::altered($_->{event}) }
            @events), '', 'nothing was altered');

    my $event = $events[0]{event};

    $event->{properties}{text} .= ' ';
    is(Martech::Pace::altered($event), 'text', 'what was altered is seen');

    my $busy = $t->load(port => $t->port(8083), rate => 100, name => 'busy');

    ok(becomes(sub { ($busy->stats()->{status}{503} // 0) > 3 }, 10),
       'somebody who has no time');
    is(scalar $busy->stop(), 0, 'acknowledges nothing');

    my $again = $t->load(port => $t->port(8084), rate => 100, name => 'none');

    ok(becomes(sub { ($again->stats()->{status}{refused} // 0) > 3 }, 10),
       'nobody there');
    is(scalar $again->stop(), 0, 'nothing is acknowledged');
}

$t->expect(qr/exited on signal 9/);
$t->done();
