#!/usr/bin/perl

# Redis is out of reach for longer than all leases and time-outs: service is
# back within 5 s of Redis, and nothing is lost.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

use Time::HiRes qw(time);

my $t = Martech::Test->new(timeout => 150);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $proxy = $t->proxy();
my $conf = forwarder_conf(hook => $receiver->url('/hook'),
                          without => 'archive');

$conf =~ s/address: .*/'address: ' . $proxy->address()/e;
$conf =~ s/lease: 1s/lease: 6s/;

my $forwarder = $t->forwarder($conf);
my @ids = add_events($redis, 32, prefix => 'before');

ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 5), 'it delivers');

# [what, how it begins, seconds]
for (
    ['nothing comes through', sub { $proxy->stall() }, 14],
    ['nobody is there', sub { $proxy->refuse(); $proxy->cut(reset => 1) }, 8],
    ['answers are lost', sub { $proxy->swallow() }, 13],
) {
    my ($what, $begin, $seconds) = @$_;

    $begin->();

    my @new = add_events($redis, 32, prefix => $what =~ s/ /_/gr);

    # the length of the outage is the case
    ok(!becomes(sub { !$forwarder->running() }, $seconds), "$what: it stays");

    # connections that were stalled would carry old commands
    $proxy->cut(reset => 1);
    $proxy->resume();

    my $start = time();

    push @new, add_events($redis, 32, prefix => 'after_' . $what =~ s/ /_/gr);
    push @ids, @new;

    my $came = becomes(sub { !missing(\@new, hook_ids($receiver)) }, 30);

    ok($came && time() - $start < 5, "$what: it is back within 5 s")
        or diag(time() - $start);
}

ok(becomes(sub { drained($redis, 'hook') }, 5), 'nothing waits');
ok(ledger_holds($redis, 'hook'), 'the ledger holds');
is(scalar(missing(\@ids, hook_ids($receiver))), 0, 'no event was lost');
$t->done();
