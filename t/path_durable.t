#!/usr/bin/perl

# lua-free-conf/durable.conf keeps its promise, and systemd understands the
# drop-in that belongs to it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path qw(missing);
use Martech::Spool qw(books);
use Martech::Test;

my $t = Martech::Test->new(timeout => 120);

# a container may not raise limits
$t->expect(qr{setrlimit\(RLIMIT_NOFILE});

my $root = Martech::Test->root();
my $redis = $t->redis();


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;

    return scalar <$fh>;
}


# ---- the configuration, with the places of a test ----

my $conf = slurp("$root/lua-free-conf/durable.conf");
my $shutdown = $conf =~ /^worker_shutdown_timeout\s+(\d+)s;/m ? $1 : 0;
my $dir = $t->dir() . '/nginx0';

mkdir $dir;
symlink "$root/build/" . ($t->{asan} ? 'nginx-asan' : 'nginx'), "$dir/modules";

$conf =~ s{127\.0\.0\.1:6379}{unix:@{[ $redis->socket() ]}};
$conf =~ s{/var/lib/martech/}{$t->dir() . '/'}e;
$conf =~ s{/run/nginx\.pid}{$dir/nginx.pid};
$conf =~ s{/var/log/nginx/}{$dir/}g;
$conf =~ s{www-data;}{nobody nogroup;};

my $nginx = $t->nginx('', whole => $t->fill($conf), workers => 2);
my $port = $t->port(8080);
my $number = 0;


sub status { get($port, '/status')->{json} }

sub event {
    my $id = 'durable-' . ++$number;
    my $answer = post($port, '/collect/v1/track',
        { event => 'E', userId => "u$number", messageId => $id },
        key => 'change-me');

    return { %$answer, id => $id,
             ack => $answer->{headers}{'x-martech-ack'} // '' };
}


wait_until(sub { status()->{redis_ready} == 2 }, 10, 'redis');
wait_until(sub { status()->{spool_ready} == 2 }, 10, 'the spool');

my @acked = map { event() } 1 .. 5;

is(join(' ', map { $_->{ack} } @acked), 'redis redis redis redis redis',
   'with redis events are stored');

$redis->kill_now();
push @acked, map { event() } 1 .. 20;
is((grep { $_->{status} == 200 } @acked), 25, 'without it all are taken');
is($acked[-1]{ack}, 'spool', 'by the spool');

ok($nginx->stop(), 'nginx stops');
$nginx->start();
$redis->start();
ok(becomes(sub {
    !missing([ map { $_->{id} } @acked ],
             map { $_->{id} } $redis->events(decode => 0));
}, 15), 'after a restart all are in redis');
ok(becomes(sub { books(status()) eq '' && status()->{spool_waiting} == 0 }, 10),
   'and the books are right');

# the log phase comes after the answer

ok(becomes(sub {
    my $log = slurp("$dir/events.log");

    return $log =~ / 200 website stored 1 \S+ redis$/m
        && $log =~ / 200 website spooled 1 \S+ spool$/m;
}, 5), 'the log tells who has promised');


# ---- the drop-in ----

my $drop = slurp("$root/lua-free-conf/nginx.service.d/martech.conf");
my ($quit, $term) = $drop =~ m{^ExecStop=-?\S.*--retry QUIT/(\d+)/TERM/(\d+)}m;
my ($kill) = $drop =~ /^TimeoutStopSec=(\d+)$/m;

cmp_ok($shutdown, '>', 0, 'workers have a limit');
cmp_ok($quit, '>', $shutdown, 'QUIT has longer than the workers');
cmp_ok($kill, '>', $quit + $term, 'and systemd longer than both');

SKIP: {
    my ($verify) = grep { -x } map { "$_/systemd-analyze" } qw(/usr/bin /bin);

    skip 'no systemd-analyze', 3 unless $verify;

    my $units = $t->dir() . '/units';

    mkdir $units;
    mkdir "$units/nginx.service.d";
    $t->file('units/nginx.service', <<'END');
[Unit]
Description=A unit like that of a distribution

[Service]
Type=forking
PIDFile=/run/nginx.pid
ExecStart=/bin/true
ExecStop=/bin/true
TimeoutStopSec=5
END

    my $check = sub {
        $t->file('units/nginx.service.d/martech.conf', $_[0]);
        my $said = `$verify verify --man=no $units/nginx.service 2>&1`;

        return $? ? "failed: $said" : $said;
    };

    is($check->($drop), '', 'systemd takes the drop-in');
    like($check->($drop =~ s/^KillMode=mixed/KillMode=some/mr), qr/some/,
         'and would say if it did not');
    like($drop, qr/^ExecStop=\nExecStop=/m, 'what the unit had is taken back');
}

$t->done();
