#!/usr/bin/perl

# What others have done to the streams: entries nobody can read, ghosts, keys
# deleted, a destination taken away; and a destination that is only a folder.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Http qw(from_json to_json);
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $receiver = $t->receiver();

# ---- before the start ----

sub entry {
    my ($shard, @fields) = @_;

    return $redis->call('xadd', sprintf('{mt:%02d}:in', $shard), '*',
                        @fields);
}

sub event { to_json({ type => 'track', event => 'E', messageId => $_[0] }) }

my @good = ('v', 1, 'src', 'test');

entry(0, @good, id => 'first', e => event('first'));
entry(0, v => 2, id => 'b1', src => 'test', e => event('b1'));
entry(0, @good, e => event('b2'));
entry(0, @good, id => 'b3', e => '{"cut":');
entry(0, @good, id => 'b4', e => '[1]');
entry(0, @good, id => 'b5', to => 'nobody', e => event('b5'));
entry(0, @good, id => 'b6', src => 'a b', e => event('b6'));
entry(0, @good, id => 'only-hook', to => 'hook', e => event('only-hook'));
entry(0, @good, id => 'large', to => 'archive',
      e => to_json({ messageId => 'large', text => 'x' x 200_000 }));
entry(0, more => 'fields', e => event('last'), id => 'last', @good);

# read by an owner that died, one of the two trimmed away since

$redis->call('xgroup', 'create', '{mt:01}:in', 'forwarder', 0, 'mkstream');
my $ghost = entry(1, @good, id => 'ghost', e => event('ghost'));
entry(1, @good, id => 'inherited', e => event('inherited'));
$redis->call('xreadgroup', 'group', 'forwarder', 'dead-1', 'count', 9,
             'streams', '{mt:01}:in', '>');
$redis->call('xdel', '{mt:01}:in', $ghost);

# waits for a destination that is not configured any more

my $kept = entry(2, @good, id => 'kept', e => event('kept'));
$redis->call('xadd', '{mt:02}:q:gone', $kept, '', '');
$redis->call('hset', '{mt:02}:ledger', 'routed:gone', 1);

# a pointer to nothing

$redis->call('xadd', '{mt:03}:q:hook', '5-5', '', '');
$redis->call('hset', '{mt:03}:ledger', 'routed:hook', 1);

# a vendor of somebody's own

my $folder = $t->dir() . '/destinations';

mkdir $folder;
symlink $t->root() . "/destinations/$_", "$folder/$_" for qw(file webhook);
mkdir "$folder/acme";
put("$folder/acme/destination.yaml", <<'END');
name: acme
kind: http
settings:
  url: { type: url, required: true }
  pixel: { required: true }
request: { url: "{url}/{pixel}", framing: array }
END
put("$folder/acme/map.jq", <<'END');
if .event.messageId == "inherited" then empty
elif .event.messageId == "last" then error("no \(.event.messageId)")
else { id: .event.messageId, pixel: .settings.pixel }, { second: true } end
END

sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "cannot write: $!\n";
    print $fh $text;
    close $fh;
}

my $conf = forwarder_conf(hook => $receiver->url('/hook'),
    hook_limits => "retry: { base: 50ms, factor: 2, cap: 1s }\n"
        . "breaker: { count: 1000, in_a_row: 1000 }")
    =~ s/^destinations_path:.*$/destinations_path: $folder/mr;

$conf .= "  acme:\n    use: acme\n    settings: { url: "
    . $receiver->url('/acme') . ", pixel: \"a b\" }\n";

my $forwarder = $t->forwarder($conf);

