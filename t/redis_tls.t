#!/usr/bin/perl

# TLS to Redis: who the server must be, who we are, and that all bytes arrive
# also when they have to wait.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;

use Martech::Example;
use Martech::Path qw(missing);
use Martech::Process;
use Martech::Test;
use Martech::Visitor;

my $t = Martech::Test->new(timeout => 120);
my $tls = $t->tls();
my $redis = $t->redis(port => $t->port(6300),
                      options => [$tls->redis_options(port => $t->port(6301))]);
my $strict = $t->redis(options => [
    $tls->redis_options(port => $t->port(6302), clients => 'yes')]);
my $other = $t->redis(options => [
    $tls->redis_options(port => $t->port(6303), server => 'server-wrong')]);

# "ca" and "cert=NAME" instead of paths
sub params {
    my ($text) = @_;

    $text =~ s/\bca=([\w-]+)/"tls_ca=" . $tls->cert($1)/ge;
    $text =~ s/\bcert=([\w-]+)/"tls_certificate=" . $tls->cert($1)
                               . " tls_key=" . $tls->key($1)/ge;

    return $text;
}

# the example has 8080
my $number = 8081;
my $server;

# an NGINX with its own port; returns that port
sub server {
    my ($params, %arg) = @_;
    my $virtual = $number++;
    my $params_of_redis = params($params);

    $server = $t->nginx(<<"END", %arg);
    martech_redis  $params_of_redis;

    martech_limits        event=64k batch=4m;
    client_max_body_size  8m;
    keepalive_requests    1000000;

    server {
        listen 127.0.0.1:$virtual;

        location / {
            martech_collect;
        }

        location /memory/ {
            martech_collect;
            martech_ack  memory;
        }

        location = /status {
            martech_status;
        }
    }
END

    return $t->port($virtual);
}

sub status { get($_[0], '/status')->{json} }

my $events = 0;

sub event {
    my ($port) = @_;

    return post($port, '/v1/track', { event => 'E', userId => 'u',
                                      messageId => 'e' . ++$events })->{status};
}

sub works {
    my ($params, $name) = @_;

    is(event(server($params)), 200, "$name: works");
    $server->stop();
}

sub fails {
    my ($params, $says, $name) = @_;

    is(event(server("$params timeout=200ms")), 503, "$name: does not work");
    ok(becomes(sub { $server->logged($says) }, 5), '... and the log says why')
        or diag($server->log_text());
    $server->stop();
}


# ---- the server ----

works('127.0.0.1:6301 tls ca=ca', 'an address of the certificate');
works('localhost:' . $t->port(6301) . ' tls ca=ca', 'a name of it');
works('127.0.0.1:6301 tls ca=ca tls_name=redis.test', 'another name of it');
works('127.0.0.1:6303 tls ca=ca tls_name=wrong.test', 'the only name of it');

fails('127.0.0.1:6301 tls ca=ca-other', qr/TLS: .*not trusted/,
      'an authority that we do not know');
fails('127.0.0.1:6301 tls', qr/TLS: .*not trusted/,
      'an authority that the system does not know');
fails('127.0.0.1:6303 tls ca=ca', qr/TLS: .*not for "127\.0\.0\.1"/,
      'a certificate without our address');
fails('localhost:' . $t->port(6303) . ' tls ca=ca', qr/not for "localhost"/,
      'a certificate without our name');
fails('127.0.0.1:6301 tls ca=ca tls_name=wrong.test', qr/not for "wrong\.test"/,
      'a certificate without the name that we want');
fails('127.0.0.1:6300 tls ca=ca connect_timeout=200ms',
      qr/no TLS handshake in time/, 'TLS to a server without');
fails('127.0.0.1:6301', qr/connection lost|no reply/, 'a server with TLS, '
      . 'and we without');


# ---- the client ----

works('127.0.0.1:6302 tls ca=ca cert=client', 'a certificate of ours');
fails('127.0.0.1:6302 tls ca=ca', qr/127\.0\.0\.1:\d+: .*(?:alert|lost)/i,
      'no certificate of ours');
fails('127.0.0.1:6302 tls ca=ca cert=client-other',
      qr/127\.0\.0\.1:\d+: .*(?:alert|lost)/i, 'one of another authority');


# ---- the example ----

sub slurp { Martech::Nginx::slurp($_[0]) }

my $dns = $t->dns(port => 5353, table => { 'redis.test' => '127.0.0.1' });
my $secret = 'pw-of-edge';

$strict->call('acl', 'setuser', 'edge', 'on', ">$secret", '~{mt:*', '+xadd');

my $example = example($t, 'tls.conf',
    replace => { 'redis.test:6380' => 'redis.test:' . $t->port(6302) },
    files => { 'redis.password' => "$secret\n",
               'tls/ca.crt' => slurp($tls->cert('ca')),
               'tls/client.crt' => slurp($tls->cert('client')),
               'tls/client.key' => slurp($tls->key('client')) });
my $answer = post($t->port(8080), '/collect/v1/track',
                  { event => 'E', userId => 'u' }, key => 'tls');

is("$answer->{status} $answer->{headers}{'x-martech-ack'}", '200 redis',
   'the example stores');
cmp_ok($dns->asked('redis.test'), '>=', 1, '... where the resolver says');
is($example->logged(qr/\Q$secret\E/), 0, 'no log has the password');
$example->stop();


