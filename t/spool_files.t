#!/usr/bin/perl

# The files of the spool: who may read them, what is done about damaged ones,
# and what happens when somebody takes them away.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(remove_tree);
use Time::HiRes qw(time);

use Martech::Path qw(missing);
use Martech::Spool qw(books segments folders overwrite);
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $number = 0;

# as in docs/SPEC.md, section 6
my ($HEAD, $FRAME, $VERSION_AT) = (128, 32, 8);


sub conf {
    my ($virtual, $path) = @_;

    return <<"END";
    martech_redis  %%REDIS%% timeout=5s;
    martech_spool  $path max_size=64m segment=1m after=100ms;

    server {
        listen 127.0.0.1:$virtual;

        location / {
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END
}


sub status { get($t->port($_[0]), '/status')->{json} }

sub stored { map { $_->{id} } $redis->events(decode => 0) }


# one event; its answer
sub event {
    my ($virtual, $id) = @_;

    return post($t->port($virtual), '/v1/track',
                { event => 'E', userId => 'u', messageId => $id });
}


# spools so many events, one after the other; their ids
sub spool {
    my ($virtual, $count) = @_;
    my @ids;

    for (1 .. $count) {
        my $id = sprintf 'file-%04d', ++$number;
        my $answer = event($virtual, $id);

        push @ids, $id if $answer->{status} == 200
            && $answer->{headers}{'x-martech-ack'} eq 'spool';
    }

    is(scalar @ids, $count, "$count events are spooled");

    return @ids;
}


sub ready {
    my ($virtual) = @_;

    wait_until(sub {
        my $s = status($virtual);
        $s->{redis_ready} == 1 && $s->{spool_ready} == 1;
    }, 10, 'redis and spool are ready');
}


# nothing waits, and the books are right
sub settles {
    my ($virtual, $name) = @_;
    my $s;

    ok(becomes(sub {
        $s = status($virtual);
        $s->{spool_waiting} == 0 && $s->{events_waiting} == 0
            && books($s) eq '';
    }, 15), "$name: nothing waits, the books are right")
        or diag(books($s), to_json($s));

    return $s;
}


sub mode { sprintf '%04o', (stat $_[0])[2] & 07777 }

sub owner { (getpwuid((stat $_[0])[4]))[0] }

# where records begin, by the id that is in them
sub offset_of {
    my ($file, $id) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    binmode $fh;
    local $/;

    return index scalar(<$fh>), $id;
}


# ---- nginx -t ----

{
    my $nginx = $t->nginx(conf(8080, '%%PREFIX%%/tested'), run => 0);
    my ($ok) = $nginx->test_conf($nginx->{conf});

    ok($ok, 'nginx -t accepts a spool');
    is(join(' ', glob $t->dir() . '/tested/* ' . $t->dir() . '/tested/.spool*'),
       '', 'and leaves no files');

    my ($accepted, $output) = $nginx->test_conf(
        $t->fill(conf(8080, '%%PREFIX%%/no/parent')));

    ok(!$accepted, 'nginx -t refuses a folder without its parent');
    like($output, qr{/no/parent.*No such file}, 'and names it');
}


# ---- owner and modes ----

{
    mkdir $t->dir() . '/closed';
    chmod 0700, $t->dir() . '/closed';

    my $spool = $t->dir() . '/closed/spool';
    my $nginx = $t->nginx(conf(8081, '%%PREFIX%%/closed/spool'), run => 0);

    # root may do all; a worker is nobody
    $nginx->{whole} = $nginx->frame() =~ s/user root;/user nobody nogroup;/r;
    $nginx->write_conf();
    umask 0;
    $nginx->start();
    umask 0022;

    ok(becomes(sub { status(8081)->{redis_ready} == 1 }, 10), 'nobody starts');
    ok(becomes(sub { status(8081)->{spool_errors} > 0 }, 10),
       'a folder that it may not enter is an error');
    is(status(8081)->{spool_ready}, 0, 'that the status shows');
    ok($nginx->logged(qr/\[error\].*martech: spool: .*Permission denied/),
       'and the log');
    is(event(8081, 'closed-1')->{headers}{'x-martech-ack'}, 'redis',
       'redis takes events all the same');

    $redis->kill_now();
    ok(becomes(sub { event(8081, 'closed-2')->{status} == 503 }, 10),
       'without redis they are refused');
    chmod 0755, $t->dir() . '/closed';
    ok(becomes(sub { status(8081)->{spool_ready} == 1 }, 5),
       'the spool is ready as soon as it may be, without a reload');

    my @ids = spool(8081, 3);
    my ($folder) = folders($spool);
    my ($segment) = segments($spool);

    is(mode($spool) . ' ' . owner($spool), '0700 nobody',
       'the spool is for the workers alone');
    is(mode($folder) . ' ' . owner($folder), '0700 nobody',
       'and the folder of each');
    is(mode($segment) . ' ' . owner($segment), '0600 nobody', 'and segments');
    is(mode("$folder/lock"), '0600', 'and the lock');

    $redis->start();
    ok(becomes(sub { !missing(\@ids, stored()) }, 10), 'they come back');
    settles(8081, 'nobody');
    ok($nginx->stop(), 'nginx stops');

    # it is root's now

    chown 0, 0, $spool;
    chmod 0500, $spool;
    $nginx->start();
    ok(becomes(sub { status(8081)->{spool_ready} == 1 }, 10),
       'nginx gives a folder with a wrong owner to its workers');
    ok($nginx->stop(), 'nginx stops');
}


# ---- damage that a new master finds ----

{
    my $spool = $t->dir() . '/damage';
    my $nginx = $t->nginx(conf(8082, '%%PREFIX%%/damage'));

    ready(8082);
    $redis->kill_now();
    wait_until(sub { event(8082, 'first')->{status} == 200 }, 5, 'spooling');

    # a segment for each kind of damage, by workers that were killed

    my (%ids, %file);

    for my $kind (qw(good middle torn head foreign)) {
        $ids{$kind} = [ spool(8082, 5) ];
        $nginx->kill_all_now();

        my ($file) = grep { offset_of($_, $ids{$kind}[0]) > 0 }
            segments($spool);

        # away, so that the next worker does not adopt it
        (my $folder = $file) =~ s{/[^/]*\z}{};
        rename $folder, $t->dir() . "/kept-$kind";
        $file{$kind} = "$spool/w-$kind/" . ($file =~ s{.*/}{}r);

        if ($kind ne 'foreign') {
            $nginx->start();
            wait_until(sub { status(8082)->{spool_ready} == 1 }, 10, 'spool');
            wait_until(sub {
                (event(8082, "next-$kind")->{headers}{'x-martech-ack'} // '')
                    eq 'spool';
            }, 5, 'spooling');
        }
    }

    rename $t->dir() . "/kept-$_", "$spool/w-$_" for keys %file;

    overwrite($file{middle}, offset_of($file{middle}, $ids{middle}[2]), 'XX');
    overwrite($file{torn}, offset_of($file{torn}, $ids{torn}[4]), 'XX');
    overwrite($file{head}, 20, 'XX');
    overwrite($file{foreign}, $VERSION_AT, "\x09");

    $redis->start();
    $nginx->start();

    my @readable = (@{ $ids{good} }, @{ $ids{middle} }[0, 1, 3, 4],
                    @{ $ids{torn} }[0 .. 3]);

    ok(becomes(sub { !missing(\@readable, stored()) }, 20),
       'what is around damaged records is replayed');

    my $s = settles(8082, 'damaged segments');
    my %stored = map { $_ => 1 } stored();

    is((grep { $stored{$_} } $ids{middle}[2], $ids{torn}[4], @{ $ids{head} },
        @{ $ids{foreign} }), 0, 'no damaged record is');

    # the head, and the one with a hole
    my @kept = glob "$spool/damaged/*";

    is(scalar @kept, 2, 'damaged segments are kept');
    is(mode($kept[0]) . ' ' . mode("$spool/damaged"), '0600 0700',
       'for nobody else to read');
    ok(-e $file{foreign}, 'a segment of another version is left alone');
    is($nginx->logged(qr/\[warn\].*1 segments of another version/), 1,
       'and logged');
    cmp_ok($nginx->logged(qr/\[error\].*martech: spool: \d+ bytes of segment/),
           '>', 0, 'a hole is logged');
    ok($nginx->stop(), 'nginx stops');
    remove_tree("$spool/w-foreign");
}


# ---- damage to segments that are known ----

{
    my $spool = $t->dir() . '/known';
    my $nginx = $t->nginx(conf(8083, '%%PREFIX%%/known'));

    ready(8083);
    $redis->kill_now();
    wait_until(sub { event(8083, 'known')->{status} == 200 }, 5, 'spooling');
    wait_until(sub {
        (event(8083, 'known')->{headers}{'x-martech-ack'} // '') eq 'spool';
    }, 5, 'spooling');

    my @ids = spool(8083, 9);
    my ($file) = segments($spool);

    overwrite($file, offset_of($file, $ids[4]), 'XX');
    overwrite($file, offset_of($file, $ids[8]), 'XX');
    $redis->start();

    my $s = settles(8083, 'damaged in place');

    is($s->{spool_lost}, 2, 'what cannot be read is counted as lost');
    is((missing([ @ids[0 .. 3, 5 .. 7] ], stored())), 0, 'the rest comes back');
    is(scalar(() = glob "$spool/damaged/*"), 1, 'the segment is kept');

    # the same master, a killed worker, and damage before it is adopted

    $redis->kill_now();
    wait_until(sub {
        (event(8083, 'known')->{headers}{'x-martech-ack'} // '') eq 'spool';
    }, 5, 'spooling');
    @ids = spool(8083, 9);
    $t->expect(qr/exited on signal 9/);

    my ($worker) = $nginx->workers();

    $nginx->{process}->signal('STOP');
    $nginx->{starts}++;
    kill KILL => $worker;
    wait_until(sub { !Martech::Process::lives($worker) }, 5, 'it is gone');

    ($file) = grep { offset_of($_, $ids[0]) > 0 } segments($spool);
    overwrite($file, offset_of($file, $ids[4]), 'XX');
    overwrite($file, offset_of($file, $ids[8]), 'XX');

    my $lost = $s->{spool_lost};

    $nginx->{process}->signal('CONT');
    wait_until(sub { $nginx->started() }, 10, 'another worker');
    $redis->start();

    ok(becomes(sub { !missing([ @ids[0 .. 3, 5 .. 7] ], stored()) }, 15),
       'what another worker left is replayed, but for the damage');
    $s = settles(8083, 'damaged and adopted');
    is($s->{spool_taken}, 2, 'which is missed');

    # ---- a segment that somebody took away ----

    $redis->kill_now();
    wait_until(sub {
        (event(8083, 'known')->{headers}{'x-martech-ack'} // '') eq 'spool';
    }, 5, 'spooling');
    @ids = spool(8083, 3);

    my $adopted = $nginx->logged(qr/adopted 1 segments/);

    $nginx->kill_worker();
    ok(becomes(sub { $nginx->logged(qr/adopted 1 segments/) > $adopted }, 10),
       'another worker has it');

    $lost = status(8083)->{spool_lost};
    ($file) = grep { offset_of($_, $ids[0]) > 0 } segments($spool);
    unlink $file;

    wait_until(sub {
        (event(8083, 'known')->{headers}{'x-martech-ack'} // '') eq 'spool';
    }, 5, 'spooling');
    @ids = spool(8083, 3);
    $redis->start();
    ok(becomes(sub { !missing(\@ids, stored()) }, 10),
       'a segment that is gone does not stop the next');
    $s = settles(8083, 'a segment that is gone');
    cmp_ok($s->{spool_lost} - $lost, '>=', 3, 'its events are lost');

    # ---- the whole folder ----

    $redis->kill_now();
    wait_until(sub {
        (event(8083, 'known')->{headers}{'x-martech-ack'} // '') eq 'spool';
    }, 5, 'spooling');
    spool(8083, 3);
    remove_tree($spool);

    my $answer = event(8083, 'gone');

    is($answer->{status}, 503, 'without its folder nothing is acknowledged');
    ok($nginx->logged(qr/\[error\].*martech: spool: .*No such file/),
       'the log tells why');
    mkdir $spool;
    chmod 0700, $spool;

    ok(becomes(sub { event(8083, 'again')->{status} == 200 }, 5),
       'with a new folder the spool goes on, without a reload');
    @ids = spool(8083, 3);
    $redis->start();
    ok(becomes(sub { !missing(\@ids, stored()) }, 10), 'and replays');
    settles(8083, 'a new folder');
}

$t->done();
