#!/usr/bin/perl

# The shipped destinations at 500 events a second each, against vendors that
# keep their published limits, refuse single records, put some off, and are out
# of order now and then: nothing is lost, no limit is violated, nothing comes
# twice, and a dead letter is what the vendor refused, no other event.
#
# Two seconds of each, in groups; MARTECH_LONG=1: 60 s (MARTECH_LONG=N: N
# seconds), and all has to be delivered 10 s later.  With names only those.
# MARTECH_SEED=N repeats a run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(max sum0);
use Time::HiRes qw(sleep time);

use Martech::Feeder;
use Martech::Path;
use Martech::Test;
use Martech::Vendor;

our $RATE = 500;
my $LONG = $ENV{MARTECH_LONG} || 0;
our $SECONDS = $LONG > 1 ? $LONG : $LONG ? 60 : 2;
my $SEED = $ENV{MARTECH_SEED} || int(time() * 1000) % 1_000_000_000;

# shares of the events that a vendor refuses, or takes the second time only
our ($REFUSED, $LATER) = (0.01, 0.01);

# Seconds until the vendor answers, until all should have come to an end, and
# until we give up.  Whether a machine that runs other tests as well keeps up is
# not looked at.
my ($DELAY, $DRAIN, $LIMIT) = (0.1, 10, 60);

# Shares of the requests that something happens to, until it has happened so
# often; who sends many small requests would otherwise wait most of the time.
my %FAULTS = (
    (map { $_ => $LONG ? 0.01 : 0.05 } qw(throttled error cut lost)),
    most => { throttled => max(1, int $SECONDS / 20),
              map { $_ => max(2, int $SECONDS / 5) } qw(error cut lost) });

# Events are orders; for who is about persons they are persons.
my %PERSONS = map { $_ => 1 } qw(hubspot salesforce);

# HubSpot has other limits for orders, which it refuses as a whole and names
# nobody: a bad one costs nearly twenty requests of ten a second, so one in two
# thousand of them may be bad, and not one in a hundred.
# ClickHouse has few inserts at a time, and what it cannot read is rare: a row
# of the wrong type is a fault of the table.
my %ALSO = (hubspot_orders => 'hubspot');
my %RARELY = map { $_ => 1 } qw(hubspot_orders clickhouse);
my $REFUSED_RARELY = 0.0005;

# Being throttled means a longer wait there than this test may take.
my %WAITS_LONG = map { $_ => 1 } qw(amplitude meta salesforce);

# Klaviyo takes 150 requests a minute.  An order is two records, and with one of
# a hundred refused each request is sent twice: that is 625 orders a second, so
# what was lost by faults takes longer to make up for.
# TikTok tells that some were refused, not whom: halves are sent again wholly,
# which the stand-in is slow to read.
# HubSpot's window of 10 s may have been used up by small requests.
my %NEARLY = (klaviyo => 20, tiktok => 40, hubspot => 10);

my %SOURCES = (orders => '8000', persons => '8001');

# so many as two processors carry for long, with all that stands around
my @GROUPS = ([qw(ga4 mixpanel)], [qw(meta tiktok)],
              [qw(amplitude segment posthog)],
              [qw(klaviyo customerio webhook)], ['clickhouse'],
              [qw(hubspot salesforce)]);

@GROUPS = map { [map { @$_ } @$_] } [@GROUPS[0 .. 2]], [@GROUPS[3 .. 5]]
    unless $LONG;
push @GROUPS, ['hubspot_orders'] if $LONG || @ARGV;

my %wanted = map { $_ => 1 } @ARGV;

diag("MARTECH_SEED=$SEED");


# ---- events ----

# 'reject', 'later' or 'plain', decided by number and seed
sub word_of {
    my ($n) = @_;
    my $x = ($n * 2_654_435_761 + $SEED * 40_503) % 2 ** 32;

    $x = (($x ^ ($x >> 15)) * 2_246_822_519) % 2 ** 32;
    $x = ($x ^ ($x >> 13)) / 2 ** 32;

    return $x < $REFUSED ? 'reject' : $x < $REFUSED + $LATER ? 'later'
        : 'plain';
}


