package Chaos::Plan;

# What happens when: a list of faults that depends on the seed and the time
# alone.
#
# A lane is a thing that can be hurt in one way at a time: { name, rest =>
# [from, to] in seconds between two faults, faults => [[name, [from, to] in
# seconds that it lasts, { parameter => [from, to] or "a|b|c" }], ...] }.  The
# lanes know nothing of each other; so faults of different lanes overlap.  A
# lane has had each of its faults before one comes again.

use strict;
use warnings;

use List::Util qw(min);

use Chaos::Random;


# A fault is { lane, name, at (seconds from the start), hold (seconds), set =>
# { parameters } }.  They come in the order of their beginnings.
sub make {
    my ($seed, $seconds, @lanes) = @_;
    my @faults = map { lane($seed, $seconds, $_) } @lanes;

    return sort { $a->{at} <=> $b->{at} || $a->{lane} cmp $b->{lane} } @faults;
}


sub lane {
    my ($seed, $seconds, $lane) = @_;
    my $random = Chaos::Random->new("$seed/$lane->{name}");
    my $at = $random->between(0.5, 3);
    my (@bag, @faults);

    while ($at < $seconds - 1) {
        @bag = $random->shuffle(@{ $lane->{faults} }) unless @bag;

        my $fault = fault($random, $lane, $at, shift @bag);

        # all is drawn before: the time only cuts the list
        $fault->{hold} = min($fault->{hold}, $seconds - $at);
        push @faults, $fault;
        $at += $fault->{hold} + $random->between(@{ $lane->{rest} });
    }

    return @faults;
}


sub fault {
    my ($random, $lane, $at, $kind) = @_;
    my ($name, $hold, $set) = @$kind;
    my %set;

    for my $key (sort keys %{ $set // {} }) {
        $set{$key} = ref $set->{$key} ? $random->whole(@{ $set->{$key} })
                                      : $random->pick(split /\|/, $set->{$key});
    }

    return { lane => $lane->{name}, name => $name, at => $at,
             hold => $random->between(@$hold), set => \%set };
}


# "redis kill 2.31s reset=1"
sub text {
    my ($fault) = @_;
    my $set = $fault->{set};

    return join ' ', $fault->{lane}, $fault->{name},
        ($fault->{hold} > 0 ? sprintf '%.2fs', $fault->{hold} : ()),
        map { "$_=$set->{$_}" } sort keys %$set;
}


1;
