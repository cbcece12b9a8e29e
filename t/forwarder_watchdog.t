#!/usr/bin/perl

# Programs that never end, eat memory or overflow the stack: each such event
# becomes a dead letter, and everything beside it is delivered.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Http qw(to_json);
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $receiver = $t->receiver();


# ---- a destination with a map that has five ways to die ----

my $folder = $t->dir() . '/destinations';

mkdir $folder;
system('cp', '-r', $t->root() . "/destinations/$_", "$folder/$_")
    for qw(file webhook);
system('cp', '-r', "$folder/webhook", "$folder/mapped");
system('sed', '-i', 's/^name: webhook/name: mapped/',
       "$folder/mapped/destination.yaml");
$t->file('destinations/mapped/map.jq', <<'END');
def forever: forever;
def deep: 1 + deep;

.event.event as $name
| if $name == "Forever" then forever
  elif $name == "Last" then { n: last(range(1e12)) }
  elif $name == "Hog" then { n: [limit(1e9; repeat(1))] | length }
  elif $name == "Deep" then { n: deep }
  elif $name == "Nest" then { n: (reduce range(3e6) as $i (null; [.])) }
  else .event
  end
END

my $conf = forwarder_conf(hook => $receiver->url('/hook'),
    top => "loops: 1\nmap: { timeout: 300ms, memory: 256m }");

$conf =~ s{%%ROOT%%/destinations}{$folder};
$conf .= "  mapped:\n    use: mapped\n"
    . "    settings: { url: '" . $receiver->url('/mapped') . "' }\n"
    . "    retry: { base: 50ms, cap: 200ms }\n"
    . "    batch: { count: 10 }\n";

my $forwarder = $t->forwarder($conf);
my $pid = $forwarder->pid();

# a map may end its loop by any of these, also by its stack
$t->expect(qr/"msg":"loop died/);

# a stack overflow is what the sanitizer reports
my @ways = $t->{asan} ? qw(Forever Last Hog Deep)
                      : qw(Forever Last Hog Deep Nest);


sub add {
    my ($name, $id, $shard) = @_;

    $redis->call('xadd', sprintf('{mt:%02d}:in', $shard), '*', v => 1,
        id => $id, src => 'test', e => to_json({
            type => 'track', event => $name, messageId => $id,
            userId => 'u', properties => {} }));

    return $id;
}


# so many park it: an operator who wants to see all of them
sub again { $redis->call('hdel', '{mt:00}:state:mapped', 'parked') }


sub mapped_ids {
    return ids_of(map { Martech::Http::from_json($_->{body}) }
        grep { $_->{path} eq '/mapped' && $_->{status} == 200 }
        $receiver->requests());
}


# messageId => reason of the dead letters of a destination
sub dead {
    my ($dest) = @_;
    my %dead;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        for (@{ $redis->call('xrange', "$tag:dead:$dest", '-', '+') }) {
            my %entry = @{ $_->[1] };

            $dead{ $entry{id} } = $entry{reason};
        }
    }

    return %dead;
}


# ---- all mixed ----

my (@good, @poison);

for my $n (1 .. 2) {
    for my $way (@ways) {

        # neighbours in the same shard, before and behind, and in another
        push @good, add('Good', "a-$way-$n", 3), add('Good', "b-$way-$n", $n);
        push @poison, add($way, "$way-$n", 3);
        push @good, add('Good', "c-$way-$n", 3);
    }
}

ok(becomes(sub { again(); !missing(\@good, mapped_ids()) }, 90),
   'every good event of the destination is delivered')
    or diag('missing: ', join ' ', missing(\@good, mapped_ids()));
ok(becomes(sub { again(); my %dead = dead('mapped'); keys %dead >= @poison },
           60),
   'every bad one is a dead letter');

my %dead = dead('mapped');

is_deeply([ sort keys %dead ], [ sort @poison ], 'these and no other')
    or diag(join ' ', sort keys %dead);
is((grep { $_ ne 'map_killed' } values %dead), 0, 'with the reason');
is(missing(\@poison, mapped_ids()), scalar @poison, 'none of them was sent');
ok(becomes(sub { !missing([ @good, @poison ], file_ids($t)) }, 20),
   'other destinations have all');
ok(becomes(sub { drained($redis, qw(archive hook mapped)) }, 20),
   'nothing waits');
ok(ledger_holds($redis, $_), "the ledger holds for $_")
    for qw(archive hook mapped);
is($forwarder->pid(), $pid, 'the supervisor is the same');


# ---- what it says ----

ok($forwarder->logged(
       qr/map does not return.*"destination":"mapped","event":"Forever-1"/),
   'the log names destination and event');
ok($forwarder->logged(qr/ends loop after loop.*"destination":"mapped"/),
   'and a destination whose map does it all the time');


# ---- and the next configuration knows what is poison ----

{
    my $died = $forwarder->logged(qr/"msg":"loop died/);
    my $killed = keys %dead;

    is($died, $killed, 'one process for each');
    $forwarder->signal('HUP');
    ok(becomes(sub { $forwarder->logged(qr/configuration loaded/) >= 2 }, 10),
       'a reload goes through');
    push @good, add('Good', 'reloaded', 3);
    ok(becomes(sub { !missing(\@good, mapped_ids()) }, 20),
       'and events flow');
}

$t->done();
