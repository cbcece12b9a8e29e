#!/usr/bin/perl

# Persons: one before and after an identify, in maps, conditions and the share
# of a rollout; links that change; events that were loaded again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Http qw(from_json to_json);
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 120);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $folder = $t->dir() . '/destinations';

mkdir $folder;
symlink $t->root() . "/destinations/$_", "$folder/$_" for qw(file webhook);
mkdir "$folder/who";
$t->file('destinations/who/destination.yaml', <<'END');
name: who
kind: http
settings:
  url: { type: url, required: true }
request: { url: "{url}", framing: object }
END
$t->file('destinations/who/map.jq',
         "{ messageId: .event.messageId, person }\n");

my $conf = forwarder_conf(without => 'hook')
    =~ s/^destinations_path:.*$/destinations_path: $folder/mr;

$conf .= "  who:\n    use: who\n    settings: { url: "
    . $receiver->url('/who') . " }\n"
    . "    retry: { base: 50ms, factor: 2, cap: 1s }\n";

my $forwarder = $t->forwarder($conf);
my $number = 0;


sub add {
    my ($event, %fields) = @_;
    my $id = 'p' . ++$number;

    $redis->call('xadd', '{mt:02}:in', '*', 'v', 1, 'id', $id, 'src', 'web',
        %fields, 'e', to_json({ type => 'track', event => 'E',
                                messageId => $id, %$event }));

    return $id;
}


# the persons that the destination was told of
sub persons {
    my (@ids) = @_;
    my %person;

    ok(becomes(sub {
        %person = map { $_->{messageId} => $_->{person} }
            map { from_json($_->{body}) }
            grep { $_->{status} == 200 } $receiver->requests();

        return !grep { !exists $person{$_} } @ids;
    }, 20), '... all arrive');

    return @person{@ids};
}


# ---- who it is ----

my ($user, $device, $both, $none, $escaped) = persons(
    add({ userId => 'u1' }), add({ anonymousId => 'd1' }),
    add({ userId => 'u1', anonymousId => 'd1' }), add({}),
    add({ userId => "u\x{e4}\"1" }));

like($user, qr/\A[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab]/, 'a UUIDv5');
isnt($device, $user, 'a device is not a user');
is($both, $user, 'of both the user counts');
is($none, undef, 'nobody is nobody');
isnt($escaped, $user, 'an id with escapes');
is($redis->call('exists', '{mt:02}:link'), 0, 'a track links nothing');

# ---- an identify ----

my @linked = persons(
    add({ type => 'identify', userId => 'u1', anonymousId => 'd1' }),
    add({ anonymousId => 'd1' }));

is($linked[1], $user, 'after an identify the device is the user');
is($redis->call('hget', '{mt:02}:link', 'd1'), 'u1', 'it is kept');

# both in one step, and one before it

$forwarder->signal('STOP');
my @ids = (add({ anonymousId => 'd2' }),
           add({ type => 'identify', userId => 'u1', anonymousId => 'd2' }),
           add({ anonymousId => 'd2' }),
           add({ type => 'alias', userId => 'u1', previousId => 'd3' }),
           add({ anonymousId => 'd3' }));
$forwarder->signal('CONT');

my @batch = persons(@ids);

is($batch[2], $user, 'a link of the same step counts');
is($batch[4], $user, 'so does an alias');
is(ledger($redis)->{relinked} // 0, 0, 'no link has changed');

persons(add({ type => 'identify', userId => 'u2', anonymousId => 'd1' }));
is(ledger($redis)->{relinked}, 1, 'a link that changes is counted');
is((persons(add({ anonymousId => 'd1' })))[0],
   (persons(add({ userId => 'u2' })))[0], 'and holds from then on');

persons(add({ type => 'identify', userId => 'u3', anonymousId => 'd1' },
            to => 'who'));
is($redis->call('hget', '{mt:02}:link', 'd1'), 'u2',
   'what an operator sends again links nothing');

# ---- loaded from Redis ----

$receiver->answer(always => { status => 500 });
@ids = (add({ anonymousId => 'd2' }), add({ anonymousId => 'd9' }));
ok(becomes(sub { (ledger($redis)->{'retry:who'} // 0) >= 2 }, 20),
   'two events wait');
$forwarder->kill_now();
$receiver->answer(always => { status => 200 });
$forwarder->start();

my @loaded = persons(@ids);

is($loaded[0], $user, 'a person of an event that was loaded');
like($loaded[1], qr/-5/, 'and of one without a link');

# ---- conditions ----

$forwarder->stop();
$forwarder->write_conf($t->fill($conf
    . "    when: '.person == \"$user\"'\n"));
$forwarder->start();

my @asked = (add({ anonymousId => 'd9' }), add({ anonymousId => 'd2' }),
             add({}));

persons($asked[1]);
ok(becomes(sub { (ledger($redis)->{'refused:who:when'} // 0) == 2 }, 20),
   'a condition knows the person');

$t->done();
