#!/usr/bin/perl

# Whatever happens to it, the forwarder brings every event to one end.
#
# A seeded random generator makes episodes: events come (few persons, two
# sources, some twice), destinations answer all kinds of things, the forwarder
# is killed between any two steps or stands still past its lease, connections
# and scripts are lost, destinations are paused.  Then all is well again, and
# for each event and destination this must hold:
#
#   - it has ended exactly once, and the ledger has counted that end;
#   - if it is done, it was answered with success at least once; if it is
#     dead, it was refused;
#   - nobody has got what was never put in;
#   - where order counts, what a person did arrives in that order;
#   - nothing is left in Redis.
#
# MARTECH_SEED=N repeats a run, MARTECH_LONG=SECONDS makes it longer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time);

use Martech::Ledger qw(ledger_sums ledger_fault waiting_ids);
use Martech::Path;
use Martech::Test;

my $SECONDS = $ENV{MARTECH_LONG} || 15;
my $SEED = $ENV{MARTECH_SEED} || int(time() * 1000) % 1_000_000_000;

my ($SHARDS, $PERSONS) = (4, 6);
my @SOURCES = qw(web app);
my @POINTS = qw(after_claim after_read after_route before_send after_send
                before_done after_done before_retry after_retry before_dead
                after_dead before_trim before_move after_move);

# name => what makes it unlike the others
my %DESTS = (
    plain => 'batch: { count: 1 }',
    packs => 'batch: { count: 5 }',
    queue => 'order: person',
    lanes => "batch: { count: 4 }\n    priority: { high: [First] }",
    moves => "order: person\n    batch: { count: 3 }\n"
        . "    fallback: spare\n    fallback_after: 100ms\n"
        . '    breaker: { in_a_row: 3, row_time: 1ms, open: 100ms, '
        . 'cap: 200ms }',
    spare => "batch: { count: 2 }\n    events: [Never]",
    quiet => "order: person\n    batch: { count: 4 }\n    mode: dry_run",
);
my %FRAMING = (plain => 'object', packs => 'array', queue => 'object',
               lanes => 'ndjson', moves => 'array', spare => 'array',
               quiet => 'array');

# the only events of this one are those that the other hands over
my ($MOVES, $SPARE) = qw(moves spare);

# how often each action comes
my @ACTIONS = ((\&act_add) x 8, (\&act_answer) x 6, (\&act_wait) x 5,
               (\&act_kill) x 2, (\&act_fail) x 4,
               (\&act_lose_replies) x 4, \&act_flush_scripts, \&act_freeze,
               \&act_pause, \&act_kill_loop, \&act_reload, \&act_stop,
               \&act_full, \&act_down);

my $t = Martech::Test->new(timeout => $SECONDS * 4 + 120);
my $redis = $t->redis();
my %receivers = map { ($_ => $t->receiver()) } sort keys %DESTS;
my $forwarder = $t->forwarder(conf());

# every entry: { id (messageId), person, n (of the person), entry (its ID) }
my @entries;
my %numbers;                             # of the last event of a person
my @history;
my ($episodes, $actions) = (0, 0);

srand $SEED;
note("seed $SEED");

my $end = time() + $SECONDS;

while (time() < $end) {
    @history = ();
    $episodes++;

    my $failed = eval { episode() } // "died: $@";

    if ($failed) {
        fail("episode $episodes");
        diag("MARTECH_SEED=$SEED, episode $episodes: $failed\n",
             map { "    $_\n" } @history);
        last;
    }
}

cmp_ok($episodes, '>=', 1, "$episodes episodes, $actions actions");
cmp_ok(scalar @entries, '>', 20, scalar(@entries) . ' events');
shows_faults();
ok(becomes(sub { !$redis->count(shards => $SHARDS) }, 40),
   'what has ended is trimmed');
$t->done();


sub conf {
    my $conf = <<"END";
redis:
  address: %%REDIS%%
stream:
  shards: $SHARDS
loops: 1
owner:
  name: tester
  lease: 500ms
log:
  attempts: failed
destinations_path: %%ROOT%%/destinations
allow_private: [127.0.0.0/8]
destinations:
END

    for my $name (sort keys %DESTS) {
        $conf .= "  $name:\n    use: webhook\n    settings: { url: "
            . $receivers{$name}->url("/$name")
            . ", framing: $FRAMING{$name} }\n    $DESTS{$name}\n"
            . "    timeout: 300ms\n    connect_timeout: 300ms\n"
            . "    retry: { base: 5ms, factor: 2, cap: 40ms, "
            . "attempts: 1000 }\n";
    }

    return $conf;
}


sub episode {
    act_add();

    for (1 .. 6 + int rand 14) {
        revive();
        $ACTIONS[rand @ACTIONS]->();
        $actions++;
    }

    heal();

    return judge();
}


