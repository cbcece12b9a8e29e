package Martech::Feeder;

# Puts numbered events into the streams, as the edge would, so many a second,
# from a process of its own that does nothing else.
#
#     my $feeder = Martech::Feeder->start(redis => $redis, rate => 500,
#                                         seconds => 2, events => [sub ...]);
#     my $fed = $feeder->wait();        # { count, seconds, late }
#
# Each of "events" gives the source and the JSON text of event number n; all of
# them are put in for each number.  What is due is never left out: an event that
# is late is counted as that, and comes with the next ones.

use strict;
use warnings;

use IO::Socket::UNIX;
use List::Util qw(max min);
use Time::HiRes qw(sleep time);

use Martech::Http qw(from_json to_json);
use Martech::Process;
use Martech::Wait qw(wait_until);

# seconds: between two looks at the clock, and what is more counts as late
my ($TICK, $LATE) = (0.01, 0.25);


# redis; file => where the result is written; rate; seconds; first => 1;
# events => [sub { my ($n, $now) = @_; ($source, $id, $json) }]
sub start {
    my ($class, %arg) = @_;
    my $self = bless { first => 1, %arg }, $class;

    $self->{count} = int $self->{rate} * $self->{seconds};
    $self->{process} = Martech::Process->start(
        name => 'feeder', output => "$self->{file}.log",
        code => sub { $self->run() });

    return $self;
}


sub last { $_[0]{first} + $_[0]{count} - 1 }


sub wait {
    my ($self) = @_;

    $self->{process}->wait_end($self->{seconds} + 60)
        or die "the feeder does not end\n";

    open my $fh, '<', $self->{file} or die "the feeder has failed\n";

    return from_json(scalar <$fh>);
}


# ---- in the process ----

sub run {
    my ($self) = @_;
    my $fh = IO::Socket::UNIX->new(Peer => $self->{redis}->socket())
        or die "redis: $!\n";
    my ($begin, $done, $late) = (time(), 0, 0);

    while ($done < $self->{count}) {
        my $now = time();
        my $due = min($self->{count},
                      int(($now - $begin) * $self->{rate}) + 1);

        $late = max($late, $now - $begin - $done / $self->{rate});
        $self->put($fh, $done, $due, $now) if $due > $done;
        $done = $due;
        sleep $TICK;
    }

    my $seconds = time() - $begin;

    open my $out, '>', $self->{file} or die "$self->{file}: $!\n";
    print $out to_json({ count => $done, seconds => $seconds,
                         late => $late > $LATE ? $late : 0 }), "\n";
    close $out;
}


sub put {
    my ($self, $fh, $done, $due, $now) = @_;
    my ($bytes, $wanted) = ('', 0);

    for my $n ($done .. $due - 1) {
        for my $event (@{ $self->{events} }) {
            my ($source, $id, $json) = $event->($self->{first} + $n, $now);

            $bytes .= command('XADD', sprintf('{mt:%02d}:in', $n % 16), '*',
                              'v', 1, 'id', $id, 'src', $source, 'e', $json);
            $wanted++;
        }
    }

    send_all($fh, $bytes);
    take($fh, $wanted);
}


sub command {
    return '*' . @_ . "\r\n"
        . join '', map { '$' . length($_) . "\r\n$_\r\n" } @_;
}


sub send_all {
    my ($fh, $bytes) = @_;

    while (length $bytes) {
        my $n = syswrite $fh, $bytes or die "redis has gone: $!\n";

        substr $bytes, 0, $n, '';
    }
}


# Each entry is answered with its ID, in two lines.
sub take {
    my ($fh, $wanted) = @_;
    my $answers = '';

    while (($answers =~ tr/\n//) < 2 * $wanted) {
        sysread $fh, $answers, 65536, length $answers
            or die "redis has gone\n";
        die "redis answers: $1\n" if $answers =~ /^-(.*)/m;
    }
}


1;
