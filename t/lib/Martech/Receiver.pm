package Martech::Receiver;

# The other end of a destination: an HTTP/1.1 server that writes down every
# request and answers as it was told.
#
# One process, one loop, keep-alive connections.  An answer is
#   { status => 200, headers => [name => value], body => '...',
#     delay => seconds, cut => 1 (close without a byte) }
# The answers given are used one a request; then "always" is repeated.  Before
# both go those that are given for a messageId, to requests that hold it first.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

use Martech::Http qw(to_json from_json);
use Martech::Process;
use Martech::Wait qw(wait_until);


my %REASON = (200 => 'OK', 400 => 'Bad Request', 429 => 'Too Many Requests',
              500 => 'Internal Server Error', 503 => 'Service Unavailable');


# file => where requests are written; answers => [...]; always => {...};
# port => 0 for any
sub new {
    my ($class, %arg) = @_;
    my $self = bless { answers => [], always => { status => 200 }, %arg },
        $class;

    $self->start();

    return $self;
}


sub start {
    my ($self) = @_;
    my $listener = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $self->{port} // 0,
        Listen => 128, ReuseAddr => 1,
    ) or die "receiver cannot listen: $!\n";

    $self->{port} = $listener->sockport();

    socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!\n";

    $self->{process} = Martech::Process->start(
        name => 'receiver', code => sub {
            close $ours;
            $self->serve($listener, $theirs);
        });
    $self->{control} = $ours;
    close $theirs;
    close $listener;
}


sub port { $_[0]{port} }
sub url { "http://127.0.0.1:$_[0]{port}" . ($_[1] // '/') }
sub stop { $_[0]{process}->stop('TERM', 5) }


# changes what is answered from now on: answers => [...], always => {...},
# by => { messageId => [...] }
sub answer {
    my ($self, %arg) = @_;

    syswrite $self->{control}, to_json(\%arg) . "\n";

    # it says when it has changed
    sysread $self->{control}, my $done, 1;
}


# { method, path, headers, body, at, status } of each request so far
sub requests {
    my ($self) = @_;

    open my $fh, '<', $self->{file} or return ();

    return map { from_json($_) } grep { /\n\z/ } <$fh>;
}


sub wait_requests {
    my ($self, $count, $limit) = @_;

    wait_until(sub { my $have = () = $self->requests(); $have >= $count },
               $limit // 20, "the receiver gets $count requests");

    return $self->requests();
}


# The decoded events of all requests that were answered with success.
sub events {
    my ($self) = @_;

    return map { ref $_ eq 'ARRAY' ? @$_ : $_ }
        map { from_json($_->{body}) }
        grep { $_->{status} >= 200 && $_->{status} < 300 } $self->requests();
}


# ---- the server process ----

sub serve {
    my ($self, $listener, $control) = @_;

    local $SIG{PIPE} = 'IGNORE';

    $listener->blocking(0);
    open $self->{log}, '>>', $self->{file} or die "$self->{file}: $!\n";
    $self->{log}->autoflush(1);

    $self->{select} = IO::Select->new($listener, $control);
    $self->{buffers} = {};
    $self->{later} = [];

    while (1) {
        for my $fh ($self->{select}->can_read($self->pause())) {
            if ($fh == $listener) {
                $self->take_client($listener);

            } elsif ($fh == $control) {
                return unless $self->take_orders($control);

            } else {
                $self->take_bytes($fh);
            }
        }

        $self->give_due();
    }
}


# seconds until the next answer is due
sub pause {
    my ($self) = @_;
    my ($due) = sort { $a <=> $b } map { $_->{at} } @{ $self->{later} };

    return undef unless defined $due;

    my $pause = $due - time();

    return $pause > 0 ? $pause : 0;
}


sub take_client {
    my ($self, $listener) = @_;
    my $client = $listener->accept() or return;

    setsockopt $client, IPPROTO_TCP, TCP_NODELAY, 1;
    $self->{select}->add($client);
    $self->{buffers}{$client} = '';
}


sub drop_client {
    my ($self, $fh) = @_;

    $self->{select}->remove($fh);
    delete $self->{buffers}{$fh};
    close $fh;
}


sub take_orders {
    my ($self, $control) = @_;

    $self->{orders} //= '';
    sysread $control, $self->{orders}, 65536, length $self->{orders}
        or return 0;

    while ($self->{orders} =~ s/\A(.*)\n//) {
        my $order = from_json($1);

        $self->{answers} = $order->{answers} // [];
        $self->{always} = $order->{always} if $order->{always};
        $self->{by} = $order->{by} // {};
        syswrite $control, '.';
    }

    return 1;
}


sub take_bytes {
    my ($self, $fh) = @_;
    my $buffer = \$self->{buffers}{$fh};

    if (!sysread $fh, $$buffer, 65536, length $$buffer) {
        $self->drop_client($fh);
        return;
    }

    while ($$buffer =~ /\A(.*?)\r\n\r\n/s) {
        my ($head, $start) = ($1, length $&);
        my ($line, @fields) = split /\r\n/, $head;
        my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } @fields;
        my $length = $headers{'content-length'} // 0;

        if ($length > 0 && length $$buffer == $start
            && lc($headers{expect} // '') eq '100-continue')
        {
            syswrite $fh, "HTTP/1.1 100 Continue\r\n\r\n";
        }

        last if length $$buffer < $start + $length;

        $self->take_request($fh, $line, \%headers,
                            substr $$buffer, $start, $length);
        substr $$buffer, 0, $start + $length, '';
    }
}


sub take_request {
    my ($self, $fh, $line, $headers, $body) = @_;
    my ($method, $path) = split / /, $line;
    my ($id) = %{ $self->{by} // {} } && $body =~ /"messageId":"([^"]+)"/;
    my $own = defined $id ? $self->{by}{$id} : undef;
    my $answer = ($own && shift @$own)
        // shift @{ $self->{answers} } // $self->{always};

    print { $self->{log} } to_json({
        method => $method, path => $path, headers => $headers,
        body => $body, at => time(), status => $answer->{status} // 0,
    }), "\n";

    push @{ $self->{later} },
        { %$answer, fh => $fh, at => time() + ($answer->{delay} // 0) };
}


sub give_due {
    my ($self) = @_;
    my $now = time();

    $self->give($_) for grep { $_->{at} <= $now } @{ $self->{later} };
    $self->{later} = [ grep { $_->{at} > $now } @{ $self->{later} } ];
}


sub give {
    my ($self, $answer) = @_;
    my $fh = $answer->{fh};

    return unless exists $self->{buffers}{$fh};
    return $self->drop_client($fh) if $answer->{cut};

    my $body = $answer->{body} // '';
    my @headers = @{ $answer->{headers} // [] };
    my $bytes = "HTTP/1.1 $answer->{status} "
        . ($REASON{$answer->{status}} // 'Status') . "\r\n"
        . 'Content-Length: ' . length($body) . "\r\n";

    while (my ($name, $value) = splice @headers, 0, 2) {
        $bytes .= "$name: $value\r\n";
    }

    syswrite $fh, "$bytes\r\n$body";
}


1;
