package Martech::H2;

# A small HTTP/2 client for what curl cannot do: several streams at once on a
# clear-text connection, resets, and DATA in pieces.
#
# It knows the frames and as much HPACK as NGINX's answers need to be told by
# their status.

use strict;
use warnings;

use Time::HiRes qw(time);

use Martech::Http;

my ($DATA, $HEADERS, $RST_STREAM, $SETTINGS, $GOAWAY) = (0, 1, 3, 4, 7);
my ($END_STREAM, $END_HEADERS, $ACK) = (1, 4, 1);

# RFC 7541, appendix A: statuses that are one byte
my %STATUS = (0x88 => 200, 0x89 => 204, 0x8a => 206, 0x8b => 304,
              0x8c => 400, 0x8d => 404, 0x8e => 500);


sub connect {
    my ($class, $port) = @_;
    my $self = bless {
        http => Martech::Http->connect($port), stream => -1, answers => {},
    }, $class;

    $self->{http}->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->frame($SETTINGS, 0, 0, '');

    return $self;
}


sub close { $_[0]{http}->close() }


sub frame {
    my ($self, $type, $flags, $stream, $payload) = @_;

    $self->{http}->send(substr(pack('N', length $payload), 1)
                        . pack('CCN', $type, $flags, $stream) . $payload);
}


# a header field as a literal without indexing and without Huffman code
sub field {
    my ($name, $value) = @_;

    return "\0" . chr(length $name) . $name . chr(length $value) . $value;
}


# Opens a stream for a POST; its number.
sub open {
    my ($self, $path, @headers) = @_;
    my $block = field(':method', 'POST') . field(':scheme', 'http')
        . field(':path', $path) . field(':authority', 'localhost');

    $self->{stream} += 2;

    while (my ($name, $value) = splice @headers, 0, 2) {
        $block .= field($name, $value);
    }

    $self->frame($HEADERS, $END_HEADERS, $self->{stream}, $block);

    return $self->{stream};
}


sub data {
    my ($self, $stream, $bytes, $last) = @_;

    $self->frame($DATA, $last ? $END_STREAM : 0, $stream, $bytes);
}


sub reset {
    my ($self, $stream) = @_;

    $self->frame($RST_STREAM, 0, $stream, pack 'N', 8);
}


# a whole POST; the number of its stream
sub post {
    my ($self, $path, $body, @headers) = @_;
    my $stream = $self->open($path, @headers);

    $self->data($stream, $body, 1);

    return $stream;
}


# The status of a stream, once it has ended; 0 if it was reset, undef if
# nothing came within the limit.
sub status {
    my ($self, $stream, $limit) = @_;
    my $deadline = time() + ($limit // 20);
    my $answer = $self->{answers}{$stream} //= {};

    until ($answer->{done}) {
        $self->take_frames();
        last if $answer->{done};
        return undef unless $self->{http}->fill($deadline);
    }

    return $answer->{status} // 0;
}


sub take_frames {
    my ($self) = @_;
    my $buffer = \$self->{http}{buffer};

    while (length $$buffer >= 9) {
        my $length = unpack 'N', "\0" . substr $$buffer, 0, 3;
        my ($type, $flags, $stream) = unpack 'CCN', substr $$buffer, 3, 6;

        last if length $$buffer < 9 + $length;

        my $payload = substr $$buffer, 9, $length;
        my $answer = $self->{answers}{$stream} //= {};

        substr $$buffer, 0, 9 + $length, '';

        if ($type == $SETTINGS && !($flags & $ACK)) {
            $self->frame($SETTINGS, $ACK, 0, '');
        }

        if ($type == $HEADERS) {
            $answer->{status} = status_of($payload);
        }

        if ($type == $RST_STREAM) {
            $answer->{done} = 1;
            delete $answer->{status};
        }

        if (($type == $HEADERS || $type == $DATA) && $flags & $END_STREAM) {
            $answer->{done} = 1;
        }
    }
}


# NGINX writes the status first: one byte, or a literal of three digits
sub status_of {
    my ($block) = @_;

    # a change of the table's size may stand before it
    $block =~ s/\A[\x20-\x3f]//;

    return $STATUS{ord $block} // ($block =~ /\A[\x48\x08]\x03(\d{3})/)[0] // 0;
}


1;
