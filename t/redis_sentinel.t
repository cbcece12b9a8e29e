#!/usr/bin/perl

# Sentinels: who the master is, that it is one, and who it is after it was lost;
# and wait_replicas: what is acknowledged is on a replica as well.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Redis ();
use Time::HiRes qw(time);

use Martech::Example;
use Martech::Fake;
use Martech::Path qw(missing);
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $SECRET = 'pw-of-the-group';
my $SENTINEL_SECRET = 'pw-of-the-sentinels';
my $NOBODY = 'pw-of-nobody';
my $OTHER = 'pw-of-all-others';

# no more rights than docs/DIRECTIVES.md says
my $group = $t->sentinel(
    replicas => 1, sentinels => 3, password => $OTHER,
    options => ['--user', 'edge', 'on', ">$SECRET", '~{mt:*', '+xadd', '+role',
                '+wait', '+client|setname', '+hset']);
my @sentinels = $group->addresses();

$t->file('secret', "$SECRET\n");
$t->file('sentinel-secret', "$SENTINEL_SECRET\n");
$t->file('wrong', "$NOBODY\n");


# one command to a sentinel
sub tell_sentinel {
    my ($number, @command) = @_;
    my $client = Redis->new(server => $sentinels[$number],
                            no_auto_connect_on_new => 0);

    return scalar $client->__std_cmd(@command);
}

tell_sentinel($_, 'acl', 'setuser', 'edge', 'on', ">$SENTINEL_SECRET",
              '+sentinel|get-master-addr-by-name') for 0 .. 2;


# the example has 8080
my $number = 8081;
my @servers;

