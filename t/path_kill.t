#!/usr/bin/perl

# Worker, forwarder and Redis are killed in turn under load: every event that
# was answered with success reaches both destinations.  What came twice is
# counted: delivery is at least once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

my $ROUNDS = $ENV{MARTECH_KILL_ROUNDS} // 3;

my $t = Martech::Test->new(timeout => 240);
my $redis = $t->redis();
my $receiver = $t->receiver();

$t->expect(qr/exited on signal 9/);

my $nginx = $t->nginx(<<'END', workers => 2);
    martech_redis  %%REDIS%% timeout=2s;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }
    }
END

my $forwarder = $t->forwarder(forwarder_conf(hook => $receiver->url('/hook')));
my $load = $t->load(port => $t->port(8080), clients => 2, batch => 3);

$load->wait_more(60);

for my $round (1 .. $ROUNDS) {
    $nginx->kill_worker();
    $load->wait_more(60);
    pass("round $round: events flow after a killed worker");

    $forwarder->kill_now();
    $load->wait_more(60);
    $forwarder->start();
    pass("round $round: events flow without a forwarder");

    $redis->kill_now();
    $redis->start();
    $load->wait_more(60);
    pass("round $round: events flow after a killed redis");
}

my @acked = $load->stop();

cmp_ok(scalar @acked, '>', 180 * $ROUNDS, 'there was load all the time');

ok(becomes(sub { !missing(\@acked, hook_ids($receiver)) }, 60),
   'the webhook gets every event that was answered with success');
ok(becomes(sub { !missing(\@acked, file_ids($t)) }, 60),
   'so does the file');

ok(becomes(sub { drained($redis, 'archive', 'hook') }, 30),
   'nothing waits any more');

for my $dest (qw(archive hook)) {
    ok(ledger_holds($redis, $dest), "the ledger holds for $dest");
}


# ---- duplicates ----

my %came = (file => [ file_ids($t) ], webhook => [ hook_ids($receiver) ]);

for my $where (sort keys %came) {
    my %times;

    $times{$_}++ for @{ $came{$where} };

    my $twice = grep { $_ > 1 } values %times;

    note(sprintf '%s: %d events, %d of them more than once', $where,
         scalar keys %times, $twice);
    cmp_ok($twice, '<', 0.5 * keys %times,
           "$where: duplicates stay within what was on its way");
}

$t->done();
