package Martech::Process;

# A child process of a test: started, watched, stopped.
#
# Every process that lives is in one list, and the END block of the test kills
# what is left of it by its id.  A child also dies with a test that was killed
# itself.  It is in a process group of its own, so that Ctrl-C reaches only the
# test, which stops the others in their order.

use strict;
use warnings;

use POSIX qw(WNOHANG _exit dup2);
use Time::HiRes qw(time);

use Martech::Wait qw(becomes);


# prctl(PR_SET_PDEATHSIG, SIGTERM): number of the call by machine
my %PRCTL = (x86_64 => 157, aarch64 => 167);
my $PRCTL = $PRCTL{(POSIX::uname())[4]};

my $OWNER = $$;
my %LIVING;

# signals that end a process which was told to stop
my %CLEAN = (0 => 1, 9 => 1, 15 => 1);


# argv => [...], name => ..., output => file for stdout and stderr,
# env => {...}, code => sub to run instead of argv
sub start {
    my ($class, %arg) = @_;
    my $self = bless { %arg, status => undef }, $class;

    # an output buffered in the parent would come out twice
    STDOUT->flush();
    STDERR->flush();

    my $pid = fork();

    die "cannot fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $self->child();
        _exit(127);
    }

    $self->{pid} = $pid;
    $LIVING{$pid} = $self;

    return $self;
}


sub child {
    my ($self) = @_;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM PIPE CHLD);
    alarm(0);
    setpgrp(0, 0);
    syscall($PRCTL, 1, POSIX::SIGTERM()) if $PRCTL;

    if (defined $self->{output}) {
        open STDIN, '<', '/dev/null';
        open my $out, '>>', $self->{output} or _exit(126);
        dup2(fileno $out, 1);
        dup2(fileno $out, 2);
    }

    $ENV{$_} = $self->{env}{$_} for keys %{ $self->{env} // {} };

    if ($self->{code}) {
        eval { $self->{code}->(); 1 } or print STDERR "$self->{name}: $@";
        _exit($@ ? 1 : 0);
    }

    exec { $self->{argv}[0] } @{ $self->{argv} }
        or print STDERR "cannot run $self->{argv}[0]: $!\n";
}


sub pid { $_[0]{pid} }

# wait status of a process that has ended, undef while it lives
sub status { $_[0]->alive() ? undef : $_[0]{status} }


sub alive {
    my ($self) = @_;

    return 0 if defined $self->{status};

    my $rc = waitpid $self->{pid}, WNOHANG;

    return 1 if $rc == 0;

    $self->{status} = $rc == $self->{pid} ? $? : -1;
    delete $LIVING{$self->{pid}};

    return 0;
}


sub signal {
    my ($self, $signal) = @_;

    return $self->alive() && kill $signal => $self->{pid};
}


# true when it ends within the limit, in seconds
sub wait_end {
    my ($self, $limit) = @_;

    return becomes(sub { !$self->alive() }, $limit);
}


# Asks it to end; forces it after the limit.  True if asking was enough.
sub stop {
    my ($self, $signal, $limit) = @_;

    return 1 unless $self->alive();

    $self->{stopped} = 1;
    $self->signal('CONT');
    $self->signal($signal // 'TERM');

    return 1 if $self->wait_end($limit // 15);

    $self->kill_now();

    return 0;
}


sub kill_now {
    my ($self) = @_;

    $self->{stopped} = 1 if $self->alive();
    $self->signal('KILL');
    $self->wait_end(5);
}


# "exited on signal 11", "exited with 1", or "" for a clean or wanted end
sub crash {
    my ($self) = @_;
    my $status = $self->status();

    return '' unless defined $status;
    return '' if $self->{stopped} && $CLEAN{$status & 127}
                 && ($status >> 8) == 0;
    return '' if $status == 0;
    return 'exited on signal ' . ($status & 127) if $status & 127;
    return 'exited with ' . ($status >> 8);
}


# false in the children that a test forks
sub is_owner { $$ == $OWNER }


# Ends what is left, with its own children: the workers of an NGINX would
# outlive their master.
sub kill_all {
    for my $process (values %LIVING) {
        kill CONT => $process->{pid};
        kill TERM => $process->{pid};
    }

    becomes(sub { !grep { $_->alive() } values %LIVING }, 3);

    for my $process (values %LIVING) {
        kill KILL => $process->{pid}, children($process->{pid});
        $process->wait_end(5);
    }
}


sub children {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/task/$pid/children" or return ();

    return split ' ', <$fh> // '';
}


1;
