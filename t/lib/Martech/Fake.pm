package Martech::Fake;

# A server that speaks the protocol of Redis and answers what the test says: a
# sentinel that is wrong, a node that sends us into the void.
#
#     my $fake = $t->helper(Martech::Fake->new(port => $t->port(7000)));
#     $fake->says(xadd => "-MOVED 1 127.0.0.1:7001\r\n");
#
# Answers are bytes, by the name of the command; "+OK" to all others.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;

use Martech::Control;


# port; says => { command => bytes }
sub new {
    my ($class, %arg) = @_;
    my $self = bless { says => {}, %arg }, $class;
    my $listener = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $arg{port}, Listen => 16,
        ReuseAddr => 1) or die "a fake cannot listen: $!\n";

    $self->{control} = Martech::Control->start(
        name => 'fake', closes => [$listener],
        code => sub { $self->serve($listener, $_[0]) });

    return $self;
}


sub stop { $_[0]{control}->stop() }

# Changes answers; undef: "+OK" again.
sub says { my ($self, %says) = @_; $self->{control}->ask(says => \%says) }

# how often a command came
sub asked { $_[0]{control}->ask()->{$_[1]} // 0 }

# Ends all connections.
sub hang_up { $_[0]{control}->ask(hang_up => 1) }


# an array of strings, as bytes
sub array {
    my (@items) = @_;

    return '*' . @items . "\r\n"
        . join '', map { '$' . length($_) . "\r\n$_\r\n" } @items;
}


# ---- the process ----

sub serve {
    my ($self, $listener, $control) = @_;

    @{$self}{qw(asked buffers clients)} = ({}, {},
        IO::Select->new($listener, $control->fh()));

    while (1) {
        for my $fh ($self->{clients}->can_read()) {
            if ($fh == $control->fh()) {
                $control->orders(sub { $self->obey($_[0], $listener,
                                                   $control->fh()) })
                    or return;
                last;
            }

            if ($fh == $listener) {
                $self->{clients}->add(scalar $listener->accept() || next);
                next;
            }

            $self->take($fh);
        }
    }
}


sub obey {
    my ($self, $order, @keep) = @_;
    my $says = $order->{says} // {};

    $self->{says}{$_} = $says->{$_} for keys %$says;

    if ($order->{hang_up}) {
        for my $fh ($self->{clients}->handles()) {
            $self->drop($fh) unless grep { $_ == $fh } @keep;
        }
    }

    return $self->{asked};
}


sub take {
    my ($self, $fh) = @_;
    my $buffer = \($self->{buffers}{$fh} //= '');

    return $self->drop($fh)
        unless sysread $fh, $$buffer, 65536, length $$buffer;

    while (1) {
        my $before = $$buffer;
        my $name = command($buffer) // last;
        my $bytes = substr $before, 0, length($before) - length $$buffer;

        $self->{asked}{$name}++;
        syswrite $fh, $self->answer($name, $bytes, $fh);
    }
}


# what a command is answered, of which the bytes are known; may be overridden
sub answer {
    my ($self, $name) = @_;

    return $self->{says}{$name} // "+OK\r\n";
}


# Takes a whole command from a buffer; its name.
sub command {
    my ($buffer) = @_;

    return undef unless $$buffer =~ /\A\*(\d+)\r\n/;

    my ($count, $pos, $name) = ($1, $+[0]);

    for (1 .. $count) {
        pos($$buffer) = $pos;
        return undef unless $$buffer =~ /\G\$(\d+)\r\n/g;

        my $start = $+[0];

        return undef if length $$buffer < $start + $1 + 2;

        $name //= lc substr $$buffer, $start, $1;
        $pos = $start + $1 + 2;
    }

    substr $$buffer, 0, $pos, '';

    return $name;
}


sub drop {
    my ($self, $fh) = @_;

    delete $self->{buffers}{$fh};
    $self->{clients}->remove($fh);
    close $fh;
}


1;
