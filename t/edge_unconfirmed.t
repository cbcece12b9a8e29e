#!/usr/bin/perl

# With wait_replicas= an event is promised by Redis only when replicas have it,
# also when the event was on its way to the spool at the time of the reply.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new(timeout => 60);
my $redis = $t->redis();
my $spool = $t->dir() . '/spool';

mkdir $spool;

my $shim = $t->shim(folder => $spool);

# no replica at all: no event may be promised by Redis
my $nginx = $t->nginx(<<"END", $shim->preload());
    martech_redis  %%REDIS%% timeout=5s wait_replicas=1:500ms;
    martech_spool  $spool segment=1m after=100ms;

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

wait_until(sub { get($port, '/status')->{json}{redis_ready} == 1 }, 10,
           'it is connected');
wait_until(sub { get($port, '/status')->{json}{spool_ready} == 1 }, 10,
           'it has a spool');

# the first event keeps the disk busy; the others wait for it, while Redis,
# which has waited for replicas in vain, replies to their commands
$shim->fail('fdatasync', delay => 1500);

sub writes { get($port, '/status')->{json}{redis_writes} }

my @connections = map {
    my $before = writes();
    my $c = Martech::Http->connect($port);

    $c->send(post_bytes('/v1/track', { event => 'E', userId => "u$_",
                                       messageId => "m$_" }));
    wait_until(sub { writes() > $before }, 5, 'its command is on its way');
    $c;
} 1 .. 4;

my @acks = map { $_->response()->{headers}{'x-martech-ack'} // 'none' }
    @connections;

is(join(' ', @acks), 'spool spool spool spool',
   'without a replica no event is promised by redis');

$t->done();
