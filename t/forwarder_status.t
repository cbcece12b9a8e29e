#!/usr/bin/perl

# The status server: /metrics, /healthz, /readyz, by TCP and unix socket,
# under load, over deaths and reloads.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $conf = forwarder_conf(hook => $receiver->url('/hook'),
    hook_limits => "retry: { base: 50ms, factor: 2, cap: 1s }\n"
        . "breaker: { open: 500ms, cap: 1s }",
    top => "loops: 2\nmetrics: 127.0.0.1:9464");
my $forwarder = $t->forwarder($conf);
my $port = $t->port(9464);
my $all = 0;


sub page {
    my ($path) = @_;

    return get($port, $path);
}


# name{labels} => value of the page
sub metrics {
    my $body = page('/metrics')->{body} // '';

    return map { /^(martech_forwarder_\S+) (\S+)$/ ? ($1 => $2) : () }
        split /\n/, $body;
}


sub value {
    my ($name) = @_;
    my %m = metrics();

    return $m{"martech_forwarder_$name"} // -1;
}


sub flows {
    my ($prefix) = @_;
    my @ids = add_events($redis, 32, prefix => $prefix);

    $all += 32;

    return becomes(sub { !missing(\@ids, hook_ids($receiver))
                         && !missing(\@ids, file_ids($t)) }, 20);
}


# ---- pages ----

