package Martech::Http;

# A raw HTTP/1.1 client: what it sends is what the test wrote, and a server
# that hangs or cuts is seen as such.

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

our @EXPORT_OK = qw(http get post post_bytes request_bytes basic to_json
                    from_json);

my $LIMIT = 20;
my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;


sub to_json { $JSON->encode($_[0]) }
sub from_json { $JSON->decode($_[0]) }


# value of an Authorization header
sub basic {
    my ($user, $password) = @_;

    return 'Basic ' . encode_base64($user . ':' . ($password // ''), '');
}


# ---- a connection ----

sub connect {
    my ($class, $port) = @_;
    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp',
    ) or die "cannot connect to port $port: $!\n";

    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;

    return bless { socket => $socket, buffer => '' }, $class;
}


sub send {
    my ($self, $bytes) = @_;
    my $sent = 0;

    local $SIG{PIPE} = 'IGNORE';

    while ($sent < length $bytes) {
        my $n = syswrite $self->{socket}, $bytes, length($bytes) - $sent, $sent;

        return 0 unless $n;
        $sent += $n;
    }

    return 1;
}


sub close { CORE::close $_[0]{socket} }

# says "no more from me" and still listens
sub half_close { shutdown $_[0]{socket}, 1 }


# ends by a reset, as a client that was killed may
sub abort {
    my ($self) = @_;

    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    CORE::close $self->{socket};
}


# Reads some bytes; returns their number, 0 at the end, undef after the limit.
sub fill {
    my ($self, $deadline) = @_;
    my $left = $deadline - time();
    my $bits = '';

    vec($bits, fileno $self->{socket}, 1) = 1;

    return undef if $left <= 0 || !select $bits, undef, undef, $left;

    my $n = sysread $self->{socket}, $self->{buffer}, 65536,
        length $self->{buffer};

    return $n // 0;
}


# true when the server closes within the limit, without a byte before
sub closed {
    my ($self, $limit) = @_;
    my $n = $self->fill(time() + $limit);

    return defined $n && $n == 0;
}


# true when the server says nothing for that long
sub silent {
    my ($self, $limit) = @_;

    return $self->{buffer} eq '' && !defined $self->fill(time() + $limit);
}


# Reads one response.  { status => 0, error => ... } when none came.
sub response {
    my ($self, %arg) = @_;
    my $deadline = time() + ($arg{limit} // $LIMIT);

    until ($self->{buffer} =~ /\r\n\r\n/) {
        my $n = $self->fill($deadline);

        return { status => 0, error => defined $n ? 'closed' : 'limit',
                 headers => {}, body => $self->{buffer} } unless $n;
    }

    $self->{buffer} =~ s/\A(.*?)\r\n\r\n//s;

    my ($line, @fields) = split /\r\n/, $1;
    my %headers;

    for (@fields) {
        my ($name, $value) = /^([^:]+):\s*(.*)$/;

        $headers{lc $name} = $value;
    }

    my ($status) = $line =~ m{^HTTP/1\.[01] (\d{3})};
    my $response = { status => $status // 0, headers => \%headers,
                     fields => \@fields };

    # "100 Continue" comes before the response
    if ($response->{status} == 100 && !$arg{interim}) {
        return $self->response(%arg);
    }

    $response->{body} = $self->body($response, $deadline, $arg{head});

    if (($headers{'content-type'} // '') =~ m{json} && length $response->{body})
    {
        $response->{json} = eval { from_json($response->{body}) };
    }

    return $response;
}


sub body {
    my ($self, $response, $deadline, $head) = @_;
    my $headers = $response->{headers};

    return '' if $head || $response->{status} =~ /^(?:1..|204|304)$/;

    if (($headers->{'transfer-encoding'} // '') eq 'chunked') {
        return $self->chunked_body($deadline);
    }

    my $length = $headers->{'content-length'};

    while (!defined $length || length $self->{buffer} < $length) {
        last unless $self->fill($deadline);
    }

    $length //= length $self->{buffer};

    return substr $self->{buffer}, 0, $length, '';
}


sub chunked_body {
    my ($self, $deadline) = @_;
    my $body = '';

    while (1) {
        if ($self->{buffer} =~ /\A([0-9a-fA-F]+)[^\r\n]*\r\n/) {
            my ($size, $head) = (hex $1, length $&);

            if (length $self->{buffer} >= $head + $size + 2) {
                $body .= substr $self->{buffer}, $head, $size;
                substr $self->{buffer}, 0, $head + $size + 2, '';
                return $body if $size == 0;
                next;
            }
        }

        last unless $self->fill($deadline);
    }

    return $body;
}


# ---- one request ----

# Bytes of a request.  body => bytes; headers => [name => value, ...];
# length => 0 to leave Content-Length out.
sub request_bytes {
    my ($method, $path, %arg) = @_;
    my @headers = @{ $arg{headers} // [] };
    my $bytes = "$method $path HTTP/1.1\r\nHost: "
        . ($arg{host} // 'localhost') . "\r\n";

    if (defined $arg{key}) {
        push @headers, Authorization => basic($arg{key});
    }

    if (defined $arg{type}) {
        push @headers, 'Content-Type' => $arg{type};
    }

    if (defined $arg{body} && ($arg{length} // 1)) {
        push @headers, 'Content-Length' => length $arg{body};
    }

    push @headers, Connection => 'close' if $arg{close};

    while (my ($name, $value) = splice @headers, 0, 2) {
        $bytes .= "$name: $value\r\n";
    }

    return "$bytes\r\n" . ($arg{body} // '');
}


sub http {
    my ($port, $method, $path, %arg) = @_;
    my $connection = Martech::Http->connect($port);

    $connection->send(request_bytes($method, $path, close => 1, %arg));

    my $response = $connection->response(
        head => $method eq 'HEAD', limit => $arg{limit});

    $connection->close();

    return $response;
}


sub get {
    my ($port, $path, %arg) = @_;

    return http($port, 'GET', $path, %arg);
}


# Posts JSON: a reference is encoded, a string is sent as it is.
sub post {
    my ($port, $path, $payload, %arg) = @_;

    return http($port, 'POST', $path, type => 'application/json', %arg,
                body => ref $payload ? to_json($payload) : $payload);
}


# the bytes that post() would send, on a connection that is kept
sub post_bytes {
    my ($path, $payload, %arg) = @_;

    return request_bytes('POST', $path, type => 'application/json', %arg,
                         body => ref $payload ? to_json($payload) : $payload);
}


1;
