#!/usr/bin/perl

# The file destination: lines of JSON, rotated by size, whole after a crash.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

my $forwarder = $t->forwarder(
    forwarder_conf(without => 'hook', archive => "rotate_size: 16k\n"
                   . 'rotate_every: hour'));


sub files { sort glob $t->dir() . '/archive/*' }


my @ids;

# a file is closed between two batches, so there must be some
for my $round (1 .. 6) {
    push @ids, add_events($redis, 50, prefix => "round$round");
    wait_until(sub { drained($redis, 'archive')
                         && !missing(\@ids, file_ids($t)) },
               20, 'the events of a round are in the files');
}

pass('every event is in the files');

my @files = files();

cmp_ok(scalar @files, '>', 3, 'the files are rotated by size');
is((grep { -s $_ > 64 * 1024 } @files), 0, 'none is much larger');
is(scalar(() = file_ids($t)), 300, 'each event stands once');

my @lines;

for my $file (@files) {
    open my $fh, '<', $file or die "$file: $!\n";
    push @lines, <$fh>;
}

is((grep { !/\A\{.*\}\n\z/ } @lines), 0, 'every line is one whole object');

# events of one shard keep their order
{
    my %last;
    my $wrong = 0;

    for my $event (file_lines($t)) {
        my ($round, $n) = $event->{messageId} =~ /(\d+)-(\d+)$/;
        my $shard = $n % 16;
        my $place = 1000 * $round + $n;

        $wrong++ if $place < ($last{$shard} // 0);
        $last{$shard} = $place;
    }

    is($wrong, 0, 'events of one shard keep their order');
}


# ---- after a crash there may be half a line, and nothing is glued to it ----

$forwarder->kill_now();

{
    my ($newest) = sort { -M $a <=> -M $b } files();

    open my $fh, '>>', $newest or die "$newest: $!\n";
    print $fh '{"messageId":"half';
    close $fh;
}

$forwarder->start();
push @ids, add_events($redis, 20, prefix => 'after');
ok(becomes(sub {
    my @found = eval { file_ids($t) };

    @found && !missing(\@ids, @found);
}, 20), 'half a line of a crash spoils no other');


# ---- a folder that cannot be written ----

SKIP: {
    my $folder = $t->dir() . '/archive';

    ok($forwarder->stop(), 'the forwarder ends');
    rename $folder, "$folder.away";
    $t->file('archive', "in the way\n");
    $forwarder->start();
    add_events($redis, 5, prefix => 'blocked');

    ok(becomes(sub { $forwarder->logged(qr/"level":"(?:error|warn)"/) }, 10),
       'a folder that cannot be used is reported');
    ok(!drained($redis, 'archive') || !$forwarder->running(),
       'and nothing is said to be done');
    $forwarder->kill_now() if $forwarder->running();
    unlink $folder;
    rename "$folder.away", $folder;
    $forwarder->start();
    ok(becomes(sub {
        my @found = eval { file_ids($t) };

        @found && !missing([ map { "blocked-$_" } 1 .. 5 ], @found);
    }, 20), 'once it can be used again, the events come');
}

$t->done();
