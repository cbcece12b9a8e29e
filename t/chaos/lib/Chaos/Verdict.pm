package Chaos::Verdict;

# The end of a run: everything has been mended, and now it must be true that
# nothing was lost, nothing is left, and everything adds up.

use strict;
use warnings;

use List::Util qw(max min);
use Time::HiRes qw(time);

use Chaos::Oracle;
use Chaos::Plan;
use Martech::Http qw(post to_json);
use Martech::Pace;
use Martech::Wait qw(becomes);

# seconds until all that was spooled has arrived, and until the old are gone
my ($LIMIT, $LEAVE) = (60, 25);

# seconds that nothing may happen: what an earlier NGINX has left on disk is
# not counted before it is found
my $QUIET = 0.5;

# a run with fewer promises proves nothing
my $ENOUGH = 100;

# how many lines about one thing
my $LINES = 20;

# seconds around an event in which a fault may have to do with it
my $NEAR = 3;


# stage, lanes, clients (stopped), plan, start, counts
sub new {
    my ($class, %arg) = @_;
    my $self = bless { %arg, problems => [] }, $class;

    push @{ $self->{problems} }, map { $_->problems() } @{ $self->{lanes} };
    $self->check_clients();
    $self->check_fresh();
    $self->check_rest();
    $self->check_events();
    $self->check_enough();
    $self->check_end();

    return $self;
}


sub problems { @{ $_[0]{problems} } }


sub problem {
    my ($self, $format, @arg) = @_;

    push @{ $self->{problems} }, sprintf $format, @arg;
}


sub summary {
    my ($self) = @_;
    my ($counts, $verdict) = @{$self}{qw(counts verdict)};

    return (sprintf('%d faults; %d events sent, %d promised; requests: %d by '
                    . 'redis, %d by the spool, %d refused, %d cut',
                    scalar @{ $self->{plan} }, @{$counts}{qw(sent acked)},
                    @{$counts}{qw(redis spooled refused cut)}),
            sprintf('%d events came, %d of them more than once, %d to the '
                    . 'quarantine; at rest after %.1f s; ledgers off by %d '
                    . 'and %d', @{$verdict}{qw(came twice quarantined)},
                    $self->{rested} // $LIMIT,
                    events_off($self->{status}), spool_off($self->{status})));
}


sub check_clients {
    my ($self) = @_;

    for my $client (@{ $self->{clients} }) {
        $self->problem('requests of client %s were never answered',
                       $client->{name}) unless $client->{last};
    }
}


# ---- at rest ----

# An event that is sent now must pass.
sub check_fresh {
    my ($self) = @_;
    my $port = $self->{stage}->port();

    # its number is the next of the first client
    my $client = $self->{clients}[0];
    my $number = $client->sent() + 1;
    my $last;

    becomes(sub {
        $last = eval { post($port, '/v1/track',
                            Martech::Pace::payload($client->{name}, $number)) }
            // { status => 0 };

        return $last->{status} == 200;
    }, 20) or return $self->problem('a fresh event is answered %d',
                                    $last->{status});

    $client->{last}{sent}++;
    $self->{fresh} = Martech::Pace::id_of($client->{name}, $number);
}


sub check_rest {
    my ($self) = @_;
    my $begin = time;
    my ($since, $s);

    my $rests = becomes(sub {
        $s = eval { $self->{stage}->status() } // {};
        $since = $self->at_rest($s) ? $since // time : undef;

        return defined $since && time - $since > $QUIET;
    }, $LIMIT);

    if ($rests) {
        $self->{rested} = $since - $begin;

    } else {
        $self->problem('not at rest after %d s: %s; orphans: %s', $LIMIT,
                       to_json($s), join ' ', $self->{stage}->orphans());
    }

    $self->{status} = $s;
    $self->check_ledger('events', events_off($s));
    $self->check_ledger('the spool', spool_off($s));
    $self->problem('%d events were lost on disk', $s->{spool_lost})
        if $s->{spool_lost};
}


# A worker counts what it does a moment before or after it does it: one request
# may be counted twice or not at all when it was killed in that moment.
sub check_ledger {
    my ($self, $name, $off) = @_;
    my $batch = max(map { $_->{batch} } @{ $self->{clients} });
    my $slack = $batch * $self->{stage}{edge}->killed();

    $self->problem('the ledger of %s is off by %d, %d are excused by killed '
                   . 'workers: %s', $name, $off, $slack,
                   to_json($self->{status})) if abs $off > $slack;
}


