#!/usr/bin/perl

# Calls: several endpoints in one destination, groups, limits of count, bytes
# and single records, gzip, forms, and which event an answer speaks of.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 120);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $dests = $t->dir() . '/destinations';

mkdir $dests;
symlink $t->root() . "/destinations/$_", "$dests/$_" for qw(file webhook);
mkdir "$dests/acme";

sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "cannot write: $!\n";
    print $fh $text;
    close $fh;
}

put("$dests/acme/destination.yaml", <<'END');
name: acme
kind: http
version: { name: v3 }
settings:
  url: { type: url, required: true }
  token: { secret: true, required: true }
  unset: {}
auth: { kind: bearer, token: "{token}" }
omit: "null"
endpoints:
  events:
    url: "{url}/{version}/events"
    query: { env: "{env}", none: "{unset}" }
    headers: { X-Group: "{group.g}" }
    framing: body
    body: { api_key: "{token}", left_out: "{unset}", group: "@group",
            inputs: "@records" }
    compress: none
    batch: { count: 3, bytes: 4k, record: 1k, linger: 50ms }
  forms:
    url: "{url}/forms"
    framing: form
    body: { data: "@records", kind: "a b" }
    batch: { count: 100 }
  one:
    url: "{url}/one/{record.id}"
    method: PATCH
    framing: body
    body: "@record"
  packed:
    url: "{url}/packed"
    framing: ndjson
    compress: gzip
    batch: { count: 50 }
END

