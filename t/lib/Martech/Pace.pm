package Martech::Pace;

# Sends so many numbered events a second, from one process, over connections
# that are kept, and remembers each one that was answered with success.
#
#     my $load = $t->load(port => $port, rate => 500, name => 'a');
#     $load->wait_more(1000);
#     my @ids = $load->stop();
#     is(Martech::Pace::altered($event), '', '...') for ...
#
# An event is a function of its number, so that whoever reads it can tell that
# nothing was altered.  Nothing is sent again: what was not answered with
# success may or may not be stored.
#
# Latency counts from the moment when a request was due, so that it does not
# look better when the server makes it wait for a connection.  What is more than
# one second late is left out, and counted as "skipped".

use strict;
use warnings;

use Errno qw(EAGAIN ECONNREFUSED EINPROGRESS EINTR);
use List::Util qw(max min);
use Socket qw(PF_INET SOCK_STREAM IPPROTO_TCP TCP_NODELAY inet_aton
              pack_sockaddr_in);
use Time::HiRes qw(time);

use Martech::Control;
use Martech::Http qw(from_json request_bytes);
use Martech::Wait qw(wait_until);

# seconds: between two looks at the connections, which is as exact as latencies
# are, until a connection is tried again, and until a request counts as lost
my ($TICK, $REST, $LIMIT) = (0.001, 0.05, 30);

# how many latencies are remembered
my $LATEST = 1000;

# with an escape of each kind, and a character as it is
my $FILLER = 'The quick \"brown\" fox \\\\ jumps over the lazy dog: gr\u00fcn '
    . "\xe2\x82\xac ";
my $DECODED = from_json("\"$FILLER\"");


# port; rate => events a second; dir => folder of the list; name => what the
# messageIds begin with; connections => 20; batch => 1 event a request;
# path; key => write key; headers => [name => value, ...]; first => 1
sub new {
    my ($class, %arg) = @_;
    my $self = bless {
        name => 'p', connections => 20, batch => 1, first => 1,
        headers => [], %arg,
    }, $class;

    $self->{path} //= $self->{batch} > 1 ? '/v1/batch' : '/v1/track';
    $self->{control} = Martech::Control->start(
        name => "pace $self->{name}", code => sub { $self->run($_[0]) });

    return $self;
}


sub list { "$_[0]{dir}/acked.$_[0]{name}" }
sub pid { $_[0]{control}->pid() }

# changes the rate; 0 is a pause
sub rate { $_[0]{control}->ask(rate => $_[1]) }

# { sent, acked, skipped (events), busy (requests on their way),
# status => { 200 => requests, ...; "cut": no whole answer; "limit": none in
# time; "refused": no connection }, ack => { redis => requests, ...
# (X-Martech-Ack) }, latency => [the latest, in ms, oldest first], slowest (ms,
# since the last mark()) }
sub stats { $_[0]{control}->ask() }

# forgets the latencies so far
sub mark { $_[0]{control}->ask(mark => 1) }


# messageIds that were answered with success so far; with the value of
# X-Martech-Ack only those
sub acked {
    my ($self, $ack) = @_;

    CORE::open my $fh, '<', $self->list() or return ();

    return map { /\A(\S+) (\S+)\n\z/ && (!defined $ack || $2 eq $ack)
                 ? $1 : () } <$fh>;
}


# waits until so many more were answered than at the time of the call
sub wait_more {
    my ($self, $count, $limit) = @_;
    my $want = $self->stats()->{acked} + $count;

    wait_until(sub { $self->stats()->{acked} >= $want }, $limit // 30,
               "$count more events are answered");
}


# Sends no more, waits for the answers that are due; the acknowledged ones.
sub stop {
    my ($self, $limit) = @_;

    if ($self->{control} && $self->{control}->running()) {
        $self->{last} = eval {
            $self->rate(0);
            wait_until(sub { $self->stats()->{busy} == 0 }, $limit // 35,
                       'the last answers');
            $self->stats();
        };
        $self->{control}->stop();
    }

    return $self->acked();
}


