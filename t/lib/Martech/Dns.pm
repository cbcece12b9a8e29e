package Martech::Dns;

# A name server for "resolver 127.0.0.1:PORT": A and AAAA records from a table
# that the test changes, NXDOMAIN for any other name.  UDP, TTL 1.

use strict;
use warnings;

use IO::Socket::INET;
use Socket qw(AF_INET AF_INET6 inet_pton);

use Martech::Control;

my %TYPE = (1 => AF_INET, 28 => AF_INET6);
my %RCODE = (ok => 0, servfail => 2, nxdomain => 3, refused => 5);


# table => { name => address or [addresses] }; port => 0 for any
sub new {
    my ($class, %arg) = @_;
    my $self = bless { table => {}, ttl => 1, %arg }, $class;
    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $arg{port} // 0, Proto => 'udp',
    ) or die "name server cannot bind: $!\n";

    $self->{port} = $socket->sockport();
    $self->{control} = Martech::Control->start(
        name => 'dns', closes => [$socket],
        code => sub { $self->serve($socket, $_[0]) });

    return $self;
}


sub port { $_[0]{port} }
sub address { "127.0.0.1:$_[0]{port}" }
sub stop { $_[0]{control}->stop() }

# Changes the table: name => address, [addresses], or undef to forget it.
sub set { my ($self, %names) = @_; $self->{control}->ask(names => \%names) }

# Answers everything so: "servfail", "refused", "nxdomain"; "silent" not at
# all; "ok" from the table again.
sub answer { $_[0]{control}->ask(mode => $_[1]) }

# how many questions came for a name, all types together
sub asked { $_[0]{control}->ask()->{lc $_[1]} // 0 }


# ---- the process ----

sub serve {
    my ($self, $socket, $control) = @_;

    @{$self}{qw(mode asked)} = ('ok', {});

    while (1) {
        my $reads = '';

        vec($reads, fileno $_, 1) = 1 for $socket, $control->fh();
        next if select($reads, undef, undef, undef) < 0;

        if (vec $reads, fileno $control->fh(), 1) {
            $control->orders(sub { $self->obey($_[0]) }) or return;
        }

        if (vec $reads, fileno $socket, 1) {
            my $peer = $socket->recv(my $query, 4096);
            my $answer = defined $peer ? $self->answer_to($query) : undef;

            $socket->send($answer, 0, $peer) if defined $answer;
        }
    }
}


sub obey {
    my ($self, $order) = @_;
    my $names = $order->{names} // {};

    if (defined $order->{mode}) {
        die "unknown answer \"$order->{mode}\"\n"
            unless exists $RCODE{$order->{mode}} || $order->{mode} eq 'silent';
        $self->{mode} = $order->{mode};
    }

    $self->{table}{lc $_} = $names->{$_} for keys %$names;

    return $self->{asked};
}


# the bytes of an answer; undef for none
sub answer_to {
    my ($self, $query) = @_;
    my ($id, $flags, $count) = unpack 'nnn', $query;

    # one question is all that resolvers ask
    return undef unless length $query >= 17 && $count == 1
                        && !($flags & 0x8000);

    my ($name, $end) = ('', 12);

    while (my $length = ord substr $query, $end, 1) {
        return undef if $length > 63 || $end + $length + 6 > length $query;

        $name .= ($name eq '' ? '' : '.') . lc substr $query, $end + 1, $length;
        $end += 1 + $length;
    }

    my $type = unpack 'n', substr $query, $end + 1, 2;

    $self->{asked}{$name}++;

    return undef if $self->{mode} eq 'silent';

    my $known = $self->{table}{$name};
    my $rcode = $self->{mode} ne 'ok' ? $RCODE{$self->{mode}}
                : defined $known ? $RCODE{ok} : $RCODE{nxdomain};
    my @data = $rcode == 0 ? addresses($type, $known) : ();

    # an answer, authoritative; recursion as it was asked for, and available
    return pack('n6', $id, 0x8480 | $flags & 0x0100 | $rcode, 1, scalar @data,
                0, 0)
        . substr($query, 12, $end + 5 - 12)
        . join '', map { pack 'n3 N n/a', 0xc00c, $type, 1, $self->{ttl}, $_ }
                   @data;
}


# the records of a type, as they are sent
sub addresses {
    my ($type, $known) = @_;
    my $family = $TYPE{$type} or return ();

    return grep { defined } map { inet_pton($family, $_) }
        ref $known ? @$known : $known;
}


1;
