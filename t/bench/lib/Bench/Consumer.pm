package Bench::Consumer;

# What drains the streams in a benchmark: our forwarder, or one of the peers
# that do the same job with the usual libraries.  All are started with the
# streams empty, and give processor time and memory of all their processes.

use strict;
use warnings;

use Exporter qw(import);
use List::Util qw(sum0 max);

use Bench qw(BUILD pin slurp);
use Martech::Forwarder;
use Martech::Process;
use Martech::Redis;
use Martech::Wait qw(wait_until);

our @EXPORT_OK = qw(ledger tree);


# A process and all that descend from it.
sub tree {
    my ($pid) = @_;
    my $children = eval { slurp("/proc/$pid/task/$pid/children") } // '';

    return ($pid, map { tree($_) } split ' ', $children);
}


# sum over all shards of the ledger fields that are called so, or begin so and
# go on with a colon
sub ledger {
    my ($redis, $name, $shards) = @_;
    my $sum = 0;

    for my $tag (Martech::Redis::tags('mt', $shards)) {
        my %field = @{ $redis->call('hgetall', "$tag:ledger") };

        $sum += $field{$_} for grep { /\A\Q$name\E(?::|\z)/ } keys %field;
    }

    return $sum;
}


# The forwarder.  dir; redis; shards; conf => its YAML; cpu => to be bound to.
sub forwarder {
    my ($class, %arg) = @_;
    my $self = bless { %arg }, $class;

    $self->{forwarder} = Martech::Forwarder->new(
        dir => $arg{dir}, program => BUILD . '/martech-forwarder',
        conf => $arg{conf});
    $self->{forwarder}->start();

    $self->wait_owner() unless $arg{impatient};
    $self->bind() if defined $arg{cpu};

    return $self;
}


sub wait_owner {
    my ($self) = @_;

    wait_until(sub {
        $self->{forwarder}->running()
            or die "it ended:\n", $self->{forwarder}->log_text();
        my @owned = grep { $self->{redis}->call('exists', "$_:owner") }
            Martech::Redis::tags('mt', $self->{shards});
        return @owned == $self->{shards};
    }, 20, 'the forwarder owns all shards');
}


# A peer: argv of a program that prints "ready" once it reads.
sub peer {
    my ($class, %arg) = @_;
    my $self = bless { %arg }, $class;
    my $output = "$arg{dir}.log";

    unlink $output;
    $self->{process} = Martech::Process->start(
        name => 'peer', output => $output, argv => $arg{argv},
        env => $arg{env} // {});

    wait_until(sub { -s $output && slurp($output) =~ /^ready$/m
                     || !$self->{process}->alive() }, 20, 'the peer reads');
    $self->{process}->alive() or die "the peer ended:\n", slurp($output);

    $self->bind() if defined $arg{cpu};

    return $self;
}


sub pids {
    my ($self) = @_;

    return tree(($self->{forwarder} // $self->{process})->pid());
}


sub bind { my ($self) = @_; pin($_, $self->{cpu}) for $self->pids() }
sub signal { my ($self, $name) = @_; kill $name => $self->pids() }
sub cpu_ns { return sum0(map { Bench::cpu_ns($_) } $_[0]->pids()) }


# The memory of all processes at most or now (VmHWM, VmRSS), in MB; pages that
# they share count more than once.
sub memory_mb {
    my ($self, $what) = @_;

    return sum0(map { slurp("/proc/$_/status") =~ /^$what:\s+(\d+) kB/m
                      ? $1 / 1024 : 0 } $self->pids());
}


sub stop {
    my ($self) = @_;

    return ($self->{forwarder} // $self->{process})->stop();
}


1;
