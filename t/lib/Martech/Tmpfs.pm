package Martech::Tmpfs;

# A small file system in memory: a disk that a test can fill.
#
# It is unmounted by unmount(), at the end of the test, or, when the test was
# killed, by a process that waits for that.

use strict;
use warnings;

use Martech::Process;

my @MOUNTED;


# dir => where; mb => its size.  reason() tells why it could not be mounted.
sub new {
    my ($class, %arg) = @_;
    my $self = bless { %arg }, $class;

    return $self->refused('only root may mount') if $> != 0;

    mkdir $self->{dir};

    my $options = "size=$arg{mb}m,mode=0777";
    my $output = `mount -t tmpfs -o $options martech $arg{dir} 2>&1`;

    return $self->refused("cannot mount: $output") if $?;

    push @MOUNTED, $self;
    $self->{guard} = Martech::Process->guard(
        name => "guard of $self->{dir}", while => sub { 1 },
        at_end => sub { $self->detach() });

    return $self;
}


sub refused {
    my ($self, $reason) = @_;

    chomp($self->{reason} = $reason);

    return $self;
}


sub dir { $_[0]{dir} }
sub reason { $_[0]{reason} }


# bytes that can still be written
sub free {
    my ($self) = @_;
    my ($line) = (split /\n/, `df -B1 --output=avail $self->{dir}`)[1];

    return $line + 0;
}


# Fills it up to so many bytes; release() gives them back.
sub fill {
    my ($self, $leave) = @_;
    my $block = "\0" x 4096;

    open my $fh, '>>', "$self->{dir}/.filler" or die "filler: $!\n";

    while ($self->free() > ($leave // 0)) {
        my $count = int(($self->free() - ($leave // 0)) / 4096) || last;

        syswrite $fh, $block or last for 1 .. $count;
    }

    close $fh;
}


sub release { unlink "$_[0]{dir}/.filler" }


sub mounted {
    my ($self) = @_;

    open my $fh, '<', '/proc/mounts' or return 0;

    return scalar grep { (split / /)[1] eq $self->{dir} } <$fh>;
}


# lazily: it also works while files are open
sub detach { system 'umount', '-l', $_[0]{dir} if $_[0]->mounted() }


sub unmount {
    my ($self) = @_;

    @MOUNTED = grep { $_ != $self } @MOUNTED;
    $self->{guard}->stop('TERM', 5);
    $self->detach();
}


sub unmount_all { $_->unmount() for @MOUNTED }


1;