sub id_of { sprintf '01930a5e-7c00-7000-%s-%012d', $SOURCES{ $_[0] }, $_[1] }


sub iso {
    my @time = gmtime $_[0];

    return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', $time[5] + 1900,
        $time[4] + 1, @time[3, 2, 1, 0], int(1000 * ($_[0] - int $_[0]));
}


# The stand-in finds "load-N-" in what a map makes of it.
sub event {
    my ($source, $n, $now) = @_;
    my $time = iso($now);
    my $name = 'load-' . $n . '-vendor-' . word_of($n);
    my $id = id_of($source, $n);
    my $what = $source eq 'persons'
        ? qq("type":"identify","traits":{"email":"$name\@shop.example",)
          . qq("firstName":"Ada","lastName":"$name"})
        : qq("type":"track","event":"Order Completed","properties":{)
          . qq("order_id":"$name","revenue":12.5,"currency":"EUR",)
          . qq("products":[{"product_id":"p-$n","name":"Mug $name",)
          . qq("price":12.5,"quantity":1}]});

    return ($source, $id, qq({$what,"messageId":"$id","userId":"$name",)
        . qq("anonymousId":"anonymous-$n","receivedAt":"$time",)
        . qq("timestamp":"$time","context":{"ip":"203.0.113.9",)
        . qq("userAgent":"Mozilla/5.0 Firefox/140.0","page":{"url":)
        . qq("https://shop.example/$name"},)
        . qq("traits":{"email":"$name\@shop.example"},)
        . qq("martech":{"v":1,"source":"$source"}}}));
}


# ---- a group of destinations ----

