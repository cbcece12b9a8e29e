package Chaos::Random;

# Random numbers that depend on nothing but a text: the same text, the same
# numbers, on every machine and whatever else draws numbers (xorshift32).

use strict;
use warnings;


sub new {
    my ($class, $text) = @_;
    my $state = 2166136261;

    # FNV-1a
    $state = (($state ^ $_) * 16777619) & 0xffffffff for unpack 'C*', $text;

    my $self = bless { state => $state || 1 }, $class;

    # texts that are alike begin with numbers that are alike
    $self->next() for 1 .. 8;

    return $self;
}


# 1 .. 2^32 - 1
sub next {
    my ($self) = @_;
    my $x = $self->{state};

    $x ^= ($x << 13) & 0xffffffff;
    $x ^= $x >> 17;
    $x ^= ($x << 5) & 0xffffffff;

    return $self->{state} = $x;
}


# a whole number from low to high, both included
sub whole {
    my ($self, $low, $high) = @_;

    return $low + $self->next() % ($high - $low + 1);
}


# a number from low to high with two decimals
sub between {
    my ($self, $low, $high) = @_;

    return $self->whole(int 100 * $low, int 100 * $high) / 100;
}


sub pick {
    my ($self, @list) = @_;

    return $list[$self->whole(0, $#list)];
}


sub shuffle {
    my ($self, @list) = @_;
    my @out;

    push @out, splice @list, $self->whole(0, $#list), 1 while @list;

    return @out;
}


1;
