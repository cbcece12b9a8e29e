#!/usr/bin/perl

# Fewer and more workers, masters that are killed, upgraded and taken back, a
# process that is its own master: nothing that was acknowledged is missing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Copy qw(copy);
use Time::HiRes qw(time);

use Martech::Life;
use Martech::Spool qw(folders);
use Martech::Test;

my $t = Martech::Test->new(timeout => 240);
my $redis = $t->redis();
my $number = 0;

life_of($redis);
$t->expect(qr/exited on signal 9/);


sub conf {
    my ($virtual, %arg) = @_;
    my $ack = $arg{ack} // 'redis';
    my $after = $arg{after} // '300ms';

    return <<"END";
    martech_redis  %%REDIS%% timeout=5s;
    martech_spool  %%PREFIX%%/spool$virtual max_size=256m segment=1m
                   after=$after;

    server {
        listen 127.0.0.1:$virtual;

        location / {
            martech_ack $ack;
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END
}


# ---- more and fewer workers ----

{
    my $other = $t->nginx(conf(8082), workers => 4);
    my $to = $t->port(8082);
    my $spool = $t->dir() . '/spool8082';
    my @ids;

    ready($other, $to);
    $redis->kill_now();

    for my $workers (4, 1, 2) {
        my @old = $other->workers();

        $other->{workers} = $workers;
        $other->write_conf();
        $other->reload();
        gone(5, "$workers workers", @old);

        my $load = $t->load(port => $to, rate => 500,
                            name => 'load' . ++$number);

        $load->wait_more(100);
        push @ids, $load->stop();
        ok(becomes(sub { folders($spool) == $workers }, 10),
           "$workers workers, and as many folders");
    }

    comes_back($to, 'workers come and go', @ids);
    is(status($to)->{workers}, 2, 'two are left');
    ok($other->stop(), 'nginx stops');
}


# ---- only the master is killed ----

{
    my $other = $t->nginx(conf(8083), daemon => 1, workers => 2);
    my $to = $t->port(8083);

    ready($other, $to);
    $redis->kill_now();

    my $load = $t->load(port => $to, rate => 200, name => 'load' . ++$number);

    $load->wait_more(50);
    $other->kill_master();
    $load->wait_more(50);
    is(scalar $other->orphans(), 2, 'workers go on without their master');

    my @orphans = $other->orphans();

    kill QUIT => @orphans;
    gone(5, 'orphans', @orphans);
    $other->kill_all_now();
    $other->start();
    $load->wait_more(50);
    comes_back($to, 'a new master', $load->stop());

    # ---- upgrade and back, with a module that was replaced ----

    for my $case (['there', 'winch'], ['gone', 'winch'], ['gone', 'rollback'],
                  ['hangs', 'rollback'])
    {
        my ($state, $way) = @$case;
        my $name = "upgrade, $way, redis $state";

        ready($other, $to);

        my $load = $t->load(port => $to, rate => 200, connections => 40,
                            name => 'load' . ++$number);

        $load->wait_more(50);
        redis_is($state);
        $other->upgrade();
        $load->wait_more(50);
        ok($other->winch(5), "$name: the old workers go");
        $load->wait_more(50);

        if ($way eq 'winch') {
            ok($other->quit_old(5), "$name: and their master");

        } else {
            ok($other->rollback(5), "$name: the old master is back");
        }

        $load->wait_more(50);

        my @ids = $load->stop();

        comes_back($to, $name, @ids);
        is(scalar $other->workers(), 2, "$name: nobody is left over");
    }

    my $copy = $t->dir() . '/module.so';

    copy($other->{module}, $copy);
    $other->{module} = $copy;
    $other->write_conf();
    $other->reload();
    copy($copy, "$copy.new");

    my $inode = (stat "$copy.new")[1];

    rename "$copy.new", $copy or die "$copy: $!\n";
    $other->upgrade();
    like(Martech::Nginx::slurp('/proc/' . $other->pid() . '/maps'),
         qr/ $inode \s+ \Q$copy\E$/mx, 'an upgrade loads a replaced module');
    $other->winch(5);
    $other->quit_old(5);
    is(post($to, '/v1/track', { event => 'E', userId => 'u' })->{status}, 200,
       'which works');
    ok($other->stop(), 'nginx stops');
}


# ---- one process ----

{
    my $other = $t->nginx(conf(8084), single => 1);
    my $to = $t->port(8084);
    my @ids;

    ready($other, $to);
    $redis->kill_now();

    for (1 .. 20) {
        my $id = 'single-' . ++$number;

        push @ids, $id if post($to, '/v1/track', { event => 'E',
            userId => 'u', messageId => $id })->{status} == 200;
    }

    is(scalar @ids, 20, 'a single process spools');
    is(status($to)->{events_spooled}, 20, 'all of it');
    comes_back($to, 'a single process', @ids);
    ok($other->stop(), 'nginx stops');
}

# A reload of a single process is one that NGINX itself does not survive: it
# serves nobody any more, and with a pool of threads it crashes when it ends.
# So this is without a spool, and about what the former configuration held.

{
    my $conf = conf(8085, ack => 'memory') =~ s/martech_spool[^;]*;//r;
    my $other = $t->nginx($conf, single => 1);
    my $to = $t->port(8085);

    wait_until(sub { status($to)->{redis_ready} == 1 }, 10, 'redis');
    $redis->freeze();
    post($to, '/v1/track', { event => 'E', userId => 'u' }) for 1 .. 3;

    $other->{process}->signal('HUP');
    ok(becomes(sub { $other->logged(qr/using the "\w+" event method/) > 1 },
               10), 'a single process reads its configuration again');
    ok($other->stop(), 'and ends');
    is($other->logged(qr/martech: 3 events without an answer/), 1,
       'what the former configuration held is not forgotten');
    $redis->thaw();
}

$t->done();
