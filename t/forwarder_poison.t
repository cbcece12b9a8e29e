#!/usr/bin/perl

# Programs that hang on every event: after a few of them the destination is
# parked, or its rule refuses without being asked, and its neighbours go on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Ledger qw(ledger_count ledger_fault);
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 240);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $folder = $t->dir() . '/destinations';

# as many kills as park a destination; the next may be on its way
my $PARKS = 6;

mkdir $folder;
system('cp', '-r', $t->root() . "/destinations/$_", "$folder/$_")
    for qw(file webhook);
made('looping', 'map.jq', "def forever: forever;\nforever\n");
made('answering', 'answer.jq', "def forever: forever;\nforever\n");

my $forwarder = $t->forwarder(conf(looping => 'use: looping'));
my $cli = Martech::Command->new($t, conf(looping => 'use: looping',
    map { ($_ => 'use: webhook') } qw(shadow answering)));


# ---- a map ----

my @ids = add_events($redis, 40, prefix => 'map');

ok(becomes(sub { parked('looping') }, 60), 'the destination is parked');
ok(becomes(sub { !missing(\@ids, hook_ids_of('/hook')) }, 20),
   'its neighbour has every event');

my $died = died();

cmp_ok($died, '<=', $PARKS, "$died loops died");
is($forwarder->logged(qr/is parked.*"destination":"looping"/), 1,
   'the log says so, once');
like($cli->run('status')->{out}, qr/^looping\s.*parked: stop$/m,
     'and so does the state');

@ids = add_events($redis, 40, prefix => 'more');
ok(becomes(sub { !missing(\@ids, hook_ids_of('/hook')) }, 20),
   'events flow to the neighbour');
ok(becomes(sub { waiting($redis, 'looping') + dead('looping') == 80 }, 10),
   'those of the parked one wait');
is(died(), $died, 'and no loop dies any more');
is(ledger_fault($redis, $_), '', "the ledger closes for $_")
    for qw(hook looping);

# a loop that dies of something else changes nothing

kill 'KILL', ($forwarder->loops())[0];
ok(becomes(sub { died() == $died + 1 }, 10), 'a loop dies');
ok(becomes(sub { owned() }, 10), 'and is there again');
@ids = add_events($redis, 20, prefix => 'again');
ok(becomes(sub { !missing(\@ids, hook_ids_of('/hook')) }, 20),
   'it does its work');
ok(parked('looping'), 'what was parked still is');
is(died(), $died + 1, 'and is not tried');


# ---- resumed, and it is the same ----

$died = died();
is($cli->run('resume', 'looping')->{status}, 0, 'it is resumed');
ok(becomes(sub { died() > $died && parked('looping') }, 60),
   'it is tried, and parked again');
cmp_ok(died() - $died, '<=', $PARKS, 'after as many');


# ---- a configuration with another map ----

$died = died();
$t->file('destinations/looping/map.jq', ".event\n");
$forwarder->signal('HUP');
ok(becomes(sub { drained($redis, 'looping') }, 30),
   'a reload lifts it: all that waited is delivered');
ok(becomes(sub { !parked('looping') }, 10), 'it is not parked');
is(died(), $died, 'no loop dies');
is(waiting($redis, 'looping') + hook_ids_of('/looping') + dead('looping'),
   100, 'every event has its end');
is(ledger_fault($redis, 'looping'), '', 'the ledger closes');
$forwarder->stop();


# ---- a rule ----

$forwarder->write_conf($t->fill(conf(
    ruled => "use: webhook\n    when: 'def forever: forever; forever'")));
$forwarder->start();
@ids = add_events($redis, 30, prefix => 'when');
ok(becomes(sub { !missing(\@ids, hook_ids_of('/hook')) }, 60),
   'a neighbour of a rule that hangs has every event');
is(ledger_count($redis, 'refused', 'ruled'), 30, 'the rule refused all');
ok(becomes(sub { parked('ruled') }, 10), 'the destination is parked');
cmp_ok(died() - $died, '<=', $PARKS, 'after as many loops');
$died = died();
@ids = add_events($redis, 30, prefix => 'unasked');
ok(becomes(sub { !missing(\@ids, hook_ids_of('/hook')) }, 20),
   'events flow');
is(ledger_count($redis, 'refused', 'ruled'), 60, 'the rule is not asked');
is(died(), $died, 'no loop dies');
$forwarder->stop();


# ---- the program of a shadow, which is that of another destination ----

for my $case ([ shadow => "use: webhook\n    mode: shadow\n"
                          . '    shadow_of: looping' ],
              [ answering => 'use: answering' ])
{
    my ($name, $yaml) = @$case;

    $t->file('destinations/looping/map.jq', <<'END');
def forever: forever;
if .now then forever else . end
END
    $forwarder->write_conf($t->fill(conf($name => $yaml,
        $name eq 'shadow' ? (looping => "use: looping\n    sources: [none]")
                          : ())));
    $died = died();
    $forwarder->start();
    @ids = add_events($redis, 12, prefix => $name);
    ok(becomes(sub { parked($name) }, 60), "$name: it is parked");
    ok(becomes(sub { !missing(\@ids, hook_ids_of('/hook')) }, 20),
       "$name: its neighbour has every event");
    cmp_ok(died() - $died, '<=', $PARKS, "$name: after as many loops");
    is($cli->run('resume', $name)->{status}, 0, "$name: it is resumed");
    ok(becomes(sub { dead($name) >= $PARKS - 1 }, 30),
       "$name: what ended a loop is not tried twice");
    $forwarder->stop();
}

$t->done();


# a destination of its own with a program
sub made {
    my ($name, $file, $text) = @_;

    system('cp', '-r', "$folder/webhook", "$folder/$name");
    system('sed', '-i', "s/^name: webhook/name: $name/",
           "$folder/$name/destination.yaml");
    $t->file("destinations/$name/$file", $text);
}


# hook, and these: name => what is unlike it
sub conf {
    my (%dests) = @_;
    my $conf = forwarder_conf(without => 'archive',
        hook => $receiver->url('/hook'),
        top => "loops: 1\nmap: { timeout: 200ms, memory: 256m }");

    $conf =~ s{%%ROOT%%/destinations}{$folder};

    for my $name (sort keys %dests) {
        $conf .= "  $name:\n    $dests{$name}\n    settings: { url: '"
            . $receiver->url("/$name") . "' }\n"
            . "    batch: { count: 5 }\n"
            . "    retry: { base: 50ms, cap: 200ms }\n";
    }

    return $conf;
}


sub hook_ids_of {
    my ($path) = @_;

    return ids_of(map { Martech::Http::from_json($_->{body}) }
        grep { $_->{path} eq $path && $_->{status} == 200 }
        $receiver->requests());
}


sub parked { defined $redis->call('hget', "{mt:00}:state:$_[0]", 'parked') }
sub died { $forwarder->logged(qr/"msg":"loop died/) }


sub owned {
    return 16 == grep { $redis->call('exists', "$_:owner") }
        Martech::Redis::tags('mt', 16);
}


sub dead {
    my ($dest) = @_;
    my $dead = 0;

    $dead += $redis->call('xlen', "$_:dead:$dest")
        for Martech::Redis::tags('mt', 16);

    return $dead;
}
