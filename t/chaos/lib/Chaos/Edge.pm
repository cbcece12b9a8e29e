package Chaos::Edge;

# What happens to NGINX: reloads, upgrades, stops, kills.

use strict;
use warnings;

use parent qw(Chaos::Lane);

use Martech::Process;
use Martech::Wait qw(becomes wait_until);

# seconds in which processes have to come or to go
my $LIMIT = 25;


sub faults {
    return (
        [reload => [0, 0]],
        [reloads => [0, 0], { times => [2, 5] }],
        [upgrade => [0.2, 2]],
        [rollback => [0.2, 2], { winch => [0, 1] }],
        [kill_worker => [0, 0], { which => [0, 1] }],
        [kill_workers => [0, 0]],
        [kill_old => [0, 0], { which => [0, 1] }],
        [freeze_worker => [0.5, 3], { which => [0, 1] }],
        [kill_master => [0.2, 2], { then => 'QUIT|TERM|KILL' }],
        [stop => [0, 0.5], { signal => 'QUIT|TERM' }],
    );
}


sub nginx { $_[0]{nginx} }


# ---- processes ----

# the workers that take requests, but not those that are about to leave
sub fresh {
    my ($self) = @_;
    my $nginx = $self->nginx();

    return sort { $a <=> $b } grep { title($_) eq 'nginx: worker process' }
        Martech::Process::children($nginx->pid());
}


sub title {
    my ($pid) = @_;
    my $title = Martech::Nginx::slurp("/proc/$pid/cmdline");

    $title =~ s/[\0 ]+\z//;

    return $title;
}


# Waits until there are as many as should be, and none of those.
sub settle {
    my ($self, @old) = @_;
    my %old = map { $_ => 1 } @old;
    my $want = $self->nginx()->{workers};

    becomes(sub {
        my @fresh = $self->fresh();

        return @fresh == $want && !grep { $old{$_} } @fresh;
    }, $LIMIT) or $self->problem("no $want fresh workers in $LIMIT s");

    # the library waits for lines in the log by their number
    $self->nginx()->{starts} =
        $self->nginx()->logged(qr/start worker process \d/);
}


# processes that should not be there: true when there are none within the limit
sub alone {
    my ($self, $limit) = @_;
    my $nginx = $self->nginx();

    return becomes(sub {
        my %fine = map { $_ => 1 } $nginx->pid(), $self->fresh();

        return !grep { !$fine{$_} } Martech::Process::group($nginx->{group});
    }, $limit);
}


# workers that were killed since the counters began: a new master has new ones
sub killed { $_[0]{killed} // 0 }


sub kill_pids {
    my ($self, @pids) = @_;

    $self->{killed} += kill KILL => @pids;
}


sub signal { $_[0]->nginx()->{process}->signal($_[1]) }


# ---- faults ----

sub begin_reload {
    my ($self) = @_;
    my @old = $self->fresh();

    $self->signal('HUP');
    $self->settle(@old);
}


sub begin_reloads {
    my ($self, $set) = @_;
    my @old = $self->fresh();

    for (1 .. $set->{times}) {
        $self->signal('HUP');

        # signals that come together are one
        select undef, undef, undef, 0.05;
    }

    $self->settle(@old);
}


sub begin_kill_worker {
    my ($self, $set) = @_;
    my $pid = ($self->fresh())[$set->{which}];

    $self->kill_pids($pid);
    $self->settle($pid);
}


sub begin_kill_workers {
    my ($self) = @_;
    my @old = $self->fresh();

    $self->kill_pids(@old);
    $self->settle(@old);
}


# a worker that is about to leave
sub begin_kill_old {
    my ($self, $set) = @_;
    my @old = $self->fresh();

    $self->begin_reload();

    my $pid = $old[$set->{which}];

    $self->kill_pids($pid) if title($pid) =~ /shutting down/;
}


sub begin_freeze_worker {
    my ($self, $set) = @_;

    $self->{frozen} = ($self->fresh())[$set->{which}];
    kill STOP => $self->{frozen};
}


sub end_freeze_worker { kill CONT => $_[0]{frozen} }


sub begin_upgrade { $_[0]->nginx()->upgrade() }


sub end_upgrade {
    my ($self) = @_;

    $self->winch();
    $self->nginx()->quit_old($LIMIT)
        or $self->problem("the old master is there after $LIMIT s");
    $self->{killed} = 0;
    $self->settle();
}


sub winch {
    my ($self) = @_;

    $self->nginx()->winch($LIMIT)
        or $self->problem("old workers are there after $LIMIT s");
}


sub begin_rollback {
    my ($self, $set) = @_;

    $self->nginx()->upgrade();
    $self->winch() if $set->{winch};
}


sub end_rollback {
    my ($self) = @_;

    $self->nginx()->rollback($LIMIT)
        or $self->problem("the new master is there after $LIMIT s");
    $self->settle();
}


# Its workers go on without it, until somebody sees that.
sub begin_kill_master { $_[0]->nginx()->kill_master() }


sub end_kill_master {
    my ($self, $set) = @_;
    my $nginx = $self->nginx();

    kill $set->{then} => $nginx->orphans();
    becomes(sub { !$nginx->orphans() }, $LIMIT)
        or $self->problem("orphans are there after $LIMIT s");
    $nginx->kill_all_now();
    $nginx->start();
    $self->{killed} = 0;
    $self->settle();
}


sub begin_stop {
    my ($self, $set) = @_;
    my $nginx = $self->nginx();

    $nginx->{process}->stop($set->{signal}, $LIMIT)
        or $self->problem("it is there $LIMIT s after $set->{signal}");
}


sub end_stop {
    my ($self) = @_;

    $self->nginx()->start();
    $self->{killed} = 0;
    $self->settle();
}


1;
