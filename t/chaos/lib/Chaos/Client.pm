package Chaos::Client;

# A Martech::Pace that also remembers when each event was answered.

use strict;
use warnings;

use parent qw(Martech::Pace);


# in its process
sub write_list {
    my ($self) = @_;

    $self->{lines} =~ s/\n/ $self->{now}\n/g;
    $self->SUPER::write_list();
}


# { id, ack (X-Martech-Ack), at } of what was answered with success
sub acked_list {
    my ($self) = @_;

    open my $fh, '<', $self->list() or return ();

    return map { /\A(\S+) (\S+) (\S+)\n\z/
                 ? { id => $1, ack => $2, at => $3 } : () } <$fh>;
}


sub acked {
    my ($self, $ack) = @_;

    return map { $_->{id} } grep { !defined $ack || $_->{ack} eq $ack }
        $self->acked_list();
}


# how many were sent; once it has stopped
sub sent { ($_[0]{last} // { sent => 0 })->{sent} }


1;
