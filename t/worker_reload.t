#!/usr/bin/perl

# Reload after reload, under load: nothing that was acknowledged is missing,
# no more connections are cut than NGINX cuts without the module, and nothing
# piles up.  MARTECH_LONG=1: 100 reloads in five minutes with Redis, 20
# without, and 200 as fast as they go.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time);

use Martech::Path qw(missing);
use Martech::Spool qw(books folders);
use Martech::Test;

my $long = $ENV{MARTECH_LONG};

# reloads with Redis and without, seconds from one to the next; quick ones
my ($with, $without, $pause, $quick) = $long ? (100, 20, 3, 200)
                                             : (10, 4, 0, 60);

my $t = Martech::Test->new(timeout => $long ? 900 : 180);
my $redis = $t->redis();

my $nginx = $t->nginx(<<'END', workers => 2);
    martech_redis  %%REDIS%% timeout=5s;
    martech_spool  %%PREFIX%%/spool max_size=256m segment=1m after=300ms;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

# the same work without us, to compare with
my $stock = $t->nginx(<<'END', workers => 2);
    server {
        listen 127.0.0.1:8081;

        location / {
            return 200;
        }
    }
END

my ($port, $plain) = ($t->port(8080), $t->port(8081));


sub status { get($port, '/status')->{json} }

sub stored { map { $_->{id} } $redis->events(decode => 0) }


# so many reloads of both under load; the ids that were acknowledged, and how
# many connections were cut: ours, and those of NGINX alone
sub reloads {
    my ($count, $name) = @_;
    my $id = $name =~ tr/ /-/r;
    my $ours = $t->load(port => $port, rate => 200, name => "$id-ours");
    my $theirs = $t->load(port => $plain, rate => 200, name => "$id-stock");
    my %old;

    for my $n (1 .. $count) {
        my $next = time() + $pause;

        $old{$_} = 1 for $nginx->workers();
        $_->reload() for $n % 2 ? ($nginx, $stock) : ($stock, $nginx);
        $ours->wait_more(40);
        $theirs->wait_more(40);
        wait_until(sub { time() >= $next }, $pause + 1, 'the next reload');
    }

    my @cut = map { $_->stats()->{status}{cut} // 0 } $ours, $theirs;
    my @other = grep { !/\A(?:200|cut)\z/ } keys %{ $ours->stats()->{status} };

    is("@other", '', "$name: no answer but 200");
    $theirs->stop();

    my @ids = $ours->stop();

    ok(becomes(sub { !grep { Martech::Process::lives($_) } keys %old }, 10),
       "$name: no worker is left over");
    cmp_ok(scalar @ids, '>=', 40 * $count, "$name: events went on");
    diag("$name: $count reloads, " . @ids . " events, $cut[0] connections cut,"
         . " $cut[1] by NGINX alone");

    return (\@cut, @ids);
}


# NGINX closes idle connections when a worker leaves, also those on which a
# request is just coming in: how many is chance, and within three deviations
# both numbers are the same.
sub no_more_cut {
    my ($name, $ours, $theirs) = @_;

    cmp_ok($ours, '<=', $theirs + 3 * sqrt($ours + $theirs) + 3,
           "$name: no more connections are cut than by NGINX alone");
}


sub comes_back {
    my ($name, @ids) = @_;

    ok(becomes(sub { !missing(\@ids, stored()) }, 30),
       "$name: all that was acknowledged is in redis");
    ok(becomes(sub {
        my $s = status();
        $s->{spool_waiting} == 0 && $s->{events_waiting} == 0
            && books($s) eq '';
    }, 15), "$name: the books are right")
        or diag(books(status()), to_json(status()));
}


wait_until(sub { status()->{redis_ready} == 2 }, 10, 'workers are connected');

{
    my ($cut, @ids) = reloads($with, 'with redis');

    no_more_cut('with redis', @$cut);
    comes_back('with redis', @ids);
}

{
    $redis->kill_now();

    my ($cut, @ids) = reloads($without, 'without redis');

    no_more_cut('without redis', @$cut);
    $redis->start();
    comes_back('without redis', @ids);
}


# ---- nothing piles up ----

{
    my $master = $nginx->pid();
    my ($fds, $rss);

    for my $n (1 .. $quick) {
        $nginx->reload();

        # the allocator has had its time to find its size
        ($fds, $rss) = ($nginx->fds($master), $nginx->rss($master))
            if $n == int($quick / 2);
    }

    ok(becomes(sub { $nginx->workers() == 2 }, 20),
       "two workers are left of $quick quick reloads");
    cmp_ok($nginx->fds($master), '<=', $fds,
           'the master holds no more descriptors');
    $t->{asan} ? pass('no memory figure under the sanitizer')
        : cmp_ok($nginx->rss($master) - $rss, '<', 512 * 1024,
                 'and no more memory');
    ok(becomes(sub { folders($t->dir() . '/spool') == 2 }, 10),
       'there are as many folders as workers');
    is(status()->{workers}, 2, 'and as many count');
    is(post($port, '/v1/track', { event => 'E', userId => 'u' })->{status}, 200,
       'which work');
}

$t->done();