ok(becomes(sub { drained($redis, qw(archive hook acme))
                 && (ledger($redis)->{in} // 0) == 4 }, 20),
   'good entries pass by the bad ones');

my $ledger = ledger($redis);

is($ledger->{bad}, 7, 'entries that cannot be read are counted');
is($redis->call('xlen', '{mt:00}:dead:_entry'), 6, 'and put aside');
is($redis->call('xlen', '{mt:01}:dead:_entry'), 1, 'a ghost as well');
is($ledger->{'dead:hook'}, 1, 'a pointer to nothing is a dead letter');
is($ledger->{'drop:acme'}, 1, 'a map drops');
is($ledger->{'dead:acme'}, 1, 'a map that fails makes a dead letter');
is($ledger->{'routed:archive'}, 5, 'an entry for one goes to one');
ok(ledger_holds($redis, $_), "the ledger of $_ holds")
    for qw(archive hook acme);

my @acme = grep { $_->{path} =~ /acme/ } $receiver->requests();

is($acme[0]{path}, '/acme/a%20b', 'a setting in a URL is encoded');
like($acme[0]{body}, qr/"pixel":"a b"\},\{"second":true\}/,
     'a map gives several records');

ok(becomes(sub { !$redis->call('xlen', '{mt:00}:in')
                 && !$redis->call('xlen', '{mt:01}:in') }, 20),
   'what is finished is trimmed');
is($redis->call('xlen', '{mt:02}:in'), 1,
   'what a destination waits for is kept, configured or not');

# ---- while it runs ----

my $round = 0;

# service is back within 5 s of what was done, and no event is missing
sub heals {
    my ($what, $harm) = @_;

    $harm->();

    my @ids = add_events($redis, 10, prefix => 'h' . ++$round, shard => 4);

    ok(becomes(sub { !missing(\@ids, file_ids($t)) }, 5),
       "$what: events go on within 5 s");
}

for my $harm (
    ['the group is destroyed',
     ['xgroup', 'destroy', '{mt:04}:in', 'forwarder']],
    ['the stream is deleted', ['del', '{mt:04}:in']],
    ['scripts are flushed', ['script', 'flush']],
    ['the lease is deleted', ['del', '{mt:04}:owner']],
    ['the lease and the epoch are deleted',
     ['del', '{mt:04}:owner', '{mt:04}:epoch']],
    ['the list of loops is deleted', ['del', '{mt:00}:loops']],
    ['connections are cut', ['client', 'kill', 'type', 'normal',
                             'skipme', 'yes']],
) {
    my ($what, $command) = @$harm;

    heals($what, sub { $redis->call(@$command) });
}

my $epoch = $redis->call('get', '{mt:04}:epoch');

ok($epoch > 1, 'an epoch does not come back');

heals('connections are cut again and again', sub {
    for my $n (1 .. 30) {
        $redis->call('client', 'kill', 'type', 'normal', 'skipme', 'yes');
        add_events($redis, 2, prefix => "cut$n", shard => 4);
        select undef, undef, undef, 0.05;
    }
});
ok(becomes(sub { !missing([ map { ("cut$_-1", "cut$_-2") } 1 .. 30 ],
                          file_ids($t)) }, 5), 'what came meanwhile as well');

heals('redis is restarted', sub { $redis->restart() });

# ---- a watermark above the stream ----

my $last = '99999999999999-7';

$redis->call('hset', '{mt:04}:ledger', 'last', $last);
heals('the watermark is of another stream',
      sub { $redis->call('del', '{mt:04}:owner') });
ok(becomes(sub { ($redis->call('hget', '{mt:04}:ledger', 'reset') // 0) == 1 },
           5), 'it is set back, once');
isnt($redis->call('hget', '{mt:04}:ledger', 'last'), $last, 'to what is there');
ok($forwarder->logged(qr/the stream starts anew.*"$last \d+-\d+"/),
   'with both IDs in the log');
$redis->call('hdel', '{mt:04}:ledger', 'last', 'reset');

# ---- entries that went to a reader that is gone ----

{
    my @ids = map { "stray-$_" } 1 .. 5;

    # In one script, so that the owner, which waits for them, gets none: as a
    # reader that was stopped in the middle of a read.
    $redis->call('eval', <<'END', 1, '{mt:06}:in', map { $_, event($_) } @ids);
for i = 1, #ARGV, 2 do
    redis.call('xadd', KEYS[1], '*', 'v', 1, 'id', ARGV[i], 'src', 'test',
               'e', ARGV[i + 1])
end
redis.call('xreadgroup', 'group', 'forwarder', 'stranger', 'count', 99,
           'streams', KEYS[1], '>')
END

    is($redis->call('xpending', '{mt:06}:in', 'forwarder')->[0], 5,
       'another reader has got entries');
    ok(becomes(sub { !missing(\@ids, file_ids($t)) }, 8),
       'they are collected and delivered');
}

ok(becomes(sub { drained($redis, qw(archive hook acme)) }, 20), 'drained');
ok(ledger_holds($redis, $_), "the ledger of $_ holds")
    for qw(archive hook acme);

# ---- failing, while others are done and the stream is trimmed ----

$receiver->answer(answers => [], always => { status => 500 });

my @late = add_events($redis, 20, prefix => 'late', shard => 5);

ok(becomes(sub { !missing(\@late, file_ids($t)) }, 20), 'one has them');
ok(becomes(sub { (ledger($redis)->{'retry:hook'} // 0) >= 40 }, 20),
   'the other fails');

add_events($redis, 20, prefix => 'later', shard => 5);

$receiver->answer(answers => [], always => { status => 200 });

ok(becomes(sub { drained($redis, qw(hook)) }, 30), 'then it has them too');
my @hooked = map { from_json($_->{body})->{messageId} }
    grep { $_->{path} =~ /hook/ && $_->{status} == 200 } $receiver->requests();

ok(!missing(\@late, @hooked), 'none was trimmed away');
is(ledger($redis)->{'dead:hook'}, 1, 'and none is dead');

$t->done();
