package Martech::Hostile;

# A server that breaks the rules of HTTP, each connection by a script of its
# own: a list of steps
#
#     ['read']                  until the request is complete
#     ['send', bytes]           and wait until the kernel has them
#     ['flood', bytes]          again and again, until the other side is gone
#     ['drip', bytes, seconds]  a byte each so many seconds, without end
#     ['close'], ['reset'], ['hang']
#
# Scripts given are used one a connection; then "always" is repeated.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC SOL_SOCKET SO_LINGER
              IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

use Martech::Http qw(to_json from_json);
use Martech::Process;


my $OK = [['read'],
          ['send', "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                   . "Connection: close\r\n\r\n"],
          ['close']];


sub new {
    my ($class, %arg) = @_;
    my $self = bless { scripts => [], always => $OK, %arg }, $class;
    my $listener = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 128,
        ReuseAddr => 1,
    ) or die "cannot listen: $!\n";

    $self->{port} = $listener->sockport();

    socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!\n";

    $self->{process} = Martech::Process->start(
        name => 'hostile', code => sub {
            close $ours;
            $self->serve($listener, $theirs);
        });
    $self->{control} = $ours;
    close $theirs;
    close $listener;

    return $self;
}


sub url { ($_[2] // 'http') . "://127.0.0.1:$_[0]{port}" . ($_[1] // '/') }
sub stop { $_[0]{process}->stop('TERM', 5) }


# what the next connections meet; then all is well again
sub play {
    my ($self, @scripts) = @_;

    syswrite $self->{control}, to_json(\@scripts) . "\n";
    sysread $self->{control}, my $done, 1;
}


# ---- the server process ----

sub serve {
    my ($self, $listener, $control) = @_;

    local $SIG{PIPE} = 'IGNORE';

    $self->{clients} = {};

    while (1) {
        my $read = IO::Select->new($listener, $control);
        my $write = IO::Select->new();
        my $now = time();
        my $pause = 5;

        for my $client (values %{ $self->{clients} }) {
            my $what = $client->{steps}[0][0];

            $read->add($client->{fh}) if $what eq 'read';
            $write->add($client->{fh}) if $what eq 'send' || $what eq 'flood';

            if ($what eq 'drip') {
                my $left = $client->{at} - $now;

                $pause = $left > 0 ? $left : 0 if $left < $pause;
            }
        }

        my @ready = IO::Select::select($read, $write, undef, $pause);

        for my $fh (@ready ? (@{ $ready[0] }, @{ $ready[1] }) : ()) {
            if ($fh == $listener) {
                $self->take_client($listener);

            } elsif ($fh == $control) {
                return unless $self->take_orders($control);

            } elsif ($self->{clients}{$fh}) {
                $self->step($self->{clients}{$fh});
            }
        }

        $now = time();
        $self->step($_) for grep { $_->{steps}[0][0] eq 'drip'
                                   && $_->{at} <= $now }
            values %{ $self->{clients} };
    }
}


sub take_client {
    my ($self, $listener) = @_;
    my $fh = $listener->accept() or return;

    setsockopt $fh, IPPROTO_TCP, TCP_NODELAY, 1;
    $fh->blocking(0);

    my $script = shift @{ $self->{scripts} } // $self->{always};
    my $client = { fh => $fh, in => '', at => time(), sent => 0,
                   steps => [map { [@$_] } @$script] };

    $self->{clients}{$fh} = $client;
    $self->finish($client);
}


sub take_orders {
    my ($self, $control) = @_;

    $self->{orders} //= '';
    sysread $control, $self->{orders}, 65536, length $self->{orders}
        or return 0;

    while ($self->{orders} =~ s/\A(.*)\n//) {
        $self->{scripts} = from_json($1);
        syswrite $control, '.';
    }

    return 1;
}


sub next_step {
    my ($self, $client) = @_;

    shift @{ $client->{steps} };
    $client->{sent} = 0;
    $client->{at} = time();
    $self->finish($client);
}


# the steps that take no time
sub finish {
    my ($self, $client) = @_;
    my $what = ($client->{steps}[0] //= ['close'])->[0];

    return unless $what eq 'close' || $what eq 'reset';

    setsockopt $client->{fh}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0
        if $what eq 'reset';

    delete $self->{clients}{ $client->{fh} };
    close $client->{fh};
}


sub step {
    my ($self, $client) = @_;
    my ($what, $bytes, $every) = @{ $client->{steps}[0] };

    return $self->read_request($client) if $what eq 'read';

    $bytes = substr $bytes, $client->{sent} % length $bytes, 1
        if $what eq 'drip';

    my $n = syswrite $client->{fh}, $bytes, length $bytes,
        $what eq 'send' ? $client->{sent} : 0;

    if (!defined $n) {
        return if $!{EAGAIN} || $!{EINTR};
        return $self->gone($client);
    }

    $client->{sent} += $n;
    $client->{at} = time() + $every if $what eq 'drip';
    $self->next_step($client)
        if $what eq 'send' && $client->{sent} == length $bytes;
}


sub read_request {
    my ($self, $client) = @_;

    sysread $client->{fh}, $client->{in}, 65536, length $client->{in}
        or return $self->gone($client);

    return unless $client->{in} =~ /\A(.*?)\r\n\r\n/s;

    my $start = length $&;
    my ($length) = $1 =~ /^content-length:\s*(\d+)/im;

    $self->next_step($client)
        if length $client->{in} >= $start + ($length // 0);
}


sub gone {
    my ($self, $client) = @_;

    $client->{steps} = [['close']];
    $self->finish($client);
}


1;
