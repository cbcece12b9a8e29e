package Martech::Life;

# What the tests of the life of workers look at.  life_of($redis) comes first.

use strict;
use warnings;

use Exporter qw(import);

use Martech::Path qw(missing);
use Martech::Process;
use Martech::Spool qw(books);
use Martech::Test;

our @EXPORT = qw(life_of status stored ready gone comes_back redis_is);

my $redis;


sub life_of { ($redis) = @_ }


sub status { get($_[0], '/status')->{json} }

sub stored { map { $_->{id} } $redis->events(decode => 0) }


sub ready {
    my ($nginx, $port) = @_;

    wait_until(sub {
        my $s = eval { status($port) } // return 0;

        $s->{redis_ready} == $nginx->{workers}
            && $s->{spool_ready} == $nginx->{workers};
    }, 15, 'workers are ready');
}


# the processes go within the limit, in seconds
sub gone {
    my ($limit, $name, @pids) = @_;

    ok(becomes(sub { !grep { Martech::Process::lives($_) } @pids }, $limit),
       "$name: they are gone in time");
}


# Redis is as it should be; all that was promised is there
sub comes_back {
    my ($port, $name, @ids) = @_;

    $redis->{frozen} ? $redis->thaw()
        : $redis->running() ? 1 : $redis->start();

    ok(becomes(sub { !missing(\@ids, stored()) }, 20),
       "$name: all that was acknowledged is in redis")
        or diag(join ' ', 'missing:', missing(\@ids, stored()));
    ok(becomes(sub {
        my $s = status($port);
        $s->{spool_waiting} == 0 && $s->{events_waiting} == 0
            && books($s) eq '';
    }, 15), "$name: the books are right")
        or diag(books(status($port)), to_json(status($port)));
}


# Redis is "there", "hangs" or is "gone"
sub redis_is {
    my ($state) = @_;

    $redis->freeze() if $state eq 'hangs';
    $redis->kill_now() if $state eq 'gone';
}


1;