# ---- much ----

my $port = server('127.0.0.1:6301 tls ca=ca timeout=10s');

# each number has a text of its own
my $TEXT = join ',', map { $_ * 2654435761 % 4294967296 } 1 .. 10_000;

sub text_of {
    my ($n, $length) = @_;

    return substr $TEXT, $n * 11, $length;
}

# one connection, so that nothing overtakes
my $http = Martech::Http->connect($port);
my ($n, %length) = (0);

sub batch {
    my ($count, $length) = @_;
    my @batch = map { $length{ ++$n } = $length;
                      { type => 'track', event => 'Big', userId => 'u',
                        messageId => "big-$n",
                        properties => { text => text_of($n, $length) } } }
        1 .. $count;

    return post_bytes('/memory/v1/batch', { batch => \@batch });
}

event($port);
$redis->freeze();

# 12 MB: more than the sockets hold
for ([60, 60_000], [500, 100], [1, 16_384], [1, 16_000], [60, 60_000],
     [300, 1_500], [60, 60_000]) {
    $http->send(batch(@$_));
    is($http->response()->{status}, 200, 'a batch is taken');
}

cmp_ok(status($port)->{events_waiting}, '>=', $n,
       'events wait when redis hangs');
$redis->thaw();
ok(becomes(sub { status($port)->{events_waiting} == 0 }, 15),
   'they are stored when it goes on');

my @stored = grep { $_->{id} =~ /^big-/ } $redis->events(decode => 0);

is(join(' ', map { $_->{id} =~ /(\d+)/ } @stored), join(' ', 1 .. $n),
   'each of them once, in order');
is((grep { my ($k) = $_->{id} =~ /(\d+)/;
           index($_->{e}, '"' . text_of($k, $length{$k}) . '"') < 0 }
    @stored), 0, 'and as it was sent');
is(status($port)->{redis_failures}, 0, 'no connection was lost');


# ---- lost connections ----

my $visitor = Martech::Visitor->new(port => $port, dir => $t->dir(), batch => 5,
                                    path => '/memory', pipeline => 4,
                                    name => 'v');

for my $round (1 .. 5) {
    my $connects = status($port)->{redis_connects};

    $visitor->wait_more(20);
    $redis->call('client', 'kill', 'type', 'normal');
    ok(becomes(sub { status($port)->{redis_connects} > $connects }, 10),
       "connection $round is made anew");
}

$visitor->wait_more(20);
$visitor->stop();
wait_until(sub { status($port)->{events_waiting} == 0 }, 10, 'nothing waits');
is_deeply($visitor->faults([ $redis->events(decode => 0) ], twice => 1), [],
          'nothing is lost or out of order');
$server->stop();


# ---- a sentinel ----

my $dir = $t->folder('sentinel');

mkdir $dir;
$t->file('sentinel.conf', <<"END");
port 0
tls-port @{[ $t->port(7300) ]}
tls-replication yes
tls-auth-clients no
tls-cert-file @{[ $tls->cert('server') ]}
tls-key-file @{[ $tls->key('server') ]}
tls-ca-cert-file @{[ $tls->cert('ca') ]}
bind 127.0.0.1
dir $dir
sentinel monitor main 127.0.0.1 @{[ $t->port(6301) ]} 1
END

my $sentinel = Martech::Process->start(
    name => 'sentinel', output => "$dir/log",
    argv => ['redis-server', $t->dir() . '/sentinel.conf', '--sentinel']);

wait_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $t->port(7300)) }, 10,
           'the sentinel listens');
works('127.0.0.1:7300 sentinel=main tls ca=ca timeout=5s', 'with a sentinel');
fails('127.0.0.1:7300 sentinel=main tls ca=ca-other',
      qr/sentinel \S+: TLS: .*not trusted/, 'a sentinel that we do not know');
$sentinel->stop();


# ---- a cluster ----

my @nodes = map {
    $t->redis(options => [
        '--cluster-enabled', 'yes', '--tls-cluster', 'yes',
        '--cluster-port', $t->port($_ + 10),
        $tls->redis_options(port => $t->port($_))]);
} 6311, 6312;

$nodes[0]->call('cluster', 'meet', '127.0.0.1', $t->port(6312),
                $t->port(6322));
$nodes[0]->call('cluster', 'addslotsrange', 0, 8191);
$nodes[1]->call('cluster', 'addslotsrange', 8192, 16383);
wait_until(sub {
    !grep { $_->call('cluster', 'info') !~ /cluster_state:ok/ } @nodes;
}, 20, 'two nodes are a cluster');

$port = server('127.0.0.1:6311 cluster tls ca=ca');

my @batch = map { { type => 'track', event => 'E', userId => "u$_",
                    messageId => "c-$_" } } 1 .. 200;

is(post($port, '/v1/batch', { batch => \@batch })->{status}, 200,
   'with a cluster: works');

my @ids;

for my $shard (0 .. 15) {
    my $key = sprintf '{mt:%02d}:in', $shard;

    for my $node (@nodes) {
        my $entries = eval { $node->call('xrange', $key, '-', '+') } // [];

        push @ids, map { my %fields = @{ $_->[1] }; $fields{id} } @$entries;
    }
}

is(scalar @ids, 200, 'all events are there once');
is((missing([ map { "c-$_" } 1 .. 200 ], @ids)), 0, 'each of them');

$t->done();
