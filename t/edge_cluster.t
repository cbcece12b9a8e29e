#!/usr/bin/perl

# A node of a Redis Cluster that has only half of the shards: events of its
# own shards are stored, once; those of others are refused at once, and do not
# disturb their neighbours.  (To follow the cluster is later work.)

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time);

use Martech::Test;
use Martech::Wait qw(becomes);

my $t = Martech::Test->new(timeout => 90);

sub node {
    my ($port, $bus) = @_;

    return $t->redis(port => $t->port($port),
                     options => ['--cluster-enabled', 'yes',
                                 '--cluster-port', $t->port($bus)]);
}

my $here = node(6379, 16379);
my $there = node(6380, 16380);

$here->call('cluster', 'meet', '127.0.0.1', $t->port(6380), $t->port(16380));
$here->call('cluster', 'addslotsrange', 0, 8191);
$there->call('cluster', 'addslotsrange', 8192, 16383);

sub healthy { $_[0]->call('cluster', 'info') =~ /cluster_state:ok/ }

ok(becomes(sub { healthy($here) && healthy($there) }, 30),
   'two nodes are a cluster');

my $nginx = $t->nginx(<<'END');
    martech_redis  127.0.0.1:6379 timeout=3s;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

my $port = $t->port(8080);
my (%stored, %refused);
my $start = time;

for my $n (1 .. 100) {
    my $status = post($port, '/v1/track', { event => 'E', userId => "u$n",
                                            messageId => "c$n" })->{status};

    $stored{"c$n"} = 1 if $status == 200;
    $refused{"c$n"} = 1 if $status == 503;
}

my $took = time - $start;

is(keys(%stored) + keys(%refused), 100, 'each event is stored or refused');
cmp_ok(scalar keys %stored, '>', 10, 'some are stored');
cmp_ok(scalar keys %refused, '>', 10, 'some are refused');
cmp_ok($took, '<', 3, 'and nobody waits for the time-out');


# all at once: what is refused stands between what is stored

my @batch = map { { type => 'track', event => 'E', userId => "u$_",
                    messageId => "b$_" } } 1 .. 100;

is(post($port, '/v1/batch', { batch => \@batch })->{status}, 503,
   'a batch of which some are refused is refused');

my %count;

for my $shard (0 .. 15) {
    my $key = sprintf '{mt:%02d}:in', $shard;
    my $entries = eval { $here->call('xrange', $key, '-', '+') } // next;

    for my $entry (@$entries) {
        my %fields = @{ $entry->[1] };

        $count{$fields{id}}++;
    }
}

is_deeply([grep { !$count{$_} } sort keys %stored], [],
          'what was answered with success is there');
is_deeply([grep { $count{$_} > 1 } sort keys %count], [],
          'and nothing is there twice');

my $status = get($port, '/status')->{json};

cmp_ok($status->{redis_errors}{moved}, '>=', 20, 'the errors are counted');
is($status->{redis_failures}, 0, 'the connection stays');

$t->done();
