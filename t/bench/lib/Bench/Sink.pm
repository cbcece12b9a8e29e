package Bench::Sink;

# The sink of t/bench/sink.c as an object: started, asked, held and stopped.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP ();

use Bench qw(BUILD pin slurp);
use Martech::Process;
use Martech::Wait qw(wait_until);


# dir => for its output; name; cpu => processor to be bound to; delay => ms
# before an answer
sub new {
    my ($class, %arg) = @_;
    my $output = "$arg{dir}/$arg{name}.log";
    my $self = bless { %arg }, $class;

    $self->{process} = Martech::Process->start(
        name => $arg{name}, output => $output,
        argv => [BUILD . '/bench/bin/sink',
                 $arg{delay} ? ('--delay', $arg{delay}) : (),
                 '"messageId":', '"client_id":']);

    wait_until(sub { -s $output }, 10, 'the sink listens');
    pin($self->{process}->pid(), $arg{cpu}) if defined $arg{cpu};

    ($self->{port}) = slurp($output) =~ /^(\d+)$/m
        or die 'sink: ', slurp($output);

    return $self;
}


sub port { $_[0]{port} }
sub url { "http://127.0.0.1:$_[0]{port}/" }
sub signal { $_[0]{process}->signal($_[1]) }
sub stop { $_[0]{process}->stop() }
sub reset { $_[0]->ask('/reset') }
sub stats { $_[0]->ask('/stats') }
sub percentiles { $_[0]->ask('/percentiles') }
sub most { $_[0]->ask('/most')->{most} }
sub numbers { $_[0]->ask("/numbers/$_[1]") }


# The decoded answer, {} if it has no body.
sub ask {
    my ($self, $path) = @_;
    my $socket = $self->{socket} //= IO::Socket::INET->new(
        "127.0.0.1:$self->{port}") or die "the sink is gone\n";
    my $answer = '';

    syswrite $socket, "GET $path HTTP/1.1\r\nHost: sink\r\n\r\n";

    until ($answer =~ /\r\n\r\n/
           && ($answer =~ / 204 / || length($answer) >= answer_length($answer)))
    {
        sysread $socket, $answer, 65536, length $answer
            or die "the sink hung up\n";
    }

    my ($body) = $answer =~ /\r\n\r\n(\{.*)/s or return {};

    return JSON::PP::decode_json($body);
}


sub answer_length {
    my ($answer) = @_;
    my ($head) = $answer =~ /\A(.*?\r\n\r\n)/s or return 1e9;
    my ($length) = $head =~ /^content-length: (\d+)/mi or return 1e9;

    return length($head) + $length;
}


1;
