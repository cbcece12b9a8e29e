#!/usr/bin/perl

# Credentials that are refused, and an endpoint that is gone, from end to end:
# the destination is parked, all tell so, no attempt is used up, and what
# waited is delivered when the receiver takes it again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Http qw(get);
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $port = $t->port(9464);
my $conf = forwarder_conf(without => 'archive',
                          hook => $receiver->url('/hook'),
                          top => "loops: 1\nmetrics: 127.0.0.1:9464");
my $cli = Martech::Command->new($t, $conf);
my $key = '{mt:00}:state:hook';
my ($forwarder, @ids);


sub requests { scalar(() = $receiver->requests()) }
sub parked { $redis->call('hget', $key, 'parked') // '' }


sub metric {
    my ($state) = @_;
    my ($value) = get($port, '/metrics')->{body}
        =~ /^martech_forwarder_breaker_state\{destination="hook",
             state="$state"\}[ ](\d+)$/mx;

    return $value;
}


sub status {
    my ($row) = grep { $_->{destination} eq 'hook' }
        @{ $cli->run('status', '--json')->{json} };

    return $row;
}


# retries in Redis, and the attempts that events have used up
sub used_up {
    my $used = 0;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        my %try = @{ $redis->call('hgetall', "$tag:try:hook") };

        $used += $redis->call('zcard', "$tag:retry:hook");
        $used += (split / /, $_)[0] for values %try;
    }

    return $used;
}


sub delivered {
    my ($what) = @_;

    ok(becomes(sub { !missing(\@ids, hook_ids($receiver))
                     && drained($redis, 'hook') }, 30),
       "$what: all is delivered");
    ok(becomes(sub { ledger_holds($redis, 'hook') }, 5),
       "$what: the ledger closes");
    is(ledger($redis)->{'dead:hook'} // 0, 0, "$what: nothing died");
}


# ---- credentials, resumed by hand ----

$receiver->answer(always => { status => 401, body => 'who are you?' });
$forwarder = $t->forwarder($conf);
@ids = add_events($redis, 8, prefix => 'first');

ok(becomes(sub { parked() eq 'credentials' }, 20), '401: parked');

my $sent = requests();

cmp_ok($sent, '<=', 2, 'by what was under way');
ok(becomes(sub { metric('credentials') }, 5), 'metrics tell so');
is(metric('closed'), 0, 'and only so');
is(status()->{parked}, 'credentials', 'status tells so');
like($cli->run('status')->{out}, qr/^hook\s.*parked: credentials/m,
     'to people too');

push @ids, add_events($redis, 8, prefix => 'more');
ok(becomes(sub { status()->{waiting} == 16 }, 10), 'events wait');
is(requests(), $sent, 'none is sent');
is(used_up(), 0, 'no attempt is used up');

my $failed = ledger($redis)->{'retry:hook'} // 0;

is($failed, 0, 'none is counted as a failure');

# resumed too early it is parked again, by one probe

is($cli->run('resume', 'hook')->{status}, 0, 'resumed too early');
ok(becomes(sub { requests() > $sent && parked() eq 'credentials' }, 30),
   'it is parked again');
cmp_ok(requests(), '<=', $sent + 2, 'by as few requests');
is(used_up(), 0, 'still no attempt is used up');

$receiver->answer(always => { status => 200 });
is($cli->run('resume', 'hook')->{status}, 0, 'resumed');
delivered('resumed');
is(parked(), '', 'it is parked no more');
ok(becomes(sub { metric('closed') }, 5), 'metrics tell so');


# ---- credentials, resumed by a probe ----

# the first is after 30 seconds and a little: most of them have passed

$redis->call('hset', $key, 'parked', 'credentials', 'parked_tries', 0,
             'parked_at', (time - 27) * 1000);
ok(becomes(sub { metric('credentials') }, 5), 'parked by another loop');
$sent = requests();
push @ids, add_events($redis, 8, prefix => 'probe');
ok(becomes(sub { requests() > $sent }, 30), 'a probe is sent');
delivered('probed');
ok(becomes(sub { parked() eq '' }, 5), 'for all');
is_deeply([ grep { defined } @{ $redis->call('hmget', $key, 'parked',
                                             'parked_at', 'parked_tries') } ],
          [], 'nothing is left behind');


# ---- resumed by hand after many probes ----

# those count no more: the next one is not ten minutes away

$receiver->answer(always => { status => 401 });
$redis->call('hset', $key, 'parked', 'credentials', 'parked_tries', 5,
             'parked_at', time * 1000);
ok(becomes(sub { metric('credentials') }, 5), 'parked for long');
$sent = requests();
push @ids, add_events($redis, 8, prefix => 'anew');
is($cli->run('resume', 'hook')->{status}, 0, 'resumed');
ok(becomes(sub { requests() > $sent && parked() eq 'credentials' }, 30),
   'parked once more');
is($redis->call('hget', $key, 'parked_tries'), 0, 'anew');

$receiver->answer(always => { status => 200 });
is($cli->run('resume', 'hook')->{status}, 0, 'resumed');
delivered('anew');


# ---- an endpoint that is gone ----

$receiver->answer(always => { status => 410 });
push @ids, add_events($redis, 8, prefix => 'gone');
ok(becomes(sub { parked() eq 'stop' }, 30), '410 in a row: stopped');
like($cli->run('status')->{out}, qr/^hook\s.*parked: stop/m,
     'status tells why');
ok(becomes(sub { metric('credentials') }, 5), 'metrics tell so');

my $used = becomes(sub { used_up() }, 5);

$sent = requests();
push @ids, add_events($redis, 8, prefix => 'later');
ok(becomes(sub { status()->{waiting} + status()->{retry} == 16 }, 10),
   'events wait');
is(requests(), $sent, 'nothing more is sent');
is(used_up(), $used, 'nothing more is used up');

$receiver->answer(always => { status => 200 });
is($cli->run('resume', 'hook')->{status}, 0, 'resumed');
delivered('stopped');

$t->done();
