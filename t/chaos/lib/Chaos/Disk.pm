package Chaos::Disk;

# What happens to the disk of the spool: it is full, slow, or fails.

use strict;
use warnings;

use parent qw(Chaos::Lane);


sub faults {
    return (
        [full => [1, 5], { leave => '0|0|20000|300000' }],
        [sync => [0.5, 3], { times => [1, 20], call => 'fdatasync|fsync' }],
        [write => [0.5, 3], { times => [1, 20], error => 'EIO|ENOSPC',
                              skip => [0, 3] }],
        [short => [0.5, 3], { bytes => [1, 3000], times => [1, 20] }],
        [allocate => [0.5, 3], { times => [1, 5], error => 'EIO|ENOSPC' }],
        [slow => [1, 4], { ms => [20, 700] }],
    );
}


# where nothing may be mounted, the library says that the disk is full
sub begin_full {
    my ($self, $set) = @_;

    return $self->{disk}->fill($set->{leave}) unless $self->{disk}->reason();

    $self->{shim}->fail($_, error => 'ENOSPC') for qw(fallocate pwrite);
}


sub end_full {
    my ($self) = @_;

    return $self->{disk}->release() unless $self->{disk}->reason();

    $self->{shim}->pass();
}


sub begin_sync {
    my ($self, $set) = @_;

    $self->{shim}->fail($set->{call}, error => 'EIO', times => $set->{times});
}


sub begin_write {
    my ($self, $set) = @_;

    $self->{shim}->fail('pwrite', %$set);
}


sub begin_short { $_[0]->begin_write($_[1]) }
sub begin_allocate { $_[0]{shim}->fail('fallocate', %{ $_[1] }) }
sub begin_slow { $_[0]{shim}->fail('fdatasync', delay => $_[1]{ms}) }


sub end_sync { $_[0]{shim}->pass() }
sub end_write { $_[0]{shim}->pass() }
sub end_short { $_[0]{shim}->pass() }
sub end_allocate { $_[0]{shim}->pass() }
sub end_slow { $_[0]{shim}->pass() }


1;
