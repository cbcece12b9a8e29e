#!/usr/bin/perl

# Where Redis is, by name, and who we are for it: names that change, a user with
# few rights, passwords that change.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new(timeout => 120);
my $number = 8080;
my @servers;

# an NGINX with its own port; returns that port
sub server {
    my ($params, $more) = @_;
    my $virtual = $number++;

    $more //= '';

    push @servers, $t->nginx(<<"END");
    martech_redis  $params;
    $more

    server {
        listen 127.0.0.1:$virtual;

        location / {
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

    return $t->port($virtual);
}

sub status { get($_[0], '/status')->{json} }

sub event {
    my ($port, $id) = @_;

    return post($port, '/v1/track', { event => 'E', userId => 'u',
                                      messageId => $id })->{status};
}

sub holds {
    my ($redis, $id) = @_;

    return scalar grep { $_->{id} eq $id } $redis->events(decode => 0);
}

# ends the connections of others
sub hang_up { $_[0]->call('client', 'kill', 'type', 'normal') }


# ---- a name ----

# the same port at two addresses
my $shared = $t->port(6300);
my ($first, $second) = map {
    $t->redis(port => $shared, options => ['--bind', $_]);
} '127.0.0.1', '127.0.0.2';
my $dns = $t->dns(table => { 'redis.test' => '127.0.0.1' });
my $resolver = 'resolver ' . $dns->address() . ' ipv6=off;';
my $port = server("redis.test:$shared timeout=5s", $resolver);

is(event($port, 'first'), 200, 'a name that only the resolver knows');
ok(holds($first, 'first'), '... is that address');

$dns->set('redis.test' => '127.0.0.2');
is(event($port, 'stays'), 200, 'it has another address');
ok(holds($first, 'stays'), 'the connection stays as long as it is good');
$first->kill_now();
is(event($port, 'second'), 200, 'when it is lost');
ok(holds($second, 'second'), '... the new address is used, without a reload');

$dns->set('redis.test' => undef);
hang_up($second);

# the answer is known for a second
my $waiting = Martech::Http->connect($port);

ok(becomes(sub {
    hang_up($second);
    $servers[-1]->logged(qr/cannot resolve: .*Host not found/);
}, 10), 'a name that is no more is said to be none');
$waiting->send(post_bytes('/v1/track', { event => 'E', userId => 'u',
                                         messageId => 'back' }));
$dns->set('redis.test' => ['127.0.0.1', '127.0.0.2']);
is($waiting->response()->{status}, 200, 'until it is there again');
ok(holds($second, 'back'), 'of its two addresses the good one is used');

$first->start();
$port = server("late.test:$shared timeout=300ms", $resolver);
is(event($port, 'early'), 503, 'a name that nobody knows at the start');
$dns->set('late.test' => '127.0.0.1');
ok(becomes(sub { event($port, 'late') == 200 }, 10), '... until it is known');
ok(holds($first, 'late'), 'the event is there');


# ---- without an answer ----

for my $answer (qw(servfail refused nxdomain silent)) {
    my $before = $dns->asked('localhost');

    $dns->answer($answer);
    $port = server("localhost:$shared timeout=5s", $resolver);
    is(event($port, $answer), 200,
       "resolver: $answer: the address of the configuration is used");
    ok(holds($first, $answer), '... which is the right one');
    cmp_ok($dns->asked('localhost'), '>', $before, '... but it was asked');
    $servers[-1]->stop();
}

$dns->stop();
$port = server("localhost:$shared timeout=5s", $resolver);
is(event($port, 'gone'), 200, 'likewise with a resolver that is gone');

$port = server('unix:' . $first->socket());
is(event($port, 'socket'), 200, 'a unix socket');
ok(holds($first, 'socket'), 'the event is there');


# ---- rights ----

my $redis = $t->redis();
my @secrets = map { "pw-of-edge-$_-\"quoted\"" } 1 .. 9;
my $edge = 'user=edge password_file=%%PREFIX%%/edge timeout=1s';

sub user { $redis->call('acl', 'setuser', 'edge', @_) }

$t->file('edge', "$secrets[0]\n");
user('reset', 'on', ">$secrets[0]", '~{mt:*', '+xadd', '+select',
     '+client|setname');
$port = server('unix:' . $redis->socket() . " db=3 $edge");
is(event($port, 'rights'), 200, 'these rights are enough');
is($redis->info('db3') =~ /keys=(\d+)/ && $1, 1, 'for that database');
is((grep { / user=edge / && / name=martech-edge / }
    split /\n/, $redis->call('client', 'list')), 1,
   'our connection has a name');
$servers[-1]->stop();

user('-client|setname');
$port = server('unix:' . $redis->socket() . " $edge");
is(event($port, 'nameless'), 200, 'the right to have a name is not needed');
is(status($port)->{redis_errors}{denied}, 0, 'it does not count as denied');
ok(holds($redis, 'nameless'), 'the event is there');

user('-xadd');
is(event($port, 'denied'), 503, 'the right to add is');
ok($servers[-1]->logged(qr/redis \S+: denied, /), '... and the log says so');
ok(becomes(sub { $servers[-1]->logged(qr/refuses us: NOPERM/) }, 5),
   '... more than once');
cmp_ok(status($port)->{redis_errors}{denied}, '>', 0, '... as the counter');
user('+xadd');
ok(becomes(sub { event($port, 'again') == 200 }, 10),
   'when it is given events are stored');


# ---- passwords ----

# the server's first, then the file
sub change {
    my ($new) = @_;

    user('resetpass', ">$new");
    hang_up($redis);
}

change($secrets[1]);
ok(becomes(sub { $servers[-1]->logged(qr/refuses us: WRONGPASS/) }, 5),
   'an old password is refused');
is(event($port, 'waits'), 503, 'nothing is stored');
$t->file('edge', "$secrets[1]\n");
ok(becomes(sub { event($port, 'new') == 200 }, 10),
   'a new one is read from the file, without a reload');
is($servers[-1]->logged(qr/password file "\S+" has a new password/), 1,
   '... and the log says so, once');

# the file first, then the server's
$t->file('edge', "$secrets[2]\n");
is(event($port, 'before'), 200, 'a new file disturbs nobody');
change($secrets[2]);
ok(becomes(sub { event($port, 'after') == 200 }, 5), 'it is read when needed');

# the file is away, and comes back
unlink $t->dir() . '/edge';
change($secrets[3]);
ok(becomes(sub {
    $servers[-1]->logged(qr{"\S+/edge" cannot be opened.*\(2: No such file});
}, 5), 'a file that is not there is named');
$t->file('edge', "\n");
ok(becomes(sub { event($port, 'empty') == 503 }, 5), 'an empty one is no help');
$t->file('edge', $secrets[3]);
ok(becomes(sub { event($port, 'found') == 200 }, 10), 'until it is there');

# of the default user
$redis->call('config', 'set', 'requirepass', $secrets[4]);
$redis->{password} = $secrets[4];
$t->file('plain', "$secrets[4]\r\n");
$port = server('unix:' . $redis->socket()
               . ' password_file=%%PREFIX%%/plain timeout=1s');
is(event($port, 'plain'), 200, 'a password without a user');
$redis->call('config', 'set', 'requirepass', $secrets[5]);
$redis->{password} = $secrets[5];
$t->file('plain', "$secrets[5]\n");
hang_up($redis);
ok(becomes(sub { event($port, 'other') == 200 }, 10), '... that changes');

$port = server('unix:' . $redis->socket() . ' timeout=200ms');
is(event($port, 'none'), 503, 'without a password');
ok($servers[-1]->logged(qr/refuses us: NOAUTH/), '... the log says why');

is((grep { my $secret = $_; grep { $_->logged(qr/\Q$secret\E/) } @servers }
    'pw-of-edge', @secrets), 0, 'no log has a password');

$t->done();
