#!/usr/bin/perl

# The ledger of the whole path over the worst way that an event can take into
# the quarantine: Redis away, on disk in one segment with others, the worker
# killed, replayed by the next one, and let in by the command line.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Path;
use Martech::Plan;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);

$t->expect(qr/exited on signal 9/);

my $redis = $t->redis();
my $receiver = $t->receiver();
my $plan = $t->file('shop.json', $PLAN);

my $nginx = $t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=5s;
    martech_spool   %%PREFIX%%/spool max_size=64m segment=1m after=200ms;
    martech_source  website key=wk;
    martech_plan    %%PREFIX%%/shop.json;

    server {
        listen 127.0.0.1:8080;
        location /collect/ { martech_collect; }
        location = /status { martech_status; }
    }
END

my $conf = forwarder_conf(hook => $receiver->url('/hook'),
                          without => 'archive');
my $cli = Martech::Command->new($t, $conf);
my $port = $t->port(8080);
my (@good, @bad);


sub status { (get($port, '/status') // {})->{json} // {} }

# as many good ones as bad ones, of many visitors; those that were taken
sub events {
    my ($count) = @_;

    for my $n (1 .. $count) {
        my $list = $n % 2 ? \@bad : \@good;
        my $id = ($n % 2 ? 'bad' : 'good') . (@good + @bad);
        my $answer = post($port, '/collect/v1/track',
                          { event => 'Order Completed', messageId => $id,
                            userId => "u$id", properties => {
                                order_id => $n % 2 ? 5 : 'o', total => 1 } },
                          key => 'wk');

        push @$list, $id if ($answer->{status} // 0) == 200;
    }
}

sub ids {
    my ($key) = @_;

    return map { $_->{id} } $redis->events(key => $key, decode => 0);
}

sub ready {
    wait_until(sub { (status()->{spool_ready} // 0) == 1 }, 20,
               'a worker is ready');
}


ready();
events(20);
$redis->kill_now();
events(40);
$nginx->kill_worker();
ready();
events(20);
is(@good + @bad, 80, 'all are taken');

$redis->start();
ok(becomes(sub {
    my $s = status();

    ($s->{spool_waiting} // 1) == 0 && ids('in') + ids('quarantine') >= 60;
}, 30), 'and come from disk');

# what the first server had went with it
my %in = map { ($_ => 1) } ids('in');
my %aside = map { ($_ => 1) } ids('quarantine');

is(join(' ', grep { /^bad/ } keys %in), '', 'none is let in that is bad');
is(join(' ', grep { /^good/ } keys %aside), '', 'none is kept that is good');
is(join(' ', grep { !$in{$_} } @good[-30 .. -1]), '', 'the good ones');
is(join(' ', grep { !$aside{$_} } @bad[-30 .. -1]), '', 'and the bad ones');

my $forwarder = $t->forwarder($conf);
my $kept = () = ids('quarantine');
my $ledger;

ok(becomes(sub {
    $ledger = $cli->run(qw(ledger --json --wait 0))->{json};
    $ledger->{ok} && $ledger->{quarantine} == $kept;
}, 30), 'the ledger holds') or diag($cli->run('ledger')->{out});

is($cli->run(qw(plan replay --unchecked --limit 7))->{status}, 0,
   'some are let in');
is($cli->run(qw(plan quarantine drop --yes))->{status}, 0,
   'the others are dropped');
ok(becomes(sub {
    $ledger = $cli->run(qw(ledger --json --wait 0))->{json};
    $ledger->{ok} && $ledger->{quarantine} == 0
        && $ledger->{quarantine_replayed} == 7
        && $ledger->{quarantine_dropped} == $kept - 7;
}, 30), 'and closes') or diag($cli->run('ledger')->{out});

$t->done();