for my $group (@GROUPS) {
    my @names = grep { !@ARGV || $wanted{$_} } @$group;

    local $REFUSED = $LONG && $RARELY{ $names[0] // '' } ? $REFUSED_RARELY
        : $REFUSED;

    try_group(@names) if @names;
}

try_backlog() if !@ARGV || $wanted{backlog};
try_limit() if $LONG && !@ARGV || $wanted{limit};
done_testing();


sub try_group {
    my (@names) = @_;
    my $t = Martech::Test->new(timeout => 120 + 2 * $SECONDS);
    my $redis = $t->redis();
    my ($forwarder, %vendors) = start($t, '', @names);
    my $feeder = feeder($t, $redis, @names);
    my $fed = $feeder->wait();
    my $rate = $fed->{count} / $fed->{seconds};

    my $paced = sprintf 'fed: %d a second for %.1f s', $rate, $fed->{seconds};

    $LONG ? cmp_ok($rate, '>', 0.98 * $RATE, $paced) : diag($paced);

    my %drained = drain($redis, $feeder->last(), @names);

    is(scalar keys %drained, scalar @names, 'all comes to an end')
        or show($redis, @names);

    for my $name (sort keys %drained) {
        my $limit = $DRAIN + ($NEARLY{$name} // 0);

        cmp_ok($drained{$name}, '<', $limit, "$name: within $limit s")
            if $LONG;
    }

    try_destination($redis, $_, $vendors{$_}, $feeder->last(), $drained{$_})
        for @names;

    $forwarder->stop();
    $_->stop() for values %vendors;
}


# Vendors and a forwarder for them; more => YAML of each destination.
sub start {
    my ($t, $more, @names) = @_;
    my $folders = $t->dir() . '/destinations';
    my $conf = $t->fill(forwarder_conf(without => 'archive', hook => 'x',
                                       top => 'loops: 2'));
    my %env = (TOKEN_KEY => '0123456789abcdef' x 4);
    my %vendors;

    mkdir $folders;
    $conf = "credentials_key: env:TOKEN_KEY\n"
        . "log: { attempts: failed }\n$conf" =~ s/^  hook:.*//msr;
    $conf =~ s/^destinations_path:.*/destinations_path: $folders/m;

    # a machine that is busy is late, and this is not about owners
    $conf =~ s/lease: 1s/lease: 6s/;

    for my $name (@names) {
        my ($vendor, $part, %secrets) = destination($name, $folders);

        $vendors{$name} = $vendor;
        $conf .= $part . $more;
        %env = (%env, %secrets);
    }

    return ($t->forwarder($conf, env => \%env), %vendors);
}


# A vendor's process, the part of the configuration, secrets.
sub destination {
    my ($name, $folders) = @_;
    my $use = $ALSO{$name} // $name;
    my $vendor = Martech::Vendor->new(dir => "$FindBin::Bin/vendor",
                                      vendors => [$use]);
    my ($settings, %secrets) = $vendor->settings($use, 6);
    my $source = source_of($name);

    $vendor->folder($use, Martech::Test::root() . '/destinations', $folders);
    $vendor->set($use, mark => 'load-(\d+)-', delay => $DELAY, life => 5,
                 faults => { %FAULTS, seed => $SEED % 2 ** 31, retry_after => 1,
                             $WAITS_LONG{$use} ? (throttled => 0) : () });

    return ($vendor, "  $name:\n    use: $use\n    sources: [$source]\n"
            . "    settings:\n$settings", %secrets);
}


sub source_of { $PERSONS{ $_[0] } ? 'persons' : 'orders' }


sub feeder {
    my ($t, $redis, @names) = @_;
    my %sources = map { source_of($_) => 1 } @names;

    return Martech::Feeder->start(
        redis => $redis, file => $t->dir() . '/fed', rate => $RATE,
        seconds => $SECONDS, events => [
            map { my $source = $_; sub { event($source, @_) } }
            sort keys %sources ]);
}


# Few requests are allowed, and many events wait: so requests are full, though
# mapping them takes longer than what may be sent is ours.
sub try_backlog {
    my ($events, $of_a_request) = (3000, 1000);
    local ($REFUSED, $LATER, $FAULTS{most}) = (0, 0, none());
    local ($RATE, $SECONDS) = ($events, 1);
    my $t = Martech::Test->new(timeout => 120);
    my $redis = $t->redis();

    feeder($t, $redis, 'klaviyo')->wait();

    my ($forwarder, %vendors) = start($t, '', 'klaviyo');
    my %drained = drain($redis, $events, 'klaviyo');
    my $report = $vendors{klaviyo}->report()->{klaviyo};

    ok($drained{klaviyo}, 'a backlog drains') or show($redis, 'klaviyo');

    # two loops, which both begin with what they have
    cmp_ok($report->{requests}, '<=', $report->{records} / $of_a_request + 8,
           'by requests that are full');
    $forwarder->stop();
    $vendors{klaviyo}->stop();
}


# of what may happen to requests
sub none { return { map { $_ => 0 } qw(throttled error cut lost) } }


# A vendor who takes less than is fed: what may be sent, is sent.  With ten
# contacts a request, 100 requests in 10 s are a fifth of it.
sub try_limit {
    my ($window, $most, $share) = (10, 100, 0.95);
    local ($REFUSED, $LATER, $FAULTS{most}) = (0, 0, none());
    my $t = Martech::Test->new(timeout => 120 + 2 * $SECONDS);
    my $redis = $t->redis();
    my ($forwarder, %vendors) = start($t, "    batch: { count: 10 }\n",
                                      'hubspot');
    my $feeder = feeder($t, $redis, 'hubspot');
    my $requests = sub { $vendors{hubspot}->report()->{hubspot}{requests} };

    wait_until(sub { $requests->() }, 20, 'the first request');

    my $begin = time();

    sleep $window * int(max(1, $SECONDS / $window)) - 0.2;

    my ($sent, $seconds) = ($requests->(), time() - $begin);
    my $windows = int($seconds / $window) + 1;
    my $report = $vendors{hubspot}->report()->{hubspot};

    diag(sprintf '%d requests in %d windows of %d', $sent, $windows, $most);
    cmp_ok($sent, '>=', $share * $windows * $most, 'a limit is used');
    is_deeply($report->{violations}, {}, 'and kept');
    cmp_ok($report->{records}, '>=', 9.5 * $sent, 'by requests that are full');
    $feeder->wait();
    ok(ledger_holds($redis, 'hubspot'), 'the ledger closes');
    $forwarder->stop();
    $vendors{hubspot}->stop();
}


# { name => seconds } until nothing of it waited any more
sub drain {
    my ($redis, $last, @names) = @_;
    my $begin = time();
    my %drained;

    while (time() - $begin < $LIMIT && keys %drained < @names) {
        my $ledger = ledger($redis);

        for my $name (grep { !exists $drained{$_} } @names) {
            $drained{$name} = time() - $begin
                if ($ledger->{"routed:$name"} // 0) == $last
                    && !waiting($redis, $name);
        }

        sleep 0.1;
    }

    return %drained;
}


sub show {
    my ($redis, @names) = @_;
    my $ledger = ledger($redis);

    diag("$_: routed ", $ledger->{"routed:$_"} // 0, ', waiting ',
         waiting($redis, $_)) for @names;
}


# numbers of the events that became dead letters
sub dead {
    my ($redis, $name) = @_;
    my @dead;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        push @dead, map { my %entry = @{ $_->[1] };
                          $entry{id} =~ /-0*(\d+)$/ ? $1 : $entry{id} }
            @{ $redis->call('xrange', "$tag:dead:$name", '-', '+') };
    }

    return sort { $a <=> $b } @dead;
}


sub try_destination {
    my ($redis, $name, $vendor, $last, $drained) = @_;
    my $use = $ALSO{$name} // $name;
    my $report = $vendor->report()->{$use};
    my $ids = $vendor->ids($use);
    my $ledger = ledger($redis);
    my @refused = grep { word_of($_) eq 'reject' } 1 .. $last;
    my @taken = grep { word_of($_) ne 'reject' } 1 .. $last;
    my @dead = dead($redis, $name);
    my $statuses = $report->{statuses};

    diag(sprintf '%-11s %6d requests, %5.1f records each, %s; faults: %s; '
         . '%d twice; drained in %s', $name, $report->{requests},
         $report->{records} / max(1, $report->{requests}),
         join(' ', map { "$_: $statuses->{$_}" } sort keys %$statuses),
         join(' ', map { "$_ $report->{faulty}{$_}" }
              sort keys %{ $report->{faulty} }),
         $report->{duplicates},
         defined $drained ? sprintf('%.1f s', $drained) : 'more');

    is_deeply($report->{violations}, {}, "$name: no limit is violated")
        or diag(Martech::Http::to_json($report->{samples}));
    is(difference(\@taken, [keys %{ $ids->{marks}{accepted} }]), '',
       "$name: the vendor has all that it takes");
    is(difference(\@refused, [keys %{ $ids->{marks}{refused} }]), '',
       "$name: and was asked for all that it refuses");
    is(difference($vendor->refuses($use) ? \@refused : [], \@dead), '',
       "$name: dead letters are those it refused");
    is($report->{duplicates}, 0, "$name: nothing came twice")
        unless $vendor->repeats($use);
    is(sum0(map { $ledger->{"$_:$name"} // 0 } qw(done drop dead)), $last,
       "$name: nothing is lost");
    ok(ledger_holds($redis, $name), "$name: the ledger closes");
    is($report->{unauthorized}, 0, "$name: the credentials are right")
        unless $report->{refreshes};
}


# '' if both have the same numbers, each once
sub difference {
    my ($wanted, $got) = @_;
    my %seen;

    $seen{$_}++ for @$got;

    my @missing = grep { !delete $seen{$_} } @$wanted;
    my @more = sort keys %seen;

    return '' unless @missing || @more || @$got != @$wanted;
    return @missing . ' missing: ' . join(' ', @missing[0 .. min_of(@missing)])
        . '; ' . @more . ' more: ' . join(' ', @more[0 .. min_of(@more)]);
}


sub min_of { $#_ < 9 ? $#_ : 9 }
