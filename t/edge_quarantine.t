#!/usr/bin/perl

# The quarantine: an event that the plan keeps aside is as safe as any other,
# and never among the others, whatever happens on its way.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Plan;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);

$t->expect(qr/exited on signal 9/);

my $redis = $t->redis();
my $number = 0;

$t->file('shop.json', $PLAN);

my $CONF = <<'END';
    martech_redis       %%REDIS%% timeout=5s;
    martech_spool       %%PREFIX%%/spool max_size=64m segment=1m after=200ms;
    martech_quarantine  max=100;

    server {
        listen 127.0.0.1:8080;
        martech_plan %%PREFIX%%/shop.json;

        location / {
            martech_collect;
        }

        location /memory/ {
            martech_collect;
            martech_ack memory;
        }

        location = /status {
            martech_status;
        }
    }
END

my $nginx = $t->nginx($CONF, workers => 2);
my $port = $t->port(8080);


sub status { get($port, '/status')->{json} }

# an event that is kept aside (bad => 1) or not; its messageId
sub event {
    my ($bad, %arg) = @_;
    my $id = ($bad ? 'bad-' : 'good-') . ++$number;
    my $answer = post($port, ($arg{at} // '') . '/v1/track',
                      { event => 'Order Completed', messageId => $id,
                        userId => $arg{user} // "u$number",
                        properties => { order_id => $bad ? 5 : 'o',
                                        total => 1 } });

    return ($id, $answer->{status},
            $answer->{headers}{'x-martech-ack'} // '');
}

sub ids {
    my ($key) = @_;

    return map { $_->{id} } $redis->events(key => $key, decode => 0);
}

# every good one is in the stream, every bad one in the quarantine, and nothing
# is where it does not belong
sub in_place {
    my ($what, @sent) = @_;
    my %in = map { ($_ => 1) } ids('in');
    my %aside = map { ($_ => 1) } ids('quarantine');

    is(join(' ', grep { /^good/ ? !$in{$_} : !$aside{$_} } @sent), '',
       "$what: each is in its stream");
    is(join(' ', (grep { /^bad/ } keys %in), grep { /^good/ } keys %aside), '',
       "$what: and in no other");
}

sub books {
    my ($what) = @_;
    my $s;

    ok(becomes(sub {
        $s = status();
        $s->{events_received} == $s->{events_stored} + $s->{events_spooled}
            + $s->{events_rejected} + $s->{events_dropped}
            + $s->{events_waiting}
        && $s->{spool_waiting} == 0
    }, 15), "$what: the books close") or diag(to_json($s));

    return $s;
}


# ---- with Redis ----

wait_until(sub { status()->{spool_ready} == 2 && status()->{redis_ready} == 2 },
           10, 'workers are ready');

my @sent;

for my $n (1 .. 20) {
    my ($id, $code, $ack) = event($n % 2, at => $n % 3 ? '' : '/memory');

    push @sent, $id if $code == 200;
}

is(scalar @sent, 20, 'all are taken');
ok(becomes(sub { ids('in') + ids('quarantine') == 20 }, 5), 'and stored');
in_place('with redis', @sent);
is(books('with redis')->{events_quarantined}, 10,
   'those that are aside are counted');
ok(becomes(sub {
    my %edge = @{ $redis->call('hgetall', '{mt:00}:edge') };
    my ($field) = grep { /:quarantined$/ } keys %edge;

    $field && $edge{$field} == 10;
}, 5), 'and are in the totals');


# ---- redis dead: the spool ----

$redis->kill_now();

for my $n (1 .. 20) {
    my ($id, $code, $ack) = event($n % 2);

    push @sent, $id if $code == 200;
    is($ack, 'spool', 'without redis they are spooled') if $n == 20;
}

is(scalar @sent, 40, 'all are taken');
is(status()->{events_quarantined}, 10, 'what is on disk is not counted yet');

$redis->start();
ok(becomes(sub { status()->{spool_waiting} == 0 }, 20), 'they are replayed');
in_place('from the spool', @sent);
is(books('from the spool')->{events_quarantined}, 20, 'and counted then');


# ---- redis dead, and a worker killed; no plan after the restart ----

$redis->kill_now();

for my $n (1 .. 20) {
    my ($id, $code) = event($n % 2);

    push @sent, $id if $code == 200;
}

$nginx->kill_worker();

for my $n (1 .. 10) {
    my ($id, $code) = event($n % 2);

    push @sent, $id if $code == 200;
}

is(scalar @sent, 70, 'all are taken');

$nginx->stop();
$nginx->write_conf($t->fill($CONF =~ s/martech_plan .*?;//r));
$nginx->start();
$redis->start();

ok(becomes(sub {
    my $s = status();

    $s && $s->{spool_ready} == 2 && $s->{spool_waiting} == 0
        && ids('in') + ids('quarantine') >= 70
}, 30), 'a later process replays what was left');
in_place('after a restart without the plan', @sent);
is(status()->{events_quarantined}, 15, 'and counts it');

$nginx->stop();
$nginx->write_conf($t->fill($CONF));
$nginx->start();
wait_until(sub { (status() // {})->{redis_ready} == 2 }, 10, 'they are ready');


# ---- a worker killed ----

{
    my @ids;

    for my $n (1 .. 30) {
        my ($id, $code) = eval { event($n % 2, user => 'one') };

        push @ids, $id if ($code // 0) == 200;
        $nginx->kill_worker() if $n == 15;
    }

    in_place('a worker is killed', @ids);
    books('a worker is killed');
}


# ---- the bound ----

{
    # "~" cuts whole nodes of the stream
    my $node = 10;

    $redis->call('config', 'set', 'stream-node-max-entries', $node);

    event(1, user => 'many', at => '/memory') for 1 .. 400;

    my ($shard) = grep { $_->{id} eq "bad-$number" }
        wait_for_last();
    my $len = $redis->call('xlen', "$shard->{tag}:quarantine");

    cmp_ok($len, '>=', 100, 'as many are kept as are asked for');
    cmp_ok($len, '<', 400, 'and the oldest make room');
}

sub wait_for_last {
    my @all;

    wait_until(sub {
        @all = $redis->events(key => 'quarantine', decode => 0);
        grep { $_->{id} eq "bad-$number" } @all;
    }, 10, 'the last one is stored');

    return @all;
}


$t->done();
