#!/usr/bin/perl

# Memory is bounded: what waits for Redis fills the buffer and no more, then
# requests are refused; what was promised is stored when Redis is back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

my $nginx = $t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=10s;
    martech_buffer  256k;

    server {
        listen 127.0.0.1:8080;
        client_max_body_size 1m;
        keepalive_requests 100000;

        location /memory/ {
            martech_ack memory;
            martech_collect;
        }

        location / {
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

my $port = $t->port(8080);
my $number = 0;
my $keep = Martech::Http->connect($port);


sub status { get($port, '/status')->{json} }


# One event of about 1 kB; its id and the status of the answer.
sub send_event {
    my ($path) = @_;
    my $id = 'buffer-' . ++$number;

    $keep->send(post_bytes("$path/v1/track", {
        event => 'E', userId => "u$number", messageId => $id,
        filler => 'x' x 800,
    }));

    return ($id, $keep->response()->{status});
}


sub ready {
    wait_until(sub { status()->{redis_ready} }, 10, 'redis is ready');
}


sub memory_kb {
    my ($worker) = $nginx->workers();

    open my $fh, '<', "/proc/$worker/status" or die "no worker\n";
    my ($kb) = map { /^VmRSS:\s+(\d+)/ ? $1 : () } <$fh>;

    return $kb;
}


is((send_event(''))[1], 200, 'redis takes events');


# ---- acknowledged from memory ----

$redis->freeze();

my (@promised, @refused);

for (1 .. 1000) {
    my ($id, $status) = send_event('/memory');

    push @{ $status == 200 ? \@promised : \@refused }, $id;
}

cmp_ok(scalar @promised, '>', 100, 'the buffer takes some events');
cmp_ok(scalar @promised, '<', 500, 'but no more than it has room for');
ok(@refused > 0, 'then they are refused');
cmp_ok(status()->{buffer_bytes}, '<=', 256 * 1024,
       'the buffer keeps its size');

my $before = memory_kb();

send_event('/memory') for 1 .. 2000;

SKIP: {
    skip 'the sanitizer keeps what is freed', 1 if $t->{asan};

    cmp_ok(memory_kb() - $before, '<', 512, 'refusing takes no memory');
}

$redis->thaw();
ok(becomes(sub { status()->{events_waiting} == 0 }, 10),
   'the buffer empties when redis is back');

my %stored = map { $_->{id} => 1 } $redis->events(decode => 0);

is((grep { !$stored{$_} } @promised), 0,
   'every event that was acknowledged is stored');


# ---- and again, the room is there ----

ready();
is((send_event('/memory'))[1], 200, 'the buffer takes events again');


# ---- parked requests fill it as well ----

wait_until(sub { status()->{events_waiting} == 0 }, 10, 'nothing waits');
$redis->freeze();

my @parked;
my $status = 0;

for my $n (1 .. 400) {
    my $c = Martech::Http->connect($port);

    $c->send(post_bytes('/v1/track', {
        event => 'E', userId => "p$n", messageId => "parked-$n",
        filler => 'x' x 800,
    }));

    if (!$c->silent(0.005)) {
        $status = $c->response()->{status};
        last;
    }

    push @parked, $c;
}

is($status, 503, 'when the buffer is full of parked requests one is refused');
cmp_ok(scalar @parked, '>', 50, 'not before there are many');
$redis->thaw();
is((grep { $_->response()->{status} != 200 } @parked), 0,
   'all that were parked are answered');

%stored = map { $_->{id} => 1 } $redis->events(decode => 0);
is((grep { !$stored{"parked-$_"} } 1 .. @parked), 0, 'and stored');


# ---- one that fits into no buffer ----

my $response = post($port, '/v1/batch', { batch => [ map { {
    type => 'page', userId => 'u', messageId => "large-$_",
    filler => 'x' x 20_000,
} } 1 .. 20 ] });

is($response->{status}, 413, 'a request beyond half of the buffer is refused');
is($response->{json}{code}, 'batch_size', 'for its size');
is((grep { $_->{id} =~ /^large-/ } $redis->events(decode => 0)), 0,
   'and none of it is stored');

$t->done();
