package Martech::Service;

# An HTTP server whose answers are made by the code of a test: one process, one
# request at a time, a connection each.
#
#     my $service = Martech::Service->new(
#         answer => sub {
#             my ($state, $request) = @_;   # method, path, query, headers, body
#             return [200, { ok => 1 }];    # status; JSON, or a text; headers
#         },
#         order => sub { my ($state, $order) = @_; return { ... } });
#
# ask(...) gives an order to the process and returns what "order" returned.

use strict;
use warnings;

use IO::Socket::INET;

use Martech::Control;
use Martech::Http qw(to_json);


sub new {
    my ($class, %arg) = @_;
    my $self = bless { address => '127.0.0.1', %arg }, $class;
    my $listener = IO::Socket::INET->new(
        LocalAddr => $self->{address}, LocalPort => $arg{port} // 0,
        Listen => 128, ReuseAddr => 1,
    ) or die "service cannot listen: $!\n";

    $self->{port} = $listener->sockport();
    $self->{control} = Martech::Control->start(
        name => $arg{name} // 'service', closes => [$listener],
        code => sub { $self->serve($listener, $_[0]) });

    return $self;
}


sub port { $_[0]{port} }
sub url { "http://$_[0]{address}:$_[0]{port}" . ($_[1] // '/') }
sub stop { $_[0]{control}->stop() }
sub ask { my $self = shift; return $self->{control}->ask(@_) }


# ---- the process ----

sub serve {
    my ($self, $listener, $control) = @_;
    my $state = $self->{state} // {};

    while (1) {
        my $reads = '';

        vec($reads, fileno $_, 1) = 1 for $listener, $control->fh();
        next if select($reads, undef, undef, undef) < 0;

        if (vec $reads, fileno $control->fh(), 1) {
            $control->orders(sub {
                $self->{order} ? $self->{order}->($state, $_[0]) : {}
            }) or return;
        }

        if (vec $reads, fileno $listener, 1) {
            my $client = $listener->accept() or next;

            $self->take($client, $state);
            close $client;
        }
    }
}


sub take {
    my ($self, $client, $state) = @_;
    my $text = '';
    my $rest;

    until ($text =~ /\r\n\r\n/) {
        sysread $client, $text, 65536, length $text or return;
    }

    my ($head) = $text =~ /\A(.*?)\r\n\r\n/s;
    my ($line, @fields) = split /\r\n/, $head;
    my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } @fields;
    my ($method, $target) = split / /, $line;
    my ($path, $query) = split /\?/, $target, 2;
    my $length = length($head) + 4 + ($headers{'content-length'} // 0);

    while (length $text < $length) {
        sysread $client, $text, 65536, length $text or return;
    }

    my $answer = $self->{answer}->($state, {
        method => $method, path => $path, query => $query // '',
        headers => \%headers, body => substr $text, length($head) + 4 });

    return unless $answer;

    my ($status, $body, @more) = @$answer;

    $body = ref $body ? to_json($body) : $body // '';
    syswrite $client, "HTTP/1.1 $status Answer\r\nConnection: close\r\n"
        . 'Content-Length: ' . length($body) . "\r\n"
        . join('', map { "$_\r\n" } @more) . "\r\n$body";
}


# the fields of a form
sub form {
    my ($body) = @_;

    return map { my ($name, $value) = split /=/, $_, 2;
                 $value =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
                 ($name => $value) } split /&/, $body;
}


1;