put("$dests/acme/map.jq", <<'END');
.event as $e | $e.properties as $p
| if $p.drop then drop("not_wanted")
  elif $p.fail then fail("no key")
  else { "@endpoint": ($p.to // "events"), "@group": { g: $p.g },
         "@path": (if $p.to == "one" then { id: $e.messageId } else null end),
         "@merge": $p.merge,
         id: $e.messageId, pad: $p.pad, nothing: null, from: $p.evil,
         hash: (if $p.hash then sha256($p.hash; ["trim", "lower"])
                else null end) } end
END

# the receiver says what it wants to be understood
put("$dests/acme/answer.jq", <<'END');
if (.body | type) == "object" and .body.say then .body.say else null end
END

put($t->dir() . '/token', "s3cr3t/token\n");

my $conf = forwarder_conf(without => 'archive', hook => $receiver->url('/n'))
    =~ s/^destinations_path:.*$/destinations_path: $dests/mr;

$conf =~ s/^  hook:.*//ms;
$conf .= "  acme:\n    use: acme\n    settings: { url: \""
    . ($receiver->url('') =~ s{/\z}{}r) . "\", token: \"file:"
    . $t->dir() . "/token\" }\n"
    . "    retry: { base: 20ms, factor: 1, cap: 50ms, attempts: 3, age: 0 }\n";

my $forwarder = $t->forwarder($conf, run => 0);
my ($round, $total) = (0, 0);


# Events with these properties meet these answers.  The requests that came.
sub meets {
    my ($answers, @events) = @_;
    my $before = () = $receiver->requests();
    my ($n, $prefix) = (0, 'r' . ++$round . '_');

    $receiver->answer(always => { status => 200 }, answers => [
        map { { status => 200, %$_,
                body => ref $_->{body} ? to_json($_->{body}) : $_->{body} } }
        @$answers ]);

    for my $p (@events) {
        my $id = $prefix . ++$n;

        $redis->call('xadd', '{mt:00}:in', '*', 'v', 1, 'id', $id,
                     'src', 'test', 'e', to_json({
                         type => 'track', event => 'E', messageId => $id,
                         properties => $p }));
    }

    $total += @events;
    $forwarder->start();
    ok(becomes(sub { (ledger($redis)->{'routed:acme'} // 0) == $total
                     && resumed($redis, 'acme') }, 20), "r$round: it ends");
    $forwarder->stop();
    ok(ledger_holds($redis, 'acme'), "r$round: the ledger holds");

    my @requests = $receiver->requests();

    return splice @requests, $before;
}


sub ids {
    my ($rq) = @_;

    return join ' ', map { $_->{id} =~ s/^r\d+_//r }
        @{ from_json($rq->{body})->{inputs} };
}


sub header {
    my ($rq, $name) = @_;
    my %have = map { lc } %{ $rq->{headers} };

    return $have{$name};
}


# ---- groups, and the count of a call ----

my @rq = meets([], map { { g => $_ % 2 ? 'odd' : 'even' } } 1 .. 8);

is_deeply([sort map { ids($_) } @rq], ['1 3 5', '2 4 6', '7', '8'],
          'a call has one group, and not more than its records');
is(scalar(grep { $_->{path} eq '/v3/events?env=production' } @rq), 4,
   'the URL has what has a value');
is_deeply(from_json($rq[0]{body})->{group},
          { g => ids($rq[0]) =~ /1|7/ ? 'odd' : 'even' },
          'the body has the group');
is(from_json($rq[0]{body})->{api_key}, 's3cr3t/token', 'and the key');
ok(!exists from_json($rq[0]{body})->{left_out}, 'and no unset setting');
is($rq[0]{headers}{authorization} // $rq[0]{headers}{Authorization},
   'Bearer s3cr3t/token', 'the credentials are there');
ok(!exists from_json($rq[0]{body})->{inputs}[0]{nothing}, 'null is left out');

# ---- bytes: 3 of 900 bytes fit into 4k with count 3, 1k is the most ----

@rq = meets([], { g => 'a', pad => 'x' x 900 }, { g => 'a', pad => 'y' x 2000 },
            { g => 'a', pad => 'z' x 900 });
is(join(' | ', map { ids($_) } @rq), '1 3', 'a record that is too large goes '
   . 'alone into the dead letters');
is({ @{ $redis->call('xrange', '{mt:00}:dead:acme', '-', '+')->[-1][1] } }
   ->{reason}, 'record_too_large', 'with the reason');

# ---- several endpoints of one destination ----

@rq = meets([], { to => 'forms' }, { to => 'one' }, { to => 'packed' },
            { g => 'b' }, { to => 'forms' }, { to => 'one' });
my %by;

push @{ $by{ $_->{path} =~ s/[?].*//r } }, $_ for @rq;

is_deeply([sort keys %by],
          [qw(/forms /one/r3_2 /one/r3_6 /packed /v3/events)],
          'each goes where it belongs');
like($by{'/forms'}[0]{body},
     qr/^data=%5B%7B%22id%22%3A%22r3_1%22.*r3_5.*&kind=a%20b$/, 'a form');
is($by{'/one/r3_2'}[0]{method}, 'PATCH', 'one record a call');
is(from_json($by{'/one/r3_2'}[0]{body})->{id}, 'r3_2', 'as it is');
is($by{'/packed'}[0]{headers}{'content-encoding'}
   // $by{'/packed'}[0]{headers}{'Content-Encoding'}, 'gzip', 'packed');

# ---- drops, and what a person must mend ----

meets([], { drop => 1 }, { fail => 1 }, { g => 'c', hash => ' A@B.c ' });
is(ledger($redis)->{'drop:acme:test'}, 1, 'one is dropped');
is({ @{ $redis->call('xrange', '{mt:00}:dead:acme', '-', '+')->[-1][1] } }
   ->{reason}, 'no_key', 'one is dead by the reason of the map');

# ---- a visitor cannot ask for secrets ----

@rq = meets([], { g => 'd', evil => { '@secret' => 'token' } });
is_deeply(from_json($rq[0]{body})->{inputs}[0]{from},
          { '@secret' => 'token' }, 'a marker of an event is none');

# ---- which record the answer speaks of; merged records share it ----

@rq = meets([{ status => 207, body => { say => { records => {
        1 => { outcome => 'reject', reason => 'bad' },
        rest => { outcome => 'ok' } } } } }],
    { g => 'e', merge => 'k' }, { g => 'e' }, { g => 'e', merge => 'k' });

is(ids($rq[0]), '3 2', 'records of one key are one, the later wins');

my @dead = map { { @{ $_->[1] } } }
    @{ $redis->call('xrange', '{mt:00}:dead:acme', '-', '+') };

is($dead[-1]{id}, 'r6_2', 'the one that was named is dead');
unlike(join('', map { to_json($_) } @dead), qr/s3cr3t/,
       'no dead letter has a secret');
like(from_json($dead[-1]{request})->{body}, qr/"inputs":\[\{"id":"r6_2"/,
     'it has its own record alone');

# ---- split, and singly ----

@rq = meets([{ body => { say => { outcome => 'singly' } } },
             { body => { say => { outcome => 'reject' } } }],
            { g => 'f' }, { g => 'f' }, { g => 'f' });
is(join(' | ', map { ids($_) } @rq), '1 2 3 | 1 | 2 | 3', 'singly');
is({ @{ $redis->call('xrange', '{mt:00}:dead:acme', '-', '+')->[-1][1] } }
   ->{id}, 'r7_1', 'one of them is dead');

@rq = meets([{ status => 400 }, { status => 200 }, { status => 400 }],
            { g => 'g' }, { g => 'g' });
is(join(' | ', map { ids($_) } @rq), '1 2 | 1 | 2', 'halves');

# ---- a call that is throttled: the others wait, no attempt is used ----

@rq = meets([{ body => { say => { outcome => 'throttled',
                                  retry_after => 1 } } }],
            map { { g => $_ } } 'h', 'i');
is(scalar @rq, 3, 'the one that was asked to wait is sent again');

is(ledger($redis)->{'dead:acme:test'}, 5, 'no other event is dead');

$t->done();