# an NGINX with its own port; returns that port
sub server {
    my ($redis, %arg) = @_;
    my $virtual = $number++;
    my $more = $arg{more} // '';

    push @servers, $t->nginx(<<"END", workers => $arg{workers} // 1);
    martech_redis  $redis;
    $more

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

# one event; how it was acknowledged, or the status
sub event {
    my ($port, $id) = @_;
    my $answer = post($port, '/v1/track', { event => 'E', messageId => $id,
                                            userId => 'u' . $events++ });

    return $answer->{status} == 200 ? $answer->{headers}{'x-martech-ack'}
                                    : $answer->{status};
}

sub events_ok {
    my ($port, $count, $prefix, $name) = @_;
    my %ack;

    $ack{event($port, "$prefix-$_")}++ for 1 .. $count;
    is_deeply(\%ack, { redis => $count }, $name);
}

sub ids { map { $_->{id} } $_[0]->events(decode => 0) }

# whether a node has all of these
sub holds {
    my ($node, $prefix, $count) = @_;

    return !missing([ map { "$prefix-$_" } 1 .. $count ], ids($node));
}


# ---- the master ----

my $LOGIN = 'user=edge password_file=%%PREFIX%%/secret '
    . 'sentinel_user=edge '
    . 'sentinel_password_file=%%PREFIX%%/sentinel-secret';
my $port = server("@sentinels sentinel=martech timeout=10s $LOGIN",
                  workers => 2);

events_ok($port, 40, 'first', 'events find the master');
ok(holds($group->master(), 'first', 40), '... and are there');
is(status($port)->{redis_errors}{readonly}, 0, 'nobody else was asked');


# ---- the master dies ----

my $old = $group->master_number();

$group->wait_replica_synced(1 - $old);
$group->kill_master();

my $killed = time();

events_ok($port, 20, 'killed', 'events wait for another master');
cmp_ok(time() - $killed, '<', 10, '... for some seconds');
isnt($group->master_number(), $old, 'it is another one');
ok(holds($group->master(), 'killed', 20), '... and has them');


# ---- the old one is back, and they change ----

$group->start_node($old);
$group->wait_replica_synced($old);
$old = $group->master();
$group->failover();
events_ok($port, 20, "over-$_", 'events are stored in a failover') for 1 .. 3;
$group->wait_for_master_change();

# for a moment there are two; what the old one still takes is lost, which is
# what wait_replicas is for
wait_until(sub { $old->call('role')->[0] eq 'slave' }, 10, 'it is a replica');
events_ok($port, 20, 'after', '... and after it');
ok(holds($group->master(), 'after', 20), 'by the new master');


# ---- sentinels die ----

$group->stop_sentinel(0);
$group->wait_replica_synced(1 - $group->master_number());
$group->kill_master();
events_ok($port, 20, 'less', 'with one sentinel less the next one is asked');

my $master = $group->master();

$group->stop_sentinel($_) for 1, 2;
events_ok($port, 20, 'none', 'without any the connection goes on');
$master->call('client', 'kill', 'type', 'normal');

# its answer must be somebody's
my $waiting = Martech::Http->connect($port);

$waiting->send(post_bytes('/v1/track', { event => 'E', userId => 'u',
                                         messageId => 'orphan' }));
ok(becomes(sub { $servers[0]->logged(qr/sentinel \S+: cannot connect/) }, 10),
   'when it is lost the sentinels are asked, and the log says that they are '
   . 'away');
$group->start_sentinel($_) for 0 .. 2;
is($waiting->response()->{status}, 200, 'when they are back events are stored');
ok((grep { $_ eq 'orphan' } ids($master)), 'by the same master');


# ---- what cannot be ----

my $wrong = server("@sentinels sentinel=nobody timeout=300ms $LOGIN");

is(event($wrong, 'wrong-1'), 503, 'a master that no sentinel knows is away');
ok($servers[-1]->logged(qr/sentinel \S+: knows no master "nobody"/),
   '... and the log says so');

$wrong = server("@sentinels sentinel=martech timeout=300ms sentinel_user=edge "
                . 'sentinel_password_file=%%PREFIX%%/wrong '
                . 'user=edge password_file=%%PREFIX%%/secret');
is(event($wrong, 'wrong-2'), 503, 'sentinels that we may not ask do not help');
ok($servers[-1]->logged(qr/sentinel \S+: refuses us: WRONGPASS/),
   '... and the log says so');
$t->file('wrong', "$SENTINEL_SECRET\n");
ok(becomes(sub { event($wrong, 'right') eq 'redis' }, 10),
   'a new password is read without a reload');


# ---- wait_replicas ----

my $replica = $group->node(1 - $group->master_number());

$group->start_node(1 - $group->master_number());
$group->wait_replica_synced(1 - $group->master_number());

my $safe = server("@sentinels sentinel=martech timeout=5s "
    . "wait_replicas=1:500ms $LOGIN",
    more => 'martech_spool %%PREFIX%%/spool max_size=64m segment=1m '
            . 'after=700ms;');

wait_until(sub { status($safe)->{spool_ready} == 1 }, 10, 'spool is ready');

# a replica that has just come back may take its time once
wait_until(sub { event($safe, 'warm') eq 'redis' }, 10, 'replicas answer');
wait_until(sub { status($safe)->{spool_waiting} == 0 }, 10, 'spool is empty');

my ($found, %ack) = (0);

for my $n (1 .. 20) {
    $ack{event($safe, "safe-$n")}++;
    $found++ if grep { $_ eq "safe-$n" } ids($replica);
}

is_deeply(\%ack, { redis => 20 }, 'with a replica events are stored');
is($found, 20, '... and on the replica when they are acknowledged');

$replica->freeze();

my $began = time();

is(event($safe, 'frozen-1'), 'spool',
   'what a replica does not have in time is spooled');
cmp_ok(time() - $began, '>', 0.6, '... when its time is over');
is(event($safe, 'frozen-2'), 'spool', 'the next one as well');
cmp_ok(status($safe)->{redis_replicas_short}, '>=', 1, 'that is counted');
$replica->thaw();
ok(becomes(sub { event($safe, 'thawed') eq 'redis' }, 10),
   'when the replica goes on events are stored');
ok(becomes(sub { status($safe)->{spool_waiting} == 0 }, 10),
   '... those of the spool too');
ok(becomes(sub { holds($replica, 'frozen', 2) }, 5), '... and replicated');


# ---- the example ----

my $example = example($t, 'sentinel.conf',
    files => { 'redis.password' => "$SECRET\n",
               'sentinel.password' => "$SENTINEL_SECRET\n" },
    replace => { 'sentinel=main' => 'sentinel=martech',
                 map { '127.0.0.1:637' . ($_ + 1) => $sentinels[$_] } 0 .. 2 });

push @servers, $example;

my $answer = post($t->port(8080), '/collect/v1/track',
                  { event => 'E', userId => 'u', messageId => 'example' },
                  key => 'sentinel');

is("$answer->{status} $answer->{headers}{'x-martech-ack'}", '200 redis',
   'the example stores');
ok((grep { $_ eq 'example' } ids($replica)), '... with the replica');
ok(becomes(sub { status($t->port(8080))->{spool_ready} >= 1 }, 10),
   '... and has its spool');
$example->stop();


# ---- a sentinel that is wrong ----

# one that was cut off names a replica; the next one knows better
my ($a, $b) = map {
    $t->redis(port => $t->port($_),
              options => ['--repl-diskless-sync-delay', 0]);
} 6501, 6502;

$b->call('replicaof', '127.0.0.1', $t->port(6501));
wait_until(sub { $b->info('master_link_status') eq 'up' }, 10, 'b follows a');

my ($stale, $good) = map {
    $t->helper(Martech::Fake->new(port => $t->port($_)));
} 7501, 7502;

sub names {
    my ($fake, $port) = @_;

    $fake->says(sentinel => Martech::Fake::array('127.0.0.1', $port));
}

names($stale, $t->port(6502));
names($good, $t->port(6501));

my $doubt = server('127.0.0.1:7501 127.0.0.1:7502 sentinel=x timeout=10s');

events_ok($doubt, 10, 'doubt', 'a replica that a sentinel names is not used');
ok(holds($a, 'doubt', 10), 'the events are with the master');
ok($servers[-1]->logged(qr/is not the master/), 'the log says why');
cmp_ok(status($doubt)->{redis_errors}{readonly}, '>=', 1, '... as the counter');


# ---- a master that is one no more ----

# it keeps our connection, and says so when it is written to
$b->call('replicaof', 'no', 'one');
names($_, $t->port(6502)) for $stale, $good;
$a->call('replicaof', '127.0.0.1', $t->port(6502));

my $lost = status($doubt)->{redis_failures};

events_ok($doubt, 10, 'readonly', 'after READONLY the master is looked for');
ok(holds($b, 'readonly', 10), 'the events are with the new one');
is(status($doubt)->{redis_failures}, $lost + 1, 'one connection was lost');

for my $server (@servers) {
    is((grep { $server->logged(qr/\Q$_\E/) }
        $SECRET, $OTHER, $SENTINEL_SECRET, $NOBODY), 0,
       'no log has a password');
}

$t->done();
