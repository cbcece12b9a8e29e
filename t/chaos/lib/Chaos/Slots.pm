package Chaos::Slots;

# What happens to the nodes of a cluster: slots move, and what happens to any
# Redis.

use strict;
use warnings;

use parent qw(Chaos::Server);

use Martech::Redis;

my $MASTERS = 3;


sub faults {
    my ($self) = @_;
    my %which = (node => [0, $MASTERS - 1]);

    return (
        [move => [0, 2], { shard => [0, 15], step => [1, $MASTERS - 1] }],
        [moves => [0, 0], { shard => [0, 15], step => [1, $MASTERS - 1],
                            count => [2, 6] }],
        map { [@$_[0, 1], { %which, %{ $_->[2] // {} } }] }
            grep { $_->[0] ne 'readonly' } $self->SUPER::faults(),
    );
}


sub cluster { $_[0]{cluster} }
sub node { $_[0]->cluster()->node($_[1]{node}) }


sub slot {
    my ($self, $shard) = @_;
    my ($tag) = (Martech::Redis::tags('mt', 16))[$shard % 16];

    return $self->cluster()->slot("$tag:in");
}


# What a killed node has forgotten.
sub agree {
    my ($self) = @_;

    $self->cluster()->agree(map { $self->slot($_) } 0 .. 15);
}


sub finish_all { $_[0]->agree() }


# The slot is on its way for a while: what is there answers ASK when the key
# has gone.
sub begin_move {
    my ($self, $set) = @_;
    my $cluster = $self->cluster();

    $cluster->wait_ok();
    $self->agree();

    my $slot = $self->slot($set->{shard});
    my $to = ($cluster->owner($slot) + $set->{step}) % $MASTERS;

    $self->{move} = [$slot, $to];
    $cluster->begin_move($slot, $to);
    $cluster->move_keys($slot, $to, 1);
}


sub end_move {
    my ($self) = @_;

    $self->cluster()->finish_move(@{ $self->{move} });
}


sub begin_moves {
    my ($self, $set) = @_;
    my $cluster = $self->cluster();

    $cluster->wait_ok();
    $self->agree();

    for my $shard ($set->{shard} .. $set->{shard} + $set->{count} - 1) {
        my $slot = $self->slot($shard);

        $cluster->move_slot(
            $slot, ($cluster->owner($slot) + $set->{step}) % $MASTERS);
    }
}


1;
