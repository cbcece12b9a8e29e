package Martech::Control;

# A helper process of a test that takes orders while it runs: one line of JSON
# there, one line of JSON back.
#
# In the test, ask() returns what the process answered; so an order has been
# carried out when ask() returns.  In the process, orders() reads what has come.

use strict;
use warnings;

use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);

use Martech::Http qw(to_json from_json);
use Martech::Process;


# name; code => sub that gets this object, in the process; closes => [handles]
# that only the process needs
sub start {
    my ($class, %arg) = @_;

    socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!\n";

    my $self = bless { name => $arg{name}, fh => $ours, buffer => '' }, $class;

    $self->{process} = Martech::Process->start(
        name => $arg{name}, code => sub {
            close $ours;
            $self->{fh} = $theirs;
            $SIG{PIPE} = 'IGNORE';
            $arg{code}->($self);
        });

    close $_ for $theirs, @{ $arg{closes} // [] };

    return $self;
}


sub fh { $_[0]{fh} }
sub pid { $_[0]{process}->pid() }
sub running { $_[0]{process}->alive() }
sub stop { $_[0]{process}->stop('TERM', 5) }


sub ask {
    my ($self, %order) = @_;

    local $SIG{PIPE} = 'IGNORE';

    syswrite $self->{fh}, to_json(\%order) . "\n";

    until ($self->{buffer} =~ /\n/) {
        sysread $self->{fh}, $self->{buffer}, 65536, length $self->{buffer}
            or die "$self->{name} has ended\n";
    }

    $self->{buffer} =~ s/\A(.*)\n//;

    my $answer = from_json($1);

    die "$self->{name}: $answer->{error}\n" if defined $answer->{error};

    return $answer;
}


# ---- in the process ----

# Calls the code for each order that has come and sends back what it returns,
# which is a hash; false when the test is gone.  Its handle must be readable.
sub orders {
    my ($self, $code) = @_;

    sysread $self->{fh}, $self->{buffer}, 65536, length $self->{buffer}
        or return 0;

    while ($self->{buffer} =~ s/\A(.*)\n//) {
        my $order = from_json($1);
        my $answer = eval { $code->($order) } // { error => "$@" || 'failed' };

        syswrite $self->{fh}, to_json($answer) . "\n";
    }

    return 1;
}


1;
