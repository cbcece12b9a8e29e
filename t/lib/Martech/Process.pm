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


# prctl(): number of the call by machine
my %PRCTL = (x86_64 => 157, aarch64 => 167);
my $PRCTL = $PRCTL{(POSIX::uname())[4]};

# numbers of prctl()
my ($PR_SET_PDEATHSIG, $PR_SET_CHILD_SUBREAPER) = (1, 36);

my $OWNER = $$;
my %LIVING;

# the guards of process groups that may outlive the process they are named after
my %GROUPS;

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
    syscall($PRCTL, $PR_SET_PDEATHSIG, POSIX::SIGTERM()) if $PRCTL;

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


# A process that one of ours has started.  It ends as a child of its parent,
# or of the test once that parent is gone.
sub adopt {
    my ($class, $pid, %arg) = @_;

    return $LIVING{$pid} //= bless { %arg, pid => $pid, adopted => 1,
                                     status => undef }, $class;
}


# From now on what its parent left behind is a child of the test.
sub keep_orphans {
    syscall($PRCTL, $PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) if $PRCTL;
}


# Does something when the test ends, also when it is killed: only a child of the
# test itself is told of that by the kernel.  name; at_end => sub; while => sub
# that says whether there is still something to do.
sub guard {
    my ($class, %arg) = @_;

    pipe my $ready, my $tell or die "pipe: $!\n";

    my $self = $class->start(name => $arg{name}, code => sub {
        $SIG{TERM} = sub { $arg{at_end}->(); _exit(0) };
        syswrite $tell, '.';
        close $tell;
        select undef, undef, undef, 0.5 while $arg{while}->();
    });

    close $tell;
    sysread $ready, my $byte, 1;

    return $self;
}


# a process group must end with the test
sub guard_group {
    my ($class, $group) = @_;

    return if $GROUPS{$group} && $GROUPS{$group}->alive();

    $GROUPS{$group} = $class->guard(
        name => "guard of group $group", while => sub { kill 0 => -$group },
        at_end => sub { kill KILL => -$group });
}


# process ids of a process group that live
sub group {
    my ($group) = @_;

    return grep { (stat_of($_) // { group => 0 })->{group} == $group
                  && lives($_) }
        map { m{(\d+)$} } glob '/proc/[0-9]*';
}


# true unless it has ended, even if nobody has asked how
sub lives { (stat_of($_[0]) // { lives => 0 })->{lives} }


# true if a process group is named after it
sub leads_group { (stat_of($_[0]) // { group => 0 })->{group} == $_[0] }


sub stat_of {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return undef;

    # the name of the program may contain anything
    my (undef, $state, undef, $group) =
        (readline($fh) // '') =~ /\A(\d+) \(.*\) (\S) (\d+) (\d+)/s
        or return undef;

    return { group => $group, lives => $state !~ /[ZX]/ };
}


sub pid { $_[0]{pid} }

# wait status of a process that has ended, undef while it lives
sub status { $_[0]->alive() ? undef : $_[0]{status} }


sub alive {
    my ($self) = @_;

    return 0 if defined $self->{status};

    my $rc = waitpid $self->{pid}, WNOHANG;

    return 1 if $rc == 0;

    if ($rc < 0 && $self->{adopted}) {
        return 1 if lives($self->{pid});

        # how it ended is known only to the parent it had
        $self->{status} = 0;
    }

    $self->{status} //= $rc == $self->{pid} ? $? : -1;
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