sub told { push @history, join ' ', @_ }
sub pick { $_[rand @_] }


# ---- actions ----

sub act_add {
    my $count = 1 + int rand 40;

    told('add', $count);

    for (1 .. $count) {
        my $person = 1 + int rand $PERSONS;

        if (@entries && rand() < 0.05) {
            put({ %{ pick(@entries) } });
            next;
        }

        my $n = ++$numbers{$person};

        put({ id => "$person-$n", person => $person, n => $n });
    }
}


sub put {
    my ($entry) = @_;
    my $tag = sprintf '{mt:%02d}', $entry->{person} % $SHARDS;

    $entry->{entry} = $redis->call('xadd', "$tag:in", '*', 'v', 1,
        'id', $entry->{id}, 'src', pick(@SOURCES), 'e', to_json({
            type => 'track', messageId => $entry->{id},
            event => $entry->{n} % 3 ? 'Added' : 'First',
            userId => "user $entry->{person}" }));
    push @entries, $entry;
}


sub act_answer {
    my $dest = pick(sort keys %DESTS);
    my @list = map { pick(200, 200, 500, 500, 429, 400, 'hang', 'cut') }
        1 .. 1 + int rand 6;

    told('answer', $dest, @list);
    $receivers{$dest}->answer(answers => [
        map { $_ eq 'hang' ? { delay => 3600 }
              : $_ eq 'cut' ? { cut => 1 } : { status => $_ } } @list ]);
}


# until something has ended, or nothing does
sub act_wait {
    my $before = ended();
    my $more = 1 + int rand 30;

    told('wait', $more);
    becomes(sub { ended() >= $before + $more }, 0.3);
}


sub act_kill {
    told('kill');
    $forwarder->kill_now();
}


sub act_fail {
    my $point = pick(@POINTS) . ':' . (1 + int rand 6);

    told('fail at', $point);
    $forwarder->kill_now();
    $forwarder->start(env => { MARTECH_FAIL_AT => $point });
}


# Redis does what it was asked last, and nobody hears the answer: both wait
# to be read when it goes on, in the order in which they came
sub act_lose_replies {
    my $client = $redis->client();
    my $before = ended();

    told('lose replies');
    act_add();
    becomes(sub { ended() > $before }, 0.1);
    $redis->freeze();
    becomes(sub { 0 }, 0.02);
    $client->__std_cmd('client', 'kill', 'type', 'normal', sub {});
    $redis->thaw();
    $client->wait_all_responses();
}


sub act_flush_scripts {
    told('flush scripts');
    $redis->call('script', 'flush');
}


# longer than the lease
sub act_freeze {
    return unless $forwarder->running();

    told('freeze');
    $forwarder->signal('STOP');
    wait_until(sub {
        !grep { $redis->call('exists', "$_:owner") } tags()
    }, 10, 'leases end');
    $forwarder->signal('CONT');
}


sub act_pause {
    my $dest = pick(sort keys %DESTS);
    my $key = "{mt:00}:state:$dest";

    if ($redis->call('hexists', $key, 'paused')) {
        told('resume', $dest);
        $redis->call('hdel', $key, 'paused');
        return;
    }

    told('pause', $dest);
    $redis->call('hset', $key, 'paused', int(time() * 1000));
}


# its shards go to the others, and some come back
sub act_kill_loop {
    my @loops = $forwarder->running() ? $forwarder->loops() : ();

    told('kill loop');
    kill 'KILL', pick(@loops) if @loops;
}


sub act_reload {
    told('reload');
    $forwarder->signal('HUP') if $forwarder->running();
}


# what is under way is waited for, and hanging requests are not
sub act_stop {
    told('stop');
    $forwarder->signal('TERM') if $forwarder->running();
}


# until something has gone to the fallback
sub act_down {
    my $before = moved();

    told('down');
    $receivers{$MOVES}->answer(answers => [], always => { status => 500 });
    act_add();
    becomes(sub { moved() > $before }, 1);
    $receivers{$MOVES}->answer(always => { status => 200 }) if rand() < 0.5;
}


sub moved {
    return ledger_sums($redis, shards => $SHARDS)->{moved}{$MOVES} // 0;
}


sub act_full {
    told('full');
    $redis->call('config', 'set', 'maxmemory', 1);
    act_wait();
    $redis->call('config', 'set', 'maxmemory', 0);
}


# ---- back to a good world ----

sub revive {
    return if $forwarder->running();

    told('start');
    $forwarder->start();
}


sub heal {
    told('heal');

    # one with a fail point may still be on its way there
    $forwarder->kill_now();
    $forwarder->start();

    for my $dest (sort keys %DESTS) {
        $redis->call('del', "{mt:00}:state:$dest");
        $receivers{$dest}->answer(answers => [], always => { status => 200 });
    }
}


