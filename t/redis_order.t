#!/usr/bin/perl

# The owner of a shard changes between two events of one visitor, which were
# written together: the first one is refused, the second one would be taken.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::FakeNode;
use Martech::Test;

my $t = Martech::Test->new(timeout => 60);
my @ports = map { $t->port($_) } 7000, 7001;
my ($one, $two) =
    map { $t->helper(Martech::FakeNode->new(port => $_)) } @ports;
my $OK = "+OK\r\n";
my ($AT_ONE, $AT_TWO) = map { "-MOVED 1 127.0.0.1:$_\r\n" } @ports;
my ($ASK_ONE, $ASK_TWO) = map { "-ASK 1 127.0.0.1:$_\r\n" } @ports;

my $CONF = <<'END';
    martech_redis  127.0.0.1:7000 cluster timeout=5s;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }
    }
END

my $nginx;
my $port = $t->port(8080);
my $number = 0;

# A worker that knows nothing, and nodes by a new script.
sub begin {
    my ($first, $second) = @_;

    $nginx->stop() if $nginx;
    $one->script(%$first);
    $two->script(%$second);
    $nginx = $t->nginx($CONF);
}


# events in the order of the request; visitors take turns
sub batch {
    my ($count, @visitors) = @_;

    return post_bytes('/v1/batch', { batch => [ map {
        { type => 'track', event => 'E', messageId => 'm' . ++$number,
          anonymousId => $visitors[$_ % @visitors] } } 1 .. $count ] });
}


sub send_batch {
    my $c = Martech::Http->connect($port);

    $c->send(batch(@_));

    return $c;
}


# the next messageIds
sub next_ids {
    my ($count) = @_;

    return [ map { 'm' . ($number + $_) } 1 .. $count ];
}


sub passes {
    my ($what, $count, @visitors) = @_;
    my $ids = next_ids($count);

    is(send_batch($count, @visitors)->response()->{status}, 200,
       "$what: they are stored");

    return $ids;
}


# Events of shards that a node is known to have do not wait for each other: all
# of them are on their way before the first one is answered.
sub together {
    my ($node, $what, $count, @visitors) = @_;
    my $ids = next_ids($count);

    $node->script(plain => ['']);

    my $waiting = send_batch($count, @visitors);

    ok(becomes(sub { $node->heard() == $count }, 5),
       "$what: its events go together");
    $node->script();
    $node->hang_up();
    is($waiting->response()->{status}, 200, '... and are stored');
    is_deeply([ sort $node->taken() ], [ sort @$ids ], '... once');
}


# ---- between the second refusal and the next event ----

begin({ plain => [$AT_TWO] }, { plain => [$AT_ONE, $OK] });

my $ids = passes('the new owner learns of it late', 10, 'v');

is_deeply([ $two->taken() ], $ids, '... once, in order');

begin({ plain => [$AT_TWO, $AT_TWO, $OK] }, { plain => [$AT_ONE] });
$ids = passes('the old owner has it again', 10, 'v');
is_deeply([ $one->taken() ], $ids, '... once, in order');

begin({ plain => [$AT_TWO, $OK] }, { plain => [$AT_ONE] });
$ids = passes('a node becomes owner while we learn where it is', 10, 'v');
is_deeply([ $one->taken() ], $ids, '... once, in order');

begin({ plain => [$OK] }, {});
passes('the shard is where we think', 10, 'v');
together($one, 'it is known', 10, 'v');
$one->script(plain => [$AT_TWO]);
$two->script(plain => [$AT_ONE, $OK]);
$ids = passes('... and then moves', 10, 'v');
is_deeply([ $two->taken() ], $ids, '... once, in order');


# ---- an ASK ends ----

begin({ plain => [$ASK_TWO] }, { plain => [$AT_ONE, $OK], asking => [$OK] });
$ids = [];

# until the node is asked for the slot itself
ok(becomes(sub {
    push @$ids, @{ next_ids(10) };
    send_batch(10, 'v')->response()->{status} == 200 or return 1;
    return grep { !$_->{asking} } $two->heard();
}, 10), 'the ASK is over');
is(scalar(grep { !$_->{asking} } $two->heard()), 1,
   'one event asks who has the slot');

ok(becomes(sub {
    push @$ids, @{ next_ids(10) };
    send_batch(10, 'v')->response()->{status} == 200 or return 1;
    return grep { !$_->{asking} && $_->{answer} eq $OK } $two->heard();
}, 10), 'it has');
is_deeply([ $two->taken() ], $ids, '... and all are there, in order');

my $asked = $one->heard();

together($two, 'the owner is known', 20, 'v');
is(scalar $one->heard(), $asked, '... and nobody else is asked');


# ---- who went ahead does not come back ----

begin({ plain => [$AT_TWO] }, { plain => ['', $OK] });
$ids = next_ids(10);

my $waiting = send_batch(10, 'v');

ok(becomes(sub { $two->heard() }, 5), 'the first event is on its way');
$two->hang_up();
is($waiting->response()->{status}, 200,
   'a connection ends: the events are stored');
is_deeply([ $two->taken() ], $ids, '... in order');

begin({ plain => [$AT_TWO] }, { plain => ["-OOM full\r\n", $OK] });
$ids = next_ids(10);
is(send_batch(10, 'v')->response()->{status}, 503,
   'one is refused, and its batch');
shift @$ids;
is_deeply([ $two->taken() ], $ids, '... the others follow');


# ---- what it costs ----

begin({ plain => [$AT_TWO] }, { plain => [$OK] });

my @crowd = map { "v$_" } 1 .. 40;

$ids = passes('all shards move', 200, @crowd);
is_deeply([ sort $two->taken() ], [ sort @$ids ], '... all are there, once');
cmp_ok(scalar $one->heard(), '<=', 16, '... one event of each was refused');

together($two, 'all shards are known', 200, @crowd);
cmp_ok(scalar $one->heard(), '<=', 16, '... and nobody else is asked');

$nginx->stop();
$t->done();
