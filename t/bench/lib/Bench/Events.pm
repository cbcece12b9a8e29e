package Bench::Events;

# Events of the benchmarks, as the edge would store them: made from one sample,
# spread over shards by their visitor, and written to Redis all at once or at a
# pace.

use strict;
use warnings;
no warnings qw(portable);      # 64-bit numbers

use Exporter qw(import);
use IO::Socket::UNIX;
use Time::HiRes qw(clock_gettime sleep time CLOCK_REALTIME);

use Bench qw(ROOT slurp);
use Martech::Process;

our @EXPORT_OK = qw(make_event preload start_pace);

our $SHARDS = 16;
my $VISITORS = 256;

# seconds between two writes of a pace
my $BEAT = 0.005;


# docs/SPEC.md section 1
sub shard {
    my ($identity) = @_;
    my $h = 0xcbf29ce484222325;

    for my $byte (unpack 'C*', $identity) {
        $h = times64($h ^ $byte, 0x100000001b3);
    }

    $h ^= $h >> 33;
    $h = times64($h, 0xff51afd7ed558ccd);
    $h ^= $h >> 33;

    return $h % $SHARDS;
}


# modulo 2^64
sub times64 {
    use integer;

    my $product = $_[0] * $_[1];

    no integer;

    return $product & 0xffffffffffffffff;
}


# One event with its id and visitor: (key of its stream, text).
sub make_event {
    my ($id, $visitor) = @_;

    our $sample //= do {
        my $text = slurp(ROOT . '/t/bench/sample-canonical.json');
        chomp $text;
        $text;
    };
    our @keys;

    my $anonymous = sprintf '507f191e-810c-4972-9de8-60ea%08x', $visitor;
    my $key = $keys[$visitor] //= sprintf '{mt:%02d}:in', shard($anonymous);

    (my $text = $sample) =~ s/"messageId":"[^"]*"/"messageId":"$id"/;
    $text =~ s/507f191e-810c-4972-9de8-60ea00000001/$anonymous/;

    return ($key, $text);
}


sub resp {
    return '*' . scalar(@_) . "\r\n"
        . join '', map { '$' . length($_) . "\r\n$_\r\n" } @_;
}


sub xadd {
    my ($id, $visitor) = @_;
    my ($key, $text) = make_event($id, $visitor);

    return resp('XADD', $key, '*', 'v', 1, 'id', $id, 'src', 'web',
                'e', $text);
}


# Fills the streams, ids PREFIX and a number from 0 on; all of it in one pipe.
sub preload {
    my ($redis, $count, $prefix, $output) = @_;
    my $socket = $redis->socket();

    open my $pipe, '|-', "redis-cli -s $socket --pipe >$output 2>&1"
        or die "cannot run redis-cli: $!\n";

    print $pipe xadd("$prefix$_", $_ % $VISITORS) for 0 .. $count - 1;

    close $pipe or die 'redis-cli: ', slurp($output);

    slurp($output) =~ /errors: 0, replies: $count$/m
        or die 'redis-cli: ', slurp($output);
}


# A process that stores RATE events a second until it is stopped.  Ids are
# "lat-" and the time in nanoseconds, or with numbers => 1 "num-" and a number
# from 0 on; then the number of those that Redis has confirmed stands in the
# file, after the process has ended by SIGTERM.
sub start_pace {
    my ($redis, %arg) = @_;
    my $path = $redis->socket();

    return Martech::Process->start(name => 'pace', code => sub {
        my $stop = 0;

        local $SIG{TERM} = sub { $stop = 1 };

        my $count = pace($path, \$stop, %arg);

        if (defined $arg{file}) {
            open my $fh, '>', "$arg{file}.new" or die "$arg{file}: $!\n";
            print $fh $count;
            close $fh;
            rename "$arg{file}.new", $arg{file};
        }
    });
}


sub pace {
    my ($path, $stop, %arg) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $path)
        or die "redis is gone\n";
    my ($stored, $start) = (0, time);

    until ($$stop) {
        my $due = int($arg{rate} * (time() - $start)) - $stored;
        my $bytes = '';

        # a pause of the machine is not made good by a flood
        if ($due > $arg{rate} / 10) {
            $start += ($due - $arg{rate} / 10) / $arg{rate};
            $due = int $arg{rate} / 10;
        }

        for my $n ($stored .. $stored + $due - 1) {
            my $id = $arg{numbers} ? "num-$n"
                : sprintf 'lat-%.0f', 1e9 * clock_gettime(CLOCK_REALTIME);

            $bytes .= xadd($id, $n % $VISITORS);
        }

        confirm($socket, $bytes, $due) if $due > 0;
        $stored += $due if $due > 0;
        sleep $BEAT;
    }

    return $stored;
}


sub confirm {
    my ($socket, $bytes, $count) = @_;

    while (length $bytes) {
        my $written = syswrite $socket, $bytes or die "redis hung up\n";
        substr $bytes, 0, $written, '';
    }

    while ($count > 0) {
        my $length = <$socket> // die "redis hung up\n";

        $length =~ /^\$/ or die "redis: $length";
        <$socket>;
        $count--;
    }
}


1;
