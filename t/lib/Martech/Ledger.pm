package Martech::Ledger;

# The ledgers of all shards, summed, and whether they close (docs/SPEC.md,
# section 4).  A field is COUNTER:DEST or COUNTER:DEST:SOURCE; one with "~"
# behind the counter is the digest of the same events.

use strict;
use warnings;

use Exporter qw(import);

use Martech::Redis;

our @EXPORT_OK = qw(ledger_sums ledger_count ledger_fault waiting_ids
                    id_digest);

# how an event can end
our @ENDS = qw(done drop dead expired moved dry);

# counters that are of no destination
my %PLAIN = map { ($_ => 1) } qw(in bad duplicate relinked last);


# { counter => { dest => n } }; of counters without one the dest is ''
sub ledger_sums {
    my ($redis, %arg) = @_;
    my %sums;

    for my $tag (tags(%arg)) {
        my %fields = @{ $redis->call_key("$tag:ledger", 'hgetall') };

        for my $field (keys %fields) {
            my ($counter, $dest) = split /:/, $field;
            my $plain = $counter =~ s/~\z//r;

            next if $plain eq 'last';
            $dest = '' if $PLAIN{$plain} || !defined $dest;
            $sums{$counter}{$dest} += $fields{$field};
        }
    }

    return \%sums;
}


sub tags {
    my (%arg) = @_;

    return Martech::Redis::tags($arg{prefix} // 'mt', $arg{shards} // 16);
}


sub ledger_count {
    my ($redis, $counter, $dest, %arg) = @_;

    return ledger_sums($redis, %arg)->{$counter}{$dest // ''} // 0;
}


# the IDs in both lanes of the queue and in the retry set
sub waiting_ids {
    my ($redis, $dest, %arg) = @_;
    my @ids;

    for my $tag (tags(%arg)) {
        for my $lane ('', ':hi') {
            my $entries = $redis->call_key("$tag:q:$dest$lane", 'xrange',
                                           '-', '+');

            push @ids, map { $_->[0] } @$entries;
        }

        push @ids, @{ $redis->call_key("$tag:retry:$dest", 'zrange', 0, -1) };
    }

    return @ids;
}


sub id_digest {
    my ($ms, $seq) = split /-/, $_[0];

    return ($ms % 2 ** 21 * 1103515245 + $seq % 2 ** 16 * 2654435761)
           % 2 ** 32;
}


# '' if what was routed to a destination has ended or waits, else what is
# wrong.  Digests are looked at where all counters have them.
sub ledger_fault {
    my ($redis, $dest, %arg) = @_;
    my $sums = ledger_sums($redis, %arg);
    my @waiting = waiting_ids($redis, $dest, %arg);
    my $routed = $sums->{routed}{$dest} // 0;
    my $ended = 0;

    $ended += $sums->{$_}{$dest} // 0 for @ENDS;

    return "$dest: routed $routed, ended $ended, waiting " . @waiting
        if $routed != $ended + @waiting;

    return '' unless defined $sums->{'routed~'}{$dest};

    my $digest = 0;

    for my $end (grep { $sums->{$_}{$dest} } @ENDS) {
        return '' unless defined $sums->{"$end~"}{$dest};
        $digest += $sums->{"$end~"}{$dest};
    }

    $digest += id_digest($_) for @waiting;

    return '' if $digest == $sums->{'routed~'}{$dest};
    return "$dest: digest of routed $sums->{'routed~'}{$dest}, of the rest "
        . $digest;
}


1;