# the percentile of latencies, in ms: percentile(0.99, $stats->{latency})
sub percentile {
    my ($part, $latency) = @_;
    my @sorted = sort { $a <=> $b } @$latency;

    return @sorted ? $sorted[min($#sorted, int($part * @sorted))] : 0;
}


# ---- events ----

sub id_of { sprintf '%s-%08d', @_ }


# the JSON of an event; its size goes from 150 to 1,300 bytes
sub payload {
    my ($name, $n) = @_;

    return sprintf '{"type":"track","event":"Paced","anonymousId":"v-%d",'
        . '"messageId":"%s","properties":{"n":%d,"text":"%s"}}',
        $n % 97, id_of($name, $n), $n, text_of($n, $FILLER);
}


sub text_of { ($_[1] x ($_[0] * 7 % 19)) . $_[0] * 2654435761 % 4294967296 }


# The field of a decoded event that is not as it was sent; '' if all are.
sub altered {
    my ($event) = @_;
    my ($n) = ($event->{messageId} // '') =~ /\A.+-(\d{8,})\z/
        or return 'messageId';
    my $properties = $event->{properties} // {};
    my %want = (type => 'track', event => 'Paced', anonymousId => 'v-'. $n % 97,
                n => $n + 0, text => text_of($n, $DECODED),
                properties => 'n text');
    my %have = (%$properties, %$event, n => $properties->{n},
                properties => join ' ', sort keys %$properties);

    return (grep { ($have{$_} // '') ne $want{$_} } sort keys %want)[0] // '';
}


# ---- the process ----

# A connection is { fh, buffer, out (not sent yet), ids and due of the request
# that is on its way, limit (when that is lost), again (when to connect) }

sub run {
    my ($self, $control) = @_;

    CORE::open $self->{out}, '>>', $self->list()
        or die $self->list() . ": $!\n";

    @{$self}{qw(next conns)} = ($self->{first}, [ map { { again => 0 } }
                                                  1 .. $self->{connections} ]);
    @{$self}{qw(counts latency slowest begin due)} =
        ({ sent => 0, acked => 0, skipped => 0, status => {}, ack => {} }, [],
         0, time(), 0);

    # what to read from and to write to, as select() wants it
    @{$self}{qw(reads writes lines)} = ('', '', '');
    vec($self->{reads}, fileno $control->fh(), 1) = 1;

    $self->{now} = time();

    while (1) {
        my ($reads, $writes) = @{$self}{qw(reads writes)};
        my $n = select $reads, $writes, undef, $self->pause();

        $self->{now} = time();

        if ($n > 0) {
            for my $c (@{ $self->{conns} }) {
                next unless $c->{fh};

                $self->give($c) if vec $writes, $c->{fd}, 1;
                $self->take($c) if $c->{fh} && vec $reads, $c->{fd}, 1;
            }

            if (vec $reads, fileno $control->fh(), 1) {
                $self->write_list();
                $control->orders(sub { $self->obey($_[0]) }) or return;
            }
        }

        $self->send_due();
        $self->write_list();

        # what comes in a tick is dealt with together
        select undef, undef, undef, $TICK;
    }
}


# The list is written when an order is answered at the latest: "acked" counts
# what stands in it.
sub write_list {
    my ($self) = @_;

    return if $self->{lines} eq '';

    syswrite $self->{out}, $self->{lines};
    $self->{lines} = '';
}


sub obey {
    my ($self, $order) = @_;

    if (defined $order->{rate}) {
        @{$self}{qw(rate begin due)} = ($order->{rate}, $self->{now}, 0);
    }

    @{$self}{qw(slowest latency)} = (0, []) if $order->{mark};

    return { %{ $self->{counts} }, latency => $self->{latency},
             slowest => $self->{slowest},
             busy => scalar grep { $_->{ids} } @{ $self->{conns} } };
}


# seconds until the next request is due
sub pause {
    my ($self) = @_;

    return 0.1 unless $self->{rate};

    my $next = $self->{begin} + ($self->{due} + $self->{batch}) / $self->{rate};

    return max(0, min(0.1, $next - $self->{now}));
}


sub send_due {
    my ($self) = @_;
    my ($rate, $batch) = @{$self}{qw(rate batch)};
    my $due = ($self->{now} - $self->{begin}) * $rate;

    $self->check_limits();

    # more than a second late
    if ($due - $self->{due} > $rate + $batch) {
        my $skip = int($due - $self->{due} - $rate);

        $self->{due} += $skip;
        $self->{counts}{skipped} += $skip;
    }

    for my $c (@{ $self->{conns} }) {
        last if $self->{due} + $batch > $due;
        next if $c->{ids} || !$self->open($c);

        $self->send_next($c, $self->{begin} + $self->{due} / $rate);
        $self->{due} += $batch;
    }

    # the one that has rested longest is the next
    push @{ $self->{conns} }, shift @{ $self->{conns} };
}


sub send_next {
    my ($self, $c, $due) = @_;
    my @numbers = $self->{next} .. $self->{next} + $self->{batch} - 1;
    my @events = map { payload($self->{name}, $_) } @numbers;
    my $body = $self->{batch} > 1
        ? '{"batch":[' . join(',', @events) . ']}' : $events[0];

    $self->{next} += $self->{batch};
    $self->{counts}{sent} += $self->{batch};

    @{$c}{qw(ids due limit)} = (\@numbers, $due, $self->{now} + $LIMIT);
    $c->{out} = $self->head(length $body) . $body;
    $self->give($c);
}


# the same for all requests but for the length
sub head {
    my ($self, $length) = @_;

    $self->{head} //= [ split /LENGTH/, request_bytes(
        'POST', $self->{path}, type => 'application/json', key => $self->{key},
        headers => [ @{ $self->{headers} }, 'Content-Length' => 'LENGTH' ]) ];

    return join $length, @{ $self->{head} };
}


sub open {
    my ($self, $c) = @_;

    return 1 if $c->{fh};
    return 0 if $c->{again} > $self->{now};

    socket my $fh, PF_INET, SOCK_STREAM, 0 or return 0;

    $fh->blocking(0);
    setsockopt $fh, IPPROTO_TCP, TCP_NODELAY, 1;

    my $address = pack_sockaddr_in($self->{port}, inet_aton('127.0.0.1'));

    unless (connect($fh, $address) || $! == EINPROGRESS) {
        $self->{counts}{status}{refused}++;
        $c->{again} = $self->{now} + $REST;
        return 0;
    }

    @{$c}{qw(fh fd buffer out)} = ($fh, fileno $fh, '', '');
    vec($self->{reads}, $c->{fd}, 1) = 1;

    return 1;
}


sub give {
    my ($self, $c) = @_;
    my $n = syswrite $c->{fh}, $c->{out};

    if (defined $n) {
        substr $c->{out}, 0, $n, '';
        vec($self->{writes}, $c->{fd}, 1) = length $c->{out} ? 1 : 0;

    } elsif ($! == ECONNREFUSED) {
        $self->lost($c, 'refused');

    } elsif ($! != EAGAIN && $! != EINTR) {
        # what was said before it was closed may still be read
        vec($self->{writes}, $c->{fd}, 1) = 0;
        $self->take($c);

    } else {
        vec($self->{writes}, $c->{fd}, 1) = 1;
    }
}


sub take {
    my ($self, $c) = @_;
    my $n = sysread $c->{fh}, $c->{buffer}, 65536, length $c->{buffer};

    if (!$n) {
        return if !defined $n && ($! == EAGAIN || $! == EINTR);
        return $self->lost($c, !defined $n && $! == ECONNREFUSED ? 'refused'
                                                                 : 'cut');
    }

    return if $c->{buffer} !~ /\r\n\r\n/;

    my ($head, $start) = ($`, $+[0]);
    my ($length) = $head =~ /\r\nContent-Length: *(\d+)/i;

    return if length $c->{buffer} < $start + ($length // 0);

    substr $c->{buffer}, 0, $start + ($length // 0), '';
    $self->answered($c, $head);
    $self->close($c) if $head =~ /\r\nConnection: *close/i;
}


sub answered {
    my ($self, $c, $head) = @_;
    my $status = substr $head, 9, 3;
    my $numbers = delete $c->{ids} or return;
    my $latency = 1000 * ($self->{now} - $c->{due});

    $self->{counts}{status}{$status}++;
    push @{ $self->{latency} }, int(1000 * $latency) / 1000;
    shift @{ $self->{latency} } if @{ $self->{latency} } > $LATEST;
    $self->{slowest} = $latency if $latency > $self->{slowest};

    return if $status !~ /\A2/;

    my ($ack) = $head =~ /\r\nX-Martech-Ack: *(\w+)/i;

    $self->{counts}{ack}{$ack}++ if defined $ack;
    $self->{counts}{acked} += @$numbers;
    $ack //= '-';
    $self->{lines} .= join '',
        map { id_of($self->{name}, $_) . " $ack\n" } @$numbers;
}


# a request without an answer; the connection is of no more use
sub lost {
    my ($self, $c, $why) = @_;

    # closed while nothing was asked
    if (delete $c->{ids}) {
        $self->{counts}{status}{$why}++;
        $c->{again} = $self->{now} + $REST;
    }

    $self->close($c);
}


sub close {
    my ($self, $c) = @_;

    vec($self->{$_}, $c->{fd}, 1) = 0 for qw(reads writes);
    CORE::close delete $c->{fh};
}


sub check_limits {
    my ($self) = @_;

    return if ($self->{checked} // 0) > $self->{now} - 1;

    $self->{checked} = $self->{now};
    $self->lost($_, 'limit')
        for grep { $_->{ids} && $_->{limit} < $self->{now} }
            @{ $self->{conns} };
}


1;
