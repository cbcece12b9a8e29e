package Chaos::Net;

# What happens between NGINX and Redis.

use strict;
use warnings;

use parent qw(Chaos::Lane);


sub faults {
    return (
        [cut => [0, 0], { reset => [0, 1] }],
        [cut_command => [0.2, 2], { bytes => [1, 4000], reset => [0, 1] }],
        [cut_reply => [0.2, 2], { bytes => [1, 200], reset => [0, 1] }],
        [stall => [0.5, 4], { side => 'client|server|both' }],
        [swallow => [0.3, 3]],
        [delay => [1, 4], { ms => [5, 800] }],
        [refuse => [0.5, 4], { cut => [0, 1] }],
    );
}


sub proxy { $_[0]{proxy} }
sub begin_cut { $_[0]->proxy()->cut(reset => $_[1]{reset}) }


sub begin_cut_command {
    my ($self, $set) = @_;

    $self->proxy()->cut_after(to_server => $set->{bytes},
                              reset => $set->{reset});
}


sub begin_cut_reply {
    my ($self, $set) = @_;

    $self->proxy()->cut_after(to_client => $set->{bytes},
                              reset => $set->{reset});
}


sub begin_stall { $_[0]->proxy()->stall($_[1]{side}) }
sub begin_swallow { $_[0]->proxy()->swallow() }
sub begin_delay { $_[0]->proxy()->delay($_[1]{ms}) }


sub begin_refuse {
    my ($self, $set) = @_;

    $self->proxy()->refuse();
    $self->proxy()->cut() if $set->{cut};
}


sub end_cut_command { $_[0]->proxy()->resume() }
sub end_cut_reply { $_[0]->proxy()->resume() }
sub end_stall { $_[0]->proxy()->resume() }
sub end_delay { $_[0]->proxy()->resume() }
sub end_refuse { $_[0]->proxy()->resume() }


# A connection that has lost answers would give those of other commands.
sub end_swallow {
    my ($self) = @_;

    $self->proxy()->cut();
    $self->proxy()->resume();
}


1;
