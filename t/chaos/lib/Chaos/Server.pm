package Chaos::Server;

# What happens to a Redis: its process, and what it says to commands.  A class
# that has several chooses by node().

use strict;
use warnings;

use parent qw(Chaos::Lane);


sub faults {
    return (
        [kill => [0.2, 4]],
        [freeze => [0.5, 4.5]],
        [pause => [0.3, 4], { mode => 'WRITE|ALL' }],
        [full => [0.5, 4]],
        [readonly => [0.5, 4]],
        [drop_clients => [0, 0]],
    );
}


# the Martech::Redis that is hurt; the same until the fault has ended
sub node { $_[0]{redis} }


# what was answered is in its file: appendfsync is "always"
sub begin_kill { $_[0]->node($_[1])->{process}->kill_now() }
sub end_kill { $_[0]->node($_[1])->start() }
sub begin_freeze { $_[0]->node($_[1])->freeze() }
sub end_freeze { $_[0]->node($_[1])->thaw() }


# It ends by itself: with "ALL" nobody could end it.
sub begin_pause {
    my ($self, $set, $fault) = @_;

    $self->node($set)->call('client', 'pause', int(1000 * $fault->{hold}),
                            $set->{mode});
}


sub begin_full { $_[0]->node($_[1])->call(qw(config set maxmemory 1)) }
sub end_full { $_[0]->node($_[1])->call(qw(config set maxmemory 0)) }


# a replica of nobody keeps what it has, and refuses writes
sub begin_readonly { $_[0]->node($_[1])->call(qw(replicaof 127.0.0.1 1)) }
sub end_readonly { $_[0]->node($_[1])->call(qw(replicaof no one)) }


sub begin_drop_clients {
    my ($self, $set) = @_;

    $self->node($set)->call(qw(client kill type normal skipme yes));
}


1;