sub tags { Martech::Redis::tags('mt', $SHARDS) }


sub ended {
    my $sums = ledger_sums($redis, shards => $SHARDS);
    my $ended = 0;

    for my $dest (keys %DESTS) {
        $ended += $sums->{$_}{$dest} // 0 for @Martech::Ledger::ENDS;
    }

    return $ended;
}


# ---- what must hold ----

# '' or what does not
sub judge {
    my $sums;

    becomes(sub {
        $sums = ledger_sums($redis, shards => $SHARDS);
        !grep { ends($sums, $_) != expected($sums, $_) } keys %DESTS;
    }, 40);

    for my $dest (sort keys %DESTS) {
        my $failed = judge_dest($dest, $sums);

        return "$dest: $failed" if $failed;
    }

    return '';
}


sub ends {
    my ($sums, $dest) = @_;
    my $count = 0;

    $count += $sums->{$_}{$dest} // 0 for @Martech::Ledger::ENDS;

    return $count;
}


# what came twice may be refused as a whole
sub expected {
    my ($sums, $dest) = @_;

    return ($sums->{moved}{$MOVES} // 0) - ($sums->{joined}{$SPARE} // 0)
        if $dest eq $SPARE;
    return @entries - ($sums->{duplicate}{''} // 0);
}


# what a destination was asked: [ messageIds, status ]
sub asked {
    my ($dest) = @_;

    return map {
        my $body = $FRAMING{$dest} eq 'ndjson'
            ? '[' . join(',', split /\n/, $_->{body}) . ']' : $_->{body};

        [ [ map { $_->{messageId} } map { ref eq 'ARRAY' ? @$_ : $_ }
            from_json($body) ], $_->{status} ];
    } $receivers{$dest}->requests();
}


sub judge_dest {
    my ($dest, $sums) = @_;
    my $fault = ledger_fault($redis, $dest, shards => $SHARDS);
    my @left = waiting_ids($redis, $dest, shards => $SHARDS);
    my @tries = grep { $redis->call('exists', "$_:try:$dest") } tags();

    return 'left: ' . join ' ', @left if @left;
    return "attempts left: @tries" if @tries;
    return $fault if $fault;
    return 'ended ' . ends($sums, $dest) . ', expected '
        . expected($sums, $dest)
        if ends($sums, $dest) != expected($sums, $dest);

    my (%known, %took, %refused, @order);

    $known{ $_->{id} }++ for @entries;

    for my $request (asked($dest)) {
        my ($ids, $status) = @$request;

        for my $id (@$ids) {
            return "$id was never put in" unless $known{$id};
            $refused{$id} = 1 if $status == 400;
            push @order, $id if $status == 200 && !$took{$id}++;
        }
    }

    return "$dest was asked, and dry"
        if $dest eq 'quiet' && (%took || %refused);

    my %dead;

    for my $letter (map { @{ $redis->call('xrange', "$_:dead:$dest",
                                          '-', '+') } } tags())
    {
        my %field = @{ $letter->[1] };

        return "$field{id} ($field{event}) is dead twice"
            if $dead{entries}{"$field{id} $field{event}"}++;
        return "$field{id} is dead: $field{reason}, and was not refused"
            unless $refused{ $field{id} };
        $dead{ids}{ $field{id} }++;
    }

    my $dead = keys %{ $dead{entries} // {} };

    return 'dead ' . ($sums->{dead}{$dest} // 0) . ", letters $dead"
        if $dead != ($sums->{dead}{$dest} // 0);

    # what was moved has its end there
    return '' if $dest eq 'quiet' || $dest eq $SPARE;

    if ($dest eq $MOVES) {
        $took{$_}++ for map { @{ $_->[0] } }
            grep { $_->[1] == 200 || $_->[1] == 400 } asked($SPARE);
    }

    my @lost = grep { !$took{$_} && !$dead{ids}{$_} } keys %known;

    return "lost: @lost" if @lost;

    # of two copies one may be refused, and the other taken much later
    return $dest eq 'queue' ? judge_order(grep { $known{$_} == 1 } @order) : '';
}


# the first deliveries of each person
sub judge_order {
    my (@ids) = @_;
    my %last;

    for (@ids) {
        my ($person, $n) = split /-/;

        return "person $person: $n after $last{$person}"
            if $n < ($last{$person} // 0);
        $last{$person} = $n;
    }

    return '';
}


# a run in which nothing happened would prove nothing
sub shows_faults {
    my %statuses;

    $statuses{ $_->{status} }++ for map { $_->requests() } values %receivers;

    cmp_ok($statuses{$_} // 0, '>', 0, "there were answers of $_")
        for 0, 200, 400, 500;
    cmp_ok($forwarder->logged(qr/"msg":"started"/), '>', 2,
           'the forwarder died');
    note(moved(), ' events were moved');
}
