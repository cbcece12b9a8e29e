#!/usr/bin/perl

# The quarantine in a Redis Cluster: it moves with its shard.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Plan;
use Martech::Test;

my $t = Martech::Test->new(timeout => 120);
my $cluster = $t->cluster(masters => 3);

$t->file('shop.json', $PLAN);

my $nginx = $t->nginx(<<'END', workers => 2);
    martech_redis  127.0.0.1:7000 cluster timeout=5s;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
            martech_plan %%PREFIX%%/shop.json;
        }

        location = /status {
            martech_status;
        }
    }
END

my $port = $t->port(8080);
my $number = 0;
my %sent;


# alternating ones, of many visitors
sub events {
    my ($count) = @_;

    for my $n (1 .. $count) {
        my $bad = $n % 2;
        my $id = ($bad ? 'bad-' : 'good-') . ++$number;
        my $answer = post($port, '/v1/track',
                          { event => 'Order Completed', messageId => $id,
                            userId => "u$number",
                            properties => { order_id => $bad ? 5 : 'o',
                                            total => 1 } });

        $sent{$id} = $answer->{status};
    }
}

sub ids {
    my ($key) = @_;

    return { map { ($_->{id} => 1) } $cluster->events(key => $key,
                                                      decode => 0) };
}

sub in_place {
    my ($what) = @_;
    my ($in, $aside) = (ids('in'), ids('quarantine'));

    is(join(' ', grep { $sent{$_} != 200 } sort keys %sent), '',
       "$what: all are taken");
    is(join(' ', grep { !(/^good/ ? $in : $aside)->{$_} } sort keys %sent), '',
       "$what: each is in its stream");
    is(join(' ', grep { (/^good/ ? $aside : $in)->{$_} } sort keys %sent), '',
       "$what: and in no other");
}


events(100);
in_place('three nodes');

my $from = $cluster->owner($cluster->slot('{mt:00}:in'));
my ($to) = grep { $_ != $from } 0 .. 2;

$cluster->move_slot($cluster->slot('{mt:00}:in'), $to);

events(100);
in_place('a shard has moved');
is(get($port, '/status')->{json}{events_quarantined}, 100, 'all are counted');

# ---- a slot with two streams, of which one has gone ----

# An ASK is said of a key: one stream may be where the slot goes, and the other
# one still with its owner.  Sent there it would be made a second time.
my $slot = $cluster->slot('{mt:00}:in');

for my $first ('in', 'quarantine') {
    my $owner = $cluster->owner($slot);
    my $next = ($owner + 1) % 3;
    my $stays = '{mt:00}:' . ($first eq 'in' ? 'quarantine' : 'in');

    $cluster->begin_move($slot, $next);
    $cluster->call($owner, 'migrate', '127.0.0.1', $cluster->port($next),
                   "{mt:00}:$first", 0, 5000);
    is($cluster->call($owner, 'exists', $stays), 1,
       "\"$first\" goes first: the other stream is with its owner");

    my $entries = $cluster->call($owner, 'xlen', $stays);

    # until the shard has had some of both
    events(10) while $cluster->call($owner, 'xlen', $stays) < $entries + 5
                     && keys %sent < 2000;

    ok($cluster->call($owner, 'xlen', $stays) >= $entries + 5,
       'and takes its events there');
    ok(eval { $cluster->finish_move($slot, $next); 1 }, 'the move can end')
        or diag($@);
}

in_place('a slot has moved key by key');

$t->done();
