package Chaos::Group;

# What happens to a master and its replica, which sentinels watch.
#
# With one replica, an event that "wait_replicas=1" has confirmed is in both
# nodes, whichever becomes the master.  That holds as long as the replica is in
# step when the next fault begins: otherwise Redis itself may lose events, and
# nothing can be said about the edge.

use strict;
use warnings;

use parent qw(Chaos::Lane);

use Martech::Wait qw(becomes);

# seconds
my $LIMIT = 30;


sub faults {
    return (
        [failover => [0, 0]],
        [kill_master => [0.2, 4]],
        [freeze_master => [0.3, 4]],
        [kill_replica => [0.5, 4]],
        [freeze_replica => [0.5, 4]],
        [drop_clients => [0, 0]],
    );
}


sub group { $_[0]{group} }


# number of the master, once both are in step
sub in_step {
    my ($self) = @_;
    my $number;

    becomes(sub {
        $number = eval { $self->group()->master_number() };

        return defined $number && $self->follows(1 - $number, $number);
    }, $LIMIT) or die "master and replica are not in step after $LIMIT s\n";

    return $number;
}


sub follows {
    my ($self, $replica, $master) = @_;
    my ($behind, $ahead) = map { $self->group()->node($_) } $replica, $master;
    my $role = eval { $behind->call('role') } or return 0;

    return $role->[0] eq 'slave' && $role->[3] eq 'connected'
           && $role->[2] == $ahead->{port}
           && (eval { $ahead->call('role')->[0] } // '') eq 'master';
}


sub begin_failover {
    my ($self) = @_;

    $self->in_step();
    $self->group()->failover();
    $self->group()->wait_for_master_change($LIMIT);
}


sub begin_kill_master {
    my ($self) = @_;

    $self->{hurt} = $self->in_step();
    $self->group()->kill_master();
}


# whether or not there is another one by now
sub end_kill_master { $_[0]->group()->start_node($_[0]{hurt}) }


sub begin_freeze_master {
    my ($self) = @_;

    $self->{hurt} = $self->in_step();
    $self->group()->node($self->{hurt})->freeze();
}


sub end_freeze_master { $_[0]->group()->node($_[0]{hurt})->thaw() }


sub begin_kill_replica {
    my ($self) = @_;

    $self->{hurt} = 1 - $self->in_step();
    $self->group()->node($self->{hurt})->{process}->kill_now();
}


sub end_kill_replica { $_[0]->end_kill_master() }


sub begin_freeze_replica {
    my ($self) = @_;

    $self->{hurt} = 1 - $self->in_step();
    $self->group()->node($self->{hurt})->freeze();
}


sub end_freeze_replica { $_[0]->end_freeze_master() }


sub begin_drop_clients {
    my ($self) = @_;
    my $master = $self->in_step();

    $self->group()->node($master)
        ->call(qw(client kill type normal skipme yes));
}


1;
