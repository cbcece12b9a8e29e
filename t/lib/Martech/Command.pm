package Martech::Command;

# The commands of martech-forwarder for people, as a test runs them:
#
#     my $cli = Martech::Command->new($t, $conf);
#     my $r = $cli->run('dead', 'ls', '--json');
#     # { status, out, err, json (of --json), lines (of lines of JSON) }

use strict;
use warnings;

use JSON::PP ();

use Martech::Process;


# env => {...}
sub new {
    my ($class, $t, $conf, %arg) = @_;
    my $program = $t->{asan} ? 'build/asan/martech-forwarder'
                             : 'build/martech-forwarder';
    my $self = bless {
        file => $t->file('command.yaml', $t->fill($conf)), %arg,
        out => $t->dir() . '/command.out', err => $t->dir() . '/command.err',
        program => $t->root() . "/$program",
    }, $class;

    return $self;
}


# start(COMMAND ...): it runs on; end() gives what it did
sub start {
    my ($self, @words) = @_;

    unlink $self->{out}, $self->{err};

    return Martech::Process->start(
        name => "martech-forwarder @words", code => sub {
            $ENV{ASAN_OPTIONS} = 'detect_leaks=0';
            $ENV{$_} = $self->{env}{$_} for keys %{ $self->{env} // {} };
            open STDOUT, '>', $self->{out} or die "$self->{out}: $!\n";
            open STDERR, '>', $self->{err} or die "$self->{err}: $!\n";
            exec $self->{program}, @words or die "$self->{program}: $!\n";
        });
}


sub end {
    my ($self, $process, $limit) = @_;

    $process->wait_end($limit // 60) or die "$process->{name} does not end\n";

    my ($out, $err) = map { Martech::Forwarder::slurp($_) }
        @{$self}{qw(out err)};
    my $json = JSON::PP->new()->utf8()->allow_nonref();
    my @lines = map { eval { $json->decode($_) } } split /\n/, $out;

    return { status => $process->status() >> 8, out => $out, err => $err,
             signal => $process->status() & 127, lines => \@lines,
             json => scalar eval { $json->decode($out) } };
}


# with the configuration
sub run {
    my ($self, @words) = @_;

    return $self->end($self->start(@words, '-c', $self->{file}));
}


# as it stands
sub plain {
    my ($self, @words) = @_;

    return $self->end($self->start(@words));
}


1;
