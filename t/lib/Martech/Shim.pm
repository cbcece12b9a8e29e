package Martech::Shim;

# Makes calls of a program fail that concern files of one folder, by a library
# that is loaded before the C library (t/lib/shim/shim.c).
#
#     my $shim = $t->shim(folder => "$dir/journal");
#     my $nginx = $t->nginx($conf, $shim->preload());
#     $shim->fail('fdatasync', error => 'EIO', times => 1);
#     $shim->fail('pwrite', bytes => 100, skip => 3);
#     $shim->pass();
#     $shim->clock(3600);
#
# The calls: open (and openat with an absolute path), write (and writev), pwrite
# (and pwritev), fsync, fdatasync, fallocate (and posix_fallocate).  An order is
# in force at once, in all processes that have the library.

use strict;
use warnings;

use Cwd qw(abs_path);
use Errno ();
use File::Basename qw(dirname);
use List::Util qw(first);
use Time::HiRes qw(stat);

my $SOURCE = abs_path(dirname(__FILE__)) . '/../shim/shim.c';

# as in shim.c
my ($MAGIC, $PATH_SIZE, $FAULT_SIZE) = (0x4d544853, 1024, 32);
my @CALLS = qw(open write pwrite fsync fdatasync fallocate);


# folder => which files; file => of the orders; build => folder of the library
sub new {
    my ($class, %arg) = @_;
    my $self = bless { %arg }, $class;
    my $real = abs_path($arg{folder}) // $arg{folder};

    $self->build();

    open $self->{fh}, '+>', $self->{file} or die "$self->{file}: $!\n";
    chmod 0666, $self->{file};
    $self->put(0, pack "L L a$PATH_SIZE a$PATH_SIZE a*", $MAGIC, 0,
               $arg{folder}, $real, "\0" x ($FAULT_SIZE * @CALLS + 8));

    return $self;
}


sub library { "$_[0]{build}/martech_shim.so" }


# what Martech::Nginx needs to have it
sub preload {
    my ($self) = @_;

    return (preload => [$self->library()], env => $self->environment());
}


sub environment { { MARTECH_SHIM => $_[0]{file} } }


sub build {
    my ($self) = @_;
    my $library = $self->library();
    my $partial = "$library.$$";

    mkdir $self->{build};

    return if -e $library && (stat $library)[9] > (stat $SOURCE)[9];

    system(qw(gcc -std=gnu99 -D_GNU_SOURCE -O2 -g -Wall -Wextra -fPIC -shared),
           '-o', $partial, $SOURCE, '-ldl') == 0
        or die "cannot compile $SOURCE\n";

    # another test may do the same
    rename $partial, $library or die "$library: $!\n";
}


# error => "EIO" and so on; bytes => a write takes no more than that; delay =>
# ms before the call; skip => calls that pass first; times => calls that are
# hit then, all without it.  With none of them hits are only counted.
sub fail {
    my ($self, $call, %arg) = @_;
    my $error = 0;

    if (defined $arg{error}) {
        my $number = Errno->can($arg{error})
            or die "unknown error \"$arg{error}\"\n";

        $error = $number->();
    }

    $self->pass($call);
    $self->put($self->offset($call) + 4, pack 'L6', $error,
               map({ $_ // 0 } @arg{qw(bytes delay skip times)}), 0);
    $self->put($self->offset($call), pack 'L', 1);
}


# these calls, or all, do what they should again
sub pass {
    my ($self, @calls) = @_;

    $self->put($self->offset($_), pack 'L', 0) for @calls ? @calls : @CALLS;
}


# the wall clock of the program is set this many seconds from the true one
sub clock {
    my ($self, $seconds) = @_;

    $self->put(8 + 2 * $PATH_SIZE + $FAULT_SIZE * @CALLS,
               pack 'q', $seconds * 1000);
}


# how often a call was hit by any order so far
sub hits {
    my ($self, $call) = @_;

    sysseek $self->{fh}, $self->offset($call) + 28, 0;
    sysread $self->{fh}, my $bytes, 4;

    return unpack 'L', $bytes;
}


sub offset {
    my ($self, $call) = @_;
    my $index = first { $CALLS[$_] eq $call } 0 .. $#CALLS;

    die "unknown call \"$call\"\n" unless defined $index;

    return 8 + 2 * $PATH_SIZE + $index * $FAULT_SIZE;
}


sub put {
    my ($self, $offset, $bytes) = @_;

    sysseek $self->{fh}, $offset, 0;
    syswrite $self->{fh}, $bytes;
}


1;