sub at_rest {
    my ($self, $s) = @_;
    my $stage = $self->{stage};

    return %$s && !grep({ $s->{$_} } qw(spool_waiting events_waiting
                                        requests_parked))
           && !$stage->orphans() && $stage->settled();
}


sub events_off { sum($_[0], 'events_received')
                     - sum($_[0], qw(events_stored events_spooled
                                     events_rejected events_dropped
                                     events_waiting)) }
sub spool_off { sum($_[0], qw(events_spooled spool_found))
                    - sum($_[0], qw(spool_replayed spool_waiting
                                    spool_lost spool_taken)) }


sub sum {
    my ($status, @names) = @_;
    my $sum = 0;

    $sum += $status->{$_} // 0 for @names;

    return $sum;
}


# ---- events ----

sub check_events {
    my ($self) = @_;
    my $oracle = Chaos::Oracle->new(clients => $self->{clients},
                                    $self->{stage}->expected());

    $self->{stage}->collect($oracle);

    my $verdict = $self->{verdict} = $oracle->verdict();

    $self->problem('%d events were promised and are missing',
                   scalar @{ $verdict->{missing} }) if @{ $verdict->{missing} };
    $self->problem('  %s', $_) for $self->about_missing();

    $self->problem('%s was never sent', $_)
        for some(@{ $verdict->{invented} });
    $self->problem('%s was altered: %s', $_, $verdict->{altered}{$_})
        for some(sort keys %{ $verdict->{altered} });

    $self->problem('the fresh event did not arrive')
        if defined $self->{fresh} && !$oracle->{came}{$self->{fresh}};
}


sub some { @_[0 .. min($#_, $LINES - 1)] }


sub about_missing {
    my ($self) = @_;
    my @lines;

    for my $event (some(@{ $self->{verdict}{missing} })) {
        my @traces = $self->{stage}->traces($event->{id});

        push @lines, sprintf '%s, promised by %s at %.2f, redis: %s; faults: '
            . '%s', @{$event}{qw(id ack)}, $event->{at} - $self->{start},
            join(' ', @traces) || 'no trace',
            join(', ', $self->faults_near($event->{at})) || 'none';
    }

    return @lines;
}


sub faults_near {
    my ($self, $at) = @_;

    return map { Chaos::Plan::text($_) }
        grep { ($_->{begin_at} // 9e99) - $NEAR < $at
               && $at < ($_->{end_at} // 9e99) + $NEAR } @{ $self->{plan} };
}


sub check_enough {
    my ($self) = @_;
    my ($counts, $verdict) = @{$self}{qw(counts verdict)};

    $self->problem('only %d events were promised: this proves nothing',
                   $verdict->{acked}) if $verdict->{acked} < $ENOUGH;
    $self->problem('no event was spooled or came twice: this proves nothing')
        unless $counts->{spooled} || $verdict->{twice};
    $self->problem('no event was quarantined: this proves nothing')
        unless $verdict->{quarantined};
}


# ---- the processes, their logs and files ----

sub check_end {
    my ($self) = @_;
    my $nginx = $self->{stage}{nginx};

    $self->problem('processes of old generations are there after %d s',
                   $LEAVE) unless $self->{stage}{edge}->alone($LEAVE);
    $self->problem('nginx does not end when asked to')
        unless $nginx->stop();
    $self->problem('nginx %s', $nginx->{process}->crash())
        if $nginx->{process}->crash();

    my @left = glob "$self->{stage}{spool}/*";

    $self->problem('the spool is not empty: %s', join ' ', @left) if @left;

    my @lines = $self->{stage}->serious_lines();

    push @lines, map { split /\n/, Martech::Nginx::slurp($_) }
        glob "$nginx->{dir}/sanitizer*";
    $self->problem('serious: %s', $_) for some(@lines);
}


# What is on the disk that the end of the run takes away.
sub keep {
    my ($self) = @_;
    my $stage = $self->{stage};

    system 'cp', '-a', $stage->{spool}, $stage->{t}->dir() . '/spool.kept';
}


1;
