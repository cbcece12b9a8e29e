package Martech::Forwarder;

# A real martech-forwarder of one test.

use strict;
use warnings;

use JSON::PP ();

use Martech::Process;
use Martech::Wait qw(becomes wait_until);


# dir; program; conf => its YAML; env => {...}
sub new {
    my ($class, %arg) = @_;
    my $self = bless { %arg }, $class;

    $self->write_conf($arg{conf});

    return $self;
}


sub conf_file { "$_[0]{dir}/forwarder.yaml" }
sub log_file { "$_[0]{dir}/forwarder.log" }
sub running { $_[0]{process} && $_[0]{process}->alive() }
sub pid { $_[0]{process}->pid() }


sub write_conf {
    my ($self, $conf) = @_;

    mkdir $self->{dir};
    open my $fh, '>', $self->conf_file() or die "cannot write: $!\n";
    print $fh $conf;
    close $fh;
}


# env => {...} of this run only
sub start {
    my ($self, %arg) = @_;
    my $starts = $self->logged(qr/"msg":"started"/);

    $self->{process} = Martech::Process->start(
        name => 'martech-forwarder', output => $self->log_file(),
        argv => [$self->{program}, 'run', '-c', $self->conf_file()],
        env => { %{ $self->{env} // {} }, %{ $arg{env} // {} } });

    wait_until(sub {
        !$self->running() || $self->logged(qr/"msg":"started"/) > $starts;
    }, 20, 'the forwarder starts');

    die "the forwarder did not start:\n", $self->log_text()
        unless $self->logged(qr/"msg":"started"/) > $starts;

    return $self;
}


# "martech-forwarder check": true when it accepts the file, and what it said
sub check {
    my ($self, $conf) = @_;
    my $output = "$self->{dir}/check.log";

    $self->write_conf($conf) if defined $conf;
    unlink $output;

    my $process = Martech::Process->start(
        name => 'martech-forwarder check', output => $output,
        argv => [$self->{program}, 'check', '-c', $self->conf_file()],
        env => $self->{env} // {});

    $process->wait_end(20) or die "the check does not end\n";

    return ($process->status() == 0, slurp($output));
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;

    return scalar <$fh> // '';
}


sub log_text { slurp($_[0]->log_file()) }


sub logged {
    my ($self, $pattern) = @_;

    return scalar grep { /$pattern/ } split /\n/, $self->log_text();
}


# the lines of its log, decoded; what is no JSON comes as { text => line }
sub log_lines {
    my ($self) = @_;

    return map { my $line = $_; eval { JSON::PP::decode_json($line) }
                                // { text => $line } }
        split /\n/, $self->log_text();
}


# process ids of the loops; the supervisor is pid()
sub loops { $_[0]->running() ? Martech::Process::children($_[0]->pid()) : () }


# Lines about loops that ended by themselves: a test kills them, if it does.
sub crashed_loops {
    my ($self) = @_;

    return grep { /"msg":"loop died/ && !/"signal":(?:9|15),/ }
        split /\n/, $self->log_text();
}


# What stops, wakes or kills is meant for the whole program; the rest is for
# the supervisor, who tells its loops.
sub signal {
    my ($self, $signal) = @_;

    return $self->{process}->signal($signal)
        unless $signal =~ /^(?:STOP|CONT|KILL)$/;
    return $self->running() && kill $signal => -$self->pid();
}


# Supervisor and loops at the same moment: loops that are alone would give
# their leases back in order.
sub kill_now {
    my ($self) = @_;
    my $group = $self->pid();

    if ($self->running()) {
        $self->{process}{stopped} = 1;   # this end is wanted
        kill KILL => -$group;
    }

    $self->{process}->kill_now();
    $self->group_gone($group);
}


sub group_gone {
    my ($self, $group) = @_;

    return wait_until(sub { !Martech::Process::group($group) }, 10,
                      'the loops of the forwarder end');
}


sub wait_end {
    my ($self, $limit) = @_;
    my $ended = $self->{process}->wait_end($limit);

    $self->group_gone($self->pid()) if $ended;

    return $ended;
}


sub stop {
    my ($self, $limit) = @_;

    return 1 unless $self->{process};
    return $self->{process}->stop('TERM', $limit // 15);
}


1;
