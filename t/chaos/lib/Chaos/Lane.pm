package Chaos::Lane;

# A thing that can be hurt in one way at a time.  A class of its own gives
# faults(), and for a fault "x" the methods begin_x() and, if it lasts, end_x(),
# which get its parameters and the fault.

use strict;
use warnings;


# name; rest => [from, to] in seconds between two faults; what the class needs
sub new {
    my ($class, %arg) = @_;

    return bless { rest => [0.5, 4], problems => [], %arg }, $class;
}


# for Chaos::Plan
sub lane {
    my ($self) = @_;

    return { name => $self->{name}, rest => $self->{rest},
             faults => [ $self->faults() ] };
}


sub begin { $_[0]->step('begin', $_[1]) }
sub end { $_[0]->step('end', $_[1]) }


# What a step could not do is a problem of the run, but does not end it: the
# other faults still have to be mended.
sub step {
    my ($self, $step, $fault) = @_;
    my $method = $self->can("${step}_$fault->{name}") or return;

    eval { $self->$method($fault->{set}, $fault); 1 }
        or $self->problem("$step of $fault->{name}: $@");
}


sub problem {
    my ($self, $text) = @_;

    chomp $text;
    push @{ $self->{problems} }, "$self->{name}: $text";
}


sub problems { @{ $_[0]{problems} } }


1;
