#!/usr/bin/perl

# The life and death of workers and masters, with Redis there, hanging and
# gone: nothing that was acknowledged is missing, nobody stays for ever.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time);

use Martech::Life;
use Martech::Spool qw(folders segments);
use Martech::Test;

my $t = Martech::Test->new(timeout => 240);
my $redis = $t->redis();
my $number = 0;
my $shutdown = 2;

life_of($redis);
$t->expect(qr/exited on signal 9/);


sub conf {
    my ($virtual, %arg) = @_;
    my $after = $arg{after} // '300ms';

    return <<"END";
    martech_redis  %%REDIS%% timeout=5s;
    martech_spool  %%PREFIX%%/spool$virtual max_size=256m segment=1m
                   after=$after;

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
}


# requests that wait: [connection, id], ...
sub parked {
    my ($port, $count) = @_;
    my @parked = map {
        my $id = 'parked-' . ++$number;
        my $c = Martech::Http->connect($port);

        $c->send(post_bytes('/v1/track', { event => 'E', userId => 'u',
                                           messageId => $id }));
        [$c, $id];
    } 1 .. $count;

    wait_until(sub { status($port)->{requests_parked} >= $count }, 10,
               'requests are parked');

    return @parked;
}


# ---- under load: [redis, what is done, name] ----

my $nginx = $t->nginx(conf(8080), workers => 2,
                      main => "worker_shutdown_timeout ${shutdown}s;");
my $port = $t->port(8080);

sub restart {
    my ($signal, $limit) = @_;

    $nginx->{process}{stopped} = 1;
    $nginx->{process}->signal($signal);
    $nginx->{process}->wait_end($limit) or die "nginx does not end\n";
    $nginx->start();
}

my %do = (
    HUP => sub { $nginx->reload() },
    QUIT => sub { restart('QUIT', $shutdown + 1) },
    TERM => sub { restart('TERM', 3) },
    'kill of a worker' => sub { $nginx->kill_worker() },
    'kill of all' => sub { $nginx->kill_all_now(); $nginx->start() },
);

for my $case (['there', 'HUP'], ['hangs', 'HUP'], ['gone', 'HUP'],
              ['there', 'QUIT'], ['hangs', 'QUIT'], ['gone', 'TERM'],
              ['hangs', 'TERM'], ['there', 'kill of a worker'],
              ['hangs', 'kill of a worker'], ['hangs', 'kill of all'])
{
    my ($state, $what) = @$case;
    my $name = "$what, redis $state";

    ready($nginx, $port);

    my $received = status($port)->{events_received};
    my $load = $t->load(port => $port, rate => 300, batch => 2,
                        connections => 40, name => 'load' . ++$number);

    $load->wait_more(100);
    redis_is($state);
    $load->wait_more(50) if $state ne 'there';

    my @old = $nginx->workers();

    $do{$what}->();
    gone($shutdown + 1, $name, $what eq 'kill of a worker' ? () : @old);
    $load->wait_more(100);

    my @ids = $load->stop();

    comes_back($port, $name, @ids);
    cmp_ok(status($port)->{events_received}, '>', $received,
           "$name: counters go on") if $what =~ /HUP|worker/;
}


# ---- requests that are parked ----

for my $case (['HUP', 'hangs'], ['QUIT', 'hangs'], ['HUP', 'there']) {
    my ($signal, $state) = @$case;
    my $name = "$signal, parked, redis $state";

    ready($nginx, $port);
    $redis->freeze();

    my @parked = parked($port, 10);
    my @old = $nginx->workers();

    $signal eq 'HUP' ? $nginx->reload()
        : $nginx->{process}->signal('QUIT');
    $redis->thaw() if $state eq 'there';

    is((grep { $_->[0]->response()->{status} == 200 } @parked), 10,
       "$name: they are answered");
    gone($shutdown + 1, $name, @old);

    if ($signal ne 'HUP') {
        $nginx->{process}->wait_end(5);
        $nginx->start();
    }

    comes_back($port, $name, map { $_->[1] } @parked);
}

# what was read to its end is deleted a moment later

wait_until(sub {
    !grep { (-s // 0) != 1024 * 1024 } segments($t->dir() . '/spool8080')
}, 10, 'segments are deleted');

ok($nginx->stop(), 'nginx stops');
is(join(' ', folders($t->dir() . '/spool8080')), '', 'no folder is left');


# ---- parked without Redis, and told to be quick ----

# A Redis that hangs would not do here: what was sent to it, it has when it goes
# on.

{
    my $other = $t->nginx(conf(8081, after => '4s'),
                          main => 'worker_shutdown_timeout 2s;');
    my $to = $t->port(8081);

    ready($other, $to);
    $redis->kill_now();

    my @parked = parked($to, 10);
    my $start = time();

    $other->{process}{stopped} = 1;
    $other->{process}->signal('TERM');
    ok($other->{process}->wait_end(10), 'TERM, parked: it ends');
    cmp_ok(time() - $start, '<', 3, 'TERM, parked: at once');
    is((grep { $_->[0]->response()->{status} == 200 } @parked), 0,
       'TERM, parked: clients are cut');
    $other->start();
    comes_back($to, 'TERM, parked, and stored all the same',
               map { $_->[1] } @parked);

    ready($other, $to);
    $redis->kill_now();
    @parked = parked($to, 10);

    my @old = $other->workers();

    $other->reload();
    is((grep { $_->[0]->response()->{status} == 200 } @parked), 10,
       'a worker that leaves has less patience, and answers');
    gone(3, 'patience above the shutdown time-out', @old);
    comes_back($to, 'patience above the shutdown time-out',
               map { $_->[1] } @parked);
    ok($other->stop(), 'nginx stops');
}


# ---- neither Redis nor disk ----

{
    my $shim = $t->shim(folder => $t->dir() . '/spool8082');
    my $conf = conf(8082) =~ s/martech_collect;/martech_ack memory;
            martech_collect;/r =~ s/timeout=5s/timeout=2s/r;
    my $other = $t->nginx($conf, $shim->preload());
    my $to = $t->port(8082);

    ready($other, $to);
    $redis->kill_now();
    $shim->fail('pwrite', error => 'EIO');

    for (1 .. 5) {
        post($to, '/v1/track', { event => 'E', userId => 'u' });
    }

    my @old = $other->workers();

    $other->reload();
    gone(4, 'with neither redis nor disk', @old);

    my $s = status($to);

    cmp_ok($s->{dropped}{left}, '>', 0,
           'what was acknowledged from memory is counted');
    is($s->{dropped}{left}, $s->{events_received}, 'all of it');
    ok($other->logged(qr/martech: \d+ events without an answer/), 'and logged');
    $shim->pass();
    $redis->start();
    comes_back($to, 'with neither redis nor disk');
}

$t->done();
