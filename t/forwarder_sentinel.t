#!/usr/bin/perl

# The forwarder asks Sentinels for its Redis: after a failover it is at the new
# master, whether the old one is dead or only a replica now.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

use Time::HiRes qw(time);

my $t = Martech::Test->new(timeout => 180);
my $receiver = $t->receiver();
my $group = $t->sentinel(replicas => 2, sentinels => 3, quorum => 2,
                         password => 'secret');

my @addresses = map { '127.0.0.1:' . $t->port(26400 + $_) } 0 .. 2;

# the first of the list is nobody
my $list = join ', ', map { "\"$_\"" } '127.0.0.1:1', @addresses;
my $password = $t->file('password', "secret\n");
my $conf = forwarder_conf(hook => $receiver->url('/hook'),
                          without => 'archive');

$conf =~ s/  address: .*/  sentinel:
    name: $group->{name}
    addresses: [ $list ]
  password: "file:$password"/;

my $forwarder = $t->forwarder($conf);
my @ids;

sub feed {
    my ($prefix) = @_;
    my $master = $group->master();
    my @new = add_events($master, 48, prefix => $prefix);

    # what a replica has not got is lost with the master: not our test
    $master->call('wait', 1, 5000);
    push @ids, @new;

    return @new;
}

sub arrives {
    my ($limit, $what, @some) = @_;

    $limit *= 2 if $ENV{MARTECH_ASAN};

    my $start = time();
    my $came = becomes(sub { !missing(\@some, hook_ids($receiver)) },
                       $limit + 15);
    my $took = time() - $start;

    ok($came && $took <= $limit, "$what, within $limit s")
        or diag("it took $took s", $came ? '' : ' and is not over');
}

arrives(5, 'with one sentinel away it finds the master', feed('first'));
ok($forwarder->logged(qr/redis connected.*127\.0\.0\.1:\d+/),
   'the log has the address');
is(scalar(() = $forwarder->log_text() =~ /secret/g), 0, 'and no password');

# ---- the master dies ----

$group->stop_sentinel(0);

my $dead = $group->kill_master();

$group->wait_for_master_change(30);
arrives(5, 'after the death of the master it is at the next', feed('second'));

# ---- the master becomes a replica ----

$group->start_node($dead);
becomes(sub { $group->master()->info('connected_slaves') == 2 }, 20);
$group->failover();
$group->wait_for_master_change(30);
arrives(5, 'after a failover it is at the next', feed('third'));

# ---- the master hangs: its connections stay and say nothing ----

becomes(sub { $group->master()->info('connected_slaves') == 2 }, 20);

my $hung = $group->master();

$hung->freeze();
$group->{seen} = '127.0.0.1:' . $hung->{port};
$group->wait_for_master_change(30);
arrives(5, 'after a master that hangs it is at the next', feed('fourth'));
$hung->thaw();

# ---- a sentinel that is behind the times: ROLE says what it is ----

ok(becomes(sub {
    my @clients = grep { /martech-forwarder:commands/ }
        split /\n/, $group->master()->call('client', 'list');

    @clients == 1;
}, 5), 'its commands go to the master');

for my $node ($group->nodes()) {
    next if $node == $group->master();
    is(() = $node->call('client', 'list') =~ /name=martech-forwarder/g, 0,
       'and none to a replica');
}

ok(becomes(sub { drained($group->master(), 'hook') }, 10), 'nothing waits');
ok(ledger_holds($group->master(), 'hook'), 'the ledger holds');
ok(!missing(\@ids, hook_ids($receiver)), 'no event was lost');
$t->done();
