#!/usr/bin/perl

# A Redis Cluster: every shard finds its node from one address, and goes with
# its slot when that is moved, without a loss and in order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time);

use Martech::Example;
use Martech::Test;
use Martech::Visitor;

my $t = Martech::Test->new(timeout => 120);
my ($SECRET, $OTHER) = ('pw-of-edge', 'pw-of-all-others');
my $cluster = $t->cluster(masters => 3, password => $OTHER);

# no more rights than docs/DIRECTIVES.md says
sub allow {
    my ($node) = @_;

    $node->call('acl', 'setuser', 'edge', 'on', ">$SECRET", '~{mt:*', '+xadd',
                '+asking', '+client|setname', '+hset');
}

allow($_) for $cluster->nodes();
$t->file('secret', "$SECRET\n");

sub conf {
    my ($addresses, $more) = @_;

    return <<"END";
    martech_redis  $addresses user=edge password_file=%%PREFIX%%/secret $more;

    keepalive_requests  1000000;

    server {
        listen 127.0.0.1:8080;

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
}

my $nginx = $t->nginx(conf('127.0.0.1:7000', 'cluster'), workers => 2);
my $port = $t->port(8080);

sub status { get($port, '/status')->{json} }
sub key { sprintf '{mt:%02d}:in', $_[0] }

sub stored { [ $cluster->events(decode => 0) ] }

# connections of the module to a node
sub clients {
    my ($number) = @_;

    return scalar grep { / name=martech-edge / }
        split /\n/, $cluster->call($number, 'client', 'list');
}


# ---- from one address ----

my @start = map { { type => 'track', event => 'E', anonymousId => "v$_",
                    messageId => "start-$_" } } 1 .. 200;

for my $event (@start) {
    my $answer = post($port, '/v1/track', $event);

    next if $answer->{status} == 200
            && $answer->{headers}{'x-martech-ack'} eq 'redis';
    fail("$event->{messageId} is stored");
    diag("status $answer->{status}");
}

my (%count, %visitors);

for my $event (@{ stored() }) {
    my ($n) = $event->{id} =~ /\Astart-(\d+)\z/ or next;

    $count{$event->{id}}++;
    push @{ $visitors{$event->{shard}} }, "v$n";
}

is((grep { $count{"start-$_"} // 0 == 1 } 1 .. 200), 200,
   'events of all shards are stored, once');
is(scalar keys %visitors, 16, 'these were all of them');

my %owned;

$owned{ $cluster->owner($cluster->slot(key($_))) }++ for 0 .. 15;

is(scalar keys %owned, 3, 'the shards are on three nodes');

for my $node (0 .. 2) {
    cmp_ok(clients($node), '>=', 1, "node $node has our connections");
    cmp_ok(clients($node), '<=', 2, '... one of each worker');
}

is(status()->{redis_failures}, 0, 'no connection was lost');


# ---- a slot moves under load ----

# three visitors of one shard, each in another way; nobody comes twice
sub crowd {
    my ($shard) = @_;
    my @ways = ({}, { path => '/memory', pipeline => 16 },
                { batch => 7, pipeline => 3 });

    return map { Martech::Visitor->new(port => $port, dir => $t->dir(),
                                       name => shift @{ $visitors{$shard} },
                                       %$_) } @ways;
}

sub more {
    my ($count, @crowd) = @_;

    $_->wait_more($count) for @crowd;
}

# all of a crowd is there, once, in order
sub whole {
    my ($name, %arg) = @_;
    my $crowd = delete $arg{crowd};

    $_->stop() for @$crowd;
    is_deeply([ map { keys %{ $_->statuses() } } @$crowd ], [ (200) x @$crowd ],
              "$name: all are answered with success")
        or diag(to_json([ map { $_->statuses() } @$crowd ]));

    # what was acknowledged from memory may be on its way
    wait_until(sub { status()->{events_waiting} == 0 }, 10, 'nothing waits');

    my $stored = stored();

    is_deeply($_->faults($stored, %arg), [],
              "$name: nothing is lost or out of order ($_->{name})")
        for @$crowd;
    $cluster->call_key(key($_), 'xtrim', 'maxlen', 0) for 0 .. 15;
}


# a shard of a node; the first one stays where it is
sub shard_of {
    my ($node) = @_;
    my ($shard) = grep { $cluster->owner($cluster->slot(key($_))) == $node
                         && @{ $visitors{$_} } >= 3 } 1 .. 15;

    return $shard;
}

my $shard = shard_of(0);
my $slot = $cluster->slot(key($shard));
my @crowd = crowd($shard);

more(50, @crowd);
$cluster->begin_move($slot, 1);
more(50, @crowd);
$cluster->move_keys($slot, 1);

# The shard's key is there, its slot is not: ASK.  Now and then we look whether
# that is still so.
my $moved = status()->{redis_moved};

ok(becomes(sub { status()->{redis_moved} > $moved + 8 }, 10),
   'the owner is asked again while a slot moves');
more(50, @crowd);
$cluster->finish_move($slot, 1);
more(100, @crowd);
whole('a slot moves', crowd => \@crowd);
is($cluster->owner($slot), 1, 'it has moved');
is(status()->{redis_failures}, 0, 'no connection was lost');


# ---- a slot with two keys, of which one has gone ----

# An ASK is said of a key: what goes there for the others would make them twice.
$slot = $cluster->slot(key(0));
@crowd = crowd(0);
more(50, @crowd);

for my $first ('in', 'edge') {
    my $from = $cluster->owner($slot);
    my $to = ($from + 1) % 3;
    my ($gone, $there) = map { "{mt:00}:$_" } $first,
                                              $first eq 'in' ? 'edge' : 'in';
    my $told = sub {
        my %edge = @{ $cluster->call_key('{mt:00}:edge', 'hgetall') };
        my ($at) = grep { /:at\z/ } keys %edge;

        return $edge{$at};
    };

    wait_until(sub { $cluster->call($from, 'exists', $there) }, 10,
               'both keys are there');
    $cluster->begin_move($slot, $to);
    $cluster->call($from, 'migrate', '127.0.0.1', $cluster->port($to), $gone,
                   0, 5000, 'auth', $OTHER);

    for (1 .. 3) {
        my $before = $told->();

        more(20, @crowd);
        ok(becomes(sub { $told->() > $before }, 10),
           "totals are written while a slot moves, \"$first\" first");
    }

    is($cluster->call($from, 'exists', $there), 1, "$there is with its owner");
    ok(eval { $cluster->finish_move($slot, $to); 1 }, 'the move can end')
        or diag($@);
    more(50, @crowd);
}

whole('a slot moves key by key', crowd => \@crowd);


# ---- nobody has it ----

# The old owner gives it away before the new one knows: each of them says that
# it is the other's.
$shard = shard_of(2);
$slot = $cluster->slot(key($shard));
@crowd = crowd($shard);
more(50, @crowd);

$cluster->begin_move($slot, 0);
while ($cluster->move_keys($slot, 0)) { }
$cluster->call(2, 'cluster', 'setslot', $slot, 'node', $cluster->node(0)->{id});

$moved = status()->{redis_moved};
ok(becomes(sub { status()->{redis_moved} > $moved + 100 }, 10),
   'events go to and fro');
$cluster->call($_, 'cluster', 'setslot', $slot, 'node',
               $cluster->node(0)->{id}) for 0, 1;
more(100, @crowd);
whole('nobody has a slot', crowd => \@crowd);


# ---- a new node ----

$shard = shard_of(1);
$slot = $cluster->slot(key($shard));
@crowd = crowd($shard);
more(50, @crowd);

my $new = $cluster->add_node();

allow($cluster->node($new));
$cluster->move_slot($slot, $new);
more(50, @crowd);
whole('a node is added', crowd => \@crowd);
cmp_ok(clients($new), '>=', 1, 'the new node has our connections');
is(status()->{redis_failures}, 0, 'no connection was lost');


# ---- the example ----

$nginx->stop();

my $example = example($t, 'cluster.conf',
                      files => { 'redis.password' => "$SECRET\n" });
my %answers;

for my $n (1 .. 50) {
    my $answer = post($port, '/collect/v1/track',
                      { event => 'E', userId => "u$n", messageId => "x-$n" },
                      key => 'cluster');

    $answers{"$answer->{status} $answer->{headers}{'x-martech-ack'}"}++;
}

is_deeply(\%answers, { '200 redis' => 50 }, 'the example stores');
is($cluster->count(shards => 64), 50, 'in 64 shards');
$example->stop();
$cluster->call_key(sprintf('{mt:%02d}:in', $_), 'del') for 0 .. 63;


# ---- without "cluster" ----

# One node is all of Redis, if it has the first shard: what is not its own is
# refused at once, and does not disturb its neighbours.

my $first = $cluster->address($cluster->owner($cluster->slot(key(0))));
my $alone = $t->nginx(conf($first, 'timeout=3s')
                      =~ s/127.0.0.1:8080/127.0.0.1:8081/r);
my (%stored, %refused);
my $began = time();

for my $n (1 .. 100) {
    my $answer = post($t->port(8081), '/v1/track',
                      { event => 'E', userId => "u$n", messageId => "c$n" });

    $stored{"c$n"} = 1 if $answer->{status} == 200;
    $refused{"c$n"} = 1 if $answer->{status} == 503;
}

cmp_ok(time() - $began, '<', 3, 'nobody waits for the time-out');
is(keys(%stored) + keys(%refused), 100, 'each event is stored or refused');
cmp_ok(scalar keys %stored, '>', 10, 'some are stored');
cmp_ok(scalar keys %refused, '>', 10, 'some are refused');

my @batch = map { { type => 'track', event => 'E', userId => "u$_",
                    messageId => "b$_" } } 1 .. 100;

is(post($t->port(8081), '/v1/batch', { batch => \@batch })->{status}, 503,
   'a batch of which some are refused is refused');

%count = ();
$count{$_->{id}}++ for @{ stored() };

is_deeply([grep { !$count{$_} } sort keys %stored], [],
          'what was answered with success is there');
is_deeply([grep { $count{$_} > 1 } sort keys %count], [],
          'and nothing is there twice');

my $page = get($t->port(8081), '/status')->{json};

cmp_ok($page->{redis_errors}{moved}, '>=', 20, 'the errors are counted');
is($page->{redis_failures}, 0, 'the connection stays');

for my $server ($nginx, $example, $alone) {
    is($server->logged(qr/\Q$SECRET\E|\Q$OTHER\E/), 0,
       'no log has a password');
}

$t->done();