ok(becomes(sub { page('/readyz')->{status} == 200 }, 10), 'it becomes ready');
like(page('/readyz')->{body},
     qr/^\{"status":"ok","loops":\[\{"loop":"tester#0"/,
     'and says so for each loop');
is(page('/healthz')->{status}, 200, 'it is healthy');

my $page = page('/metrics');

is($page->{status}, 200, 'there are metrics');
like($page->{headers}{'content-type'} // '', qr{^text/plain; version=0\.0\.4},
     'of the right type');

my @bad;

for my $line (split /\n/, $page->{body}) {
    $line =~ /^\#[ ](?:HELP[ ]martech_forwarder_[a-z_]+[ ]\S.*|
                  TYPE[ ]martech_forwarder_[a-z_]+[ ]
                      (?:counter|gauge|histogram))$/x
        or $line =~ /^martech_forwarder_[a-z_]+
                     (?:\{(?:[a-z0-9_]+="(?:[^"\\\n]|\\[\\"n])*",?)+\})?
                     [ ][0-9.]+$/x
        or push @bad, $line;
}

is(join("\n", @bad), '', 'each line is of the format');

{
    my (%type, %seen, $last, @split);

    for (split /\n/, $page->{body}) {
        $type{$1} = $2 if /^# TYPE (\S+) (\S+)/;
        next unless /^([a-z_]+)/;

        my $name = $1 =~ s/_(?:bucket|sum|count)$//r;

        $name = $1 unless exists $type{$name};
        push @split, $name if $seen{$name}++ && $last ne $name;
        $last = $name;
    }

    is("@split", '', 'series of a metric stand together');
    is((grep { !$type{$_} } keys %seen), 0, 'each has a type');
}

is(page('/other')->{status}, 404, 'there is nothing else');
is(post($port, '/metrics', {})->{status}, 405, 'GET only');


# ---- numbers ----

ok(flows('first'), 'events flow');
ok(becomes(sub { value('events_total{destination="hook",class="delivered"}')
                 == $all }, 5), 'delivered events are counted');
is(value('attempts_total{destination="hook",class="delivered"}'), $all,
   'and requests');
is(value('batch_events_count{destination="hook"}'), $all,
   'the histogram of sizes knows them');
is(value('batch_events_bucket{destination="hook",le="1"}'), $all,
   'in the right bucket');
is(value('attempt_duration_seconds_bucket{destination="hook",le="+Inf"}'),
   $all, 'so does that of times');
is(value('routed_events_total'), $all, 'and routing');
is(value('shards_owned'), 16, 'all shards are ours');
is(value('loops_up'), 2, 'by two loops');
is(value('breaker_state{destination="hook",state="closed"}'), 1,
   'the breaker is closed');
cmp_ok(value('freshness_seconds{destination="hook"}'), '<', 30,
       'freshness is a time');

{
    $receiver->answer(always => { status => 500 });
    add_events($redis, 12, prefix => 'wait');
    $all += 12;
    ok(becomes(sub { value('queue_depth{destination="hook"}') == 12
                     && value('retry_depth{destination="hook"}') > 0
                     && value('oldest_age_seconds{destination="hook"}') > 0 },
               20), 'what waits is seen, with its age');
    ok(becomes(sub { value('queue_depth{destination="archive"}') == 0 }, 10),
       'and where nothing does');
    $receiver->answer(always => { status => 200 });
    ok(becomes(sub { value('queue_depth{destination="hook"}') == 0
                     && value('oldest_age_seconds{destination="hook"}') == 0 },
               20), 'and when it is gone');
}


# ---- a counter never goes back ----

{
    my ($loop) = $forwarder->loops();
    my $name = 'events_total{destination="hook",class="delivered"}';
    my $before = value($name);
    my $died = value('loops_died_total');

    kill KILL => $loop;
    ok(becomes(sub { value('loops_died_total') == $died + 1 }, 10),
       'a death is counted');
    cmp_ok(value($name), '>=', $before, 'the counter stays over it');

    # what only a loop knows is not forgotten with it

    my $opened = 'breaker_opened_total{destination="hook"}';

    $receiver->answer(always => { status => 500 });
    add_events($redis, 64, prefix => 'opens');
    ok(becomes(sub { value($opened) > 0 }, 20), 'the breaker opens');
    $receiver->answer(always => { status => 200 });
    ok(becomes(sub { drained($redis, 'hook') }, 20), 'and closes');
    $before = value($opened);
    $died = value('loops_died_total');
    kill KILL => $forwarder->loops();
    ok(becomes(sub { value('loops_died_total') == $died + 2
                     && value('loops_up') == 2 }, 15), 'loops die');
    cmp_ok(value($opened), '>=', $before, 'how often is still known');
    $before = value($name);

    $forwarder->write_conf($t->fill(
        forwarder_conf(without => 'archive', hook => $receiver->url('/hook'),
                       top => "loops: 1\nmetrics: 127.0.0.1:9464")));
    my ($sha) = page('/metrics')->{body} =~ /config_info\{sha256="(\w+)"/;

    $forwarder->signal('HUP');
    ok(becomes(sub { my ($now) = page('/metrics')->{body}
                         =~ /config_info\{sha256="(\w+)"/;
                     $now ne $sha }, 10), 'the digest tells of a reload');
    cmp_ok(value($name), '>=', $before, 'the counter stays over it');
    ok(becomes(sub { $forwarder->loops() == 1 && value('loops_up') == 1
                     && page('/readyz')->{status} == 200 }, 15),
       'the new loop works');
    cmp_ok(value($name), '>=', $before, 'also when the old ones are gone');

    $forwarder->write_conf("redis: [\n");
    $forwarder->signal('HUP');
    ok(becomes(sub { value('config_last_reload_successful') == 0 }, 10),
       'a configuration that was refused is seen');

    $forwarder->write_conf($t->fill($conf));
    $forwarder->signal('HUP');
    ok(becomes(sub { value('config_last_reload_successful') == 1
                     && value('loops_up') == 2 }, 15), 'and the next good one');
    ok(flows('again'), 'events flow');
}


# ---- health ----

{
    my ($loop) = $forwarder->loops();

    kill STOP => $loop;
    ok(becomes(sub { page('/healthz')->{status} == 503 }, 10),
       'a loop that hangs is not healthy');
    like(page('/healthz')->{body}, qr/"pid":$loop,"status":"does not answer"/,
         'and is named');
    is(value('loops_up'), 1, 'nor one that works');
    kill CONT => $loop;
    ok(becomes(sub { page('/healthz')->{status} == 200 }, 10),
       'until it goes on');

    $redis->stop();
    ok(becomes(sub { page('/readyz')->{status} == 503
                     && page('/readyz')->{body} =~ /no connection to redis/ },
               10), 'without redis it is not ready');
    is(page('/healthz')->{status}, 200, 'but healthy');
    $redis->start();
    ok(becomes(sub { page('/readyz')->{status} == 200 }, 20),
       'and ready again');
}


# ---- other addresses ----

{
    my $path = $t->dir() . '/status.sock';
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);

    $forwarder->write_conf($t->fill($conf
        =~ s/metrics: \S+/'metrics: 127.0.0.1:' . $taken->sockport()/er));
    $forwarder->signal('HUP');
    ok(becomes(sub { $forwarder->logged(qr/cannot listen.*in use/) }, 10),
       'an address that is taken is reported');
    is(page('/healthz')->{status}, 200, 'the old one stays');

    $forwarder->write_conf($t->fill($conf
        =~ s/metrics: \S+/metrics: unix:$path/r));
    ok(becomes(sub { $forwarder->signal('HUP'); -S $path }, 15),
       'a socket can be had');

    my $body = `curl -s --max-time 5 --unix-socket $path http://t/healthz`;

    like($body, qr/"status":"ok"/, 'and answers');
    is((stat $path)[2] & 0077, 0, 'only its user may ask');
}

# idle clients do not keep others out
{
    $forwarder->write_conf($t->fill($conf));
    $forwarder->signal('HUP');
    wait_until(sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") },
               10, 'the port is back');

    my @idle = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }
        1 .. 40;

    ok(becomes(sub { my $page = eval { page('/healthz') };
                     $page && ($page->{status} // 0) == 200 }, 15),
       'clients that say nothing are sent away');
}

$forwarder->signal('TERM');
ok($forwarder->wait_end(15), 'TERM ends it');
is($forwarder->{process}->status(), 0, 'with success');

{
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
    my $process = Martech::Process->start(
        name => 'martech-forwarder', output => $t->dir() . '/taken.log',
        argv => [$forwarder->{program}, 'run', '-c', $t->file('taken.yaml',
            $t->fill($conf =~ s/metrics: \S+/'metrics: 127.0.0.1:'
                                             . $taken->sockport()/er))]);

    ok($process->wait_end(10), 'at the start it is an end');
    is($process->status() >> 8, 1, 'with failure');
}

$t->done();
