#!/usr/bin/perl

# answer.jq: what a vendor says about single events of a request under one
# status, and what it says about itself.

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
put("$dests/acme/destination.yaml", <<'END');
name: acme
kind: http
settings: { url: { type: url, required: true } }
request: { url: "{url}", framing: array }
END

# events of which "two" is set become two records
put("$dests/acme/map.jq", <<'END');
.event | { id: .messageId, n: 1 },
    if .properties.two then { id: .messageId, n: 2 } else empty end
END

# the receiver says what it wants to be understood
put("$dests/acme/answer.jq", <<'END');
if .status == 299 then error("no \(.body)")
elif (.body | type) != "object" then null
elif .body.all then .body.all
else . as $in | { records: [range(.count) as $i
    | $in.body.errors[$i | tostring] // null] }
end
END

sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "cannot write: $!\n";
    print $fh $text;
    close $fh;
}

# nothing is sent before the receiver has been told; then all in one request
my $conf = forwarder_conf(without => 'archive', hook => $receiver->url('/n'))
    =~ s/^destinations_path:.*$/destinations_path: $dests/mr;

$conf =~ s/^  hook:.*//ms;
$conf .= "  acme:\n    use: acme\n    settings: { url: "
    . $receiver->url('/acme') . " }\n"
    . "    retry: { base: 20ms, factor: 1, cap: 50ms, attempts: 3, age: 0 }\n";

my $forwarder = $t->forwarder($conf, run => 0);
my $round = 0;


# Five events meet these answers, then 200.  The ids of each request, with its
# status.
sub meets {
    my ($two, @answers) = @_;
    my $before = () = $receiver->requests();
    my $prefix = 'r' . ++$round;

    $receiver->answer(always => { status => 200 }, answers => [
        map { { status => 200, %$_,
                body => ref $_->{body} ? to_json($_->{body}) : $_->{body} } }
        @answers ]);

    $redis->call('xadd', '{mt:00}:in', '*', 'v', 1, 'id', "$prefix$_",
                 'src', 'test', 'e', to_json({
                     type => 'track', event => 'E', messageId => "$prefix$_",
                     properties => { two => $_ == $two ? \1 : \0 } }))
        for 1 .. 5;

    $forwarder->start();
    ok(becomes(sub { (ledger($redis)->{'routed:acme'} // 0) == 5 * $round
                     && resumed($redis, 'acme') }, 20), "$prefix: it ends");
    $forwarder->stop();

    my @requests = $receiver->requests();

    return map { join ' ', map { $_->{id} =~ s/^$prefix//r }
                 @{ from_json($_->{body}) } }
        splice @requests, $before;
}


my %sum = (done => 0, dead => 0, drop => 0);

# how the ledger has changed
sub ends {
    my (%more) = @_;
    my $ledger = ledger($redis);

    $sum{$_} += $more{$_} // 0 for keys %sum;
    is_deeply({ map { $_ => $ledger->{"$_:acme:test"} // 0 } keys %sum },
              \%sum, "r$round: the ledger says so");
    ok(ledger_holds($redis, 'acme'), "r$round: and holds");
}


sub dead {
    return map { { @{ $_->[1] } } }
        @{ $redis->call('xrange', '{mt:00}:dead:acme', '-', '+') };
}


# ---- each on its own ----

my @sent = meets(0, { status => 207, body => { errors => {
    1 => { outcome => 'retry' },
    2 => { outcome => 'reject', reason => "bad\nvalue \x{e4}" . 'x' x 300 },
    3 => { outcome => 'duplicate' },
    4 => { outcome => 'drop' } } } });

is_deeply(\@sent, ['1 2 3 4 5', '2'],
          'one is done, one goes again, three are finished, none is split');
ends(done => 3, dead => 1, drop => 1);

my ($letter) = dead();

is($letter->{id}, 'r13', 'the refused one is dead');
is($letter->{reason}, 'rejected', 'as rejected');
is($letter->{status}, 207, 'with the status');
is_deeply(from_json(from_json($letter->{request})->{body}),
          [{ id => 'r13', n => 1 }], 'its record alone was kept');
like(from_json($letter->{answer})->{reason}, qr/^bad value .x{100,200}$/,
     'with the words of the vendor');

my ($line) = grep { ($_->{msg} // '') eq 'attempt' && $_->{count} }
    $forwarder->log_lines();

is("$line->{class} $line->{done} $line->{retry} $line->{dead}",
   'delivered 3 1 1', 'the log counts them');
is($line->{level}, 'warn', 'and does not call it a success');

# ---- of two records of an event the worse one ----

@sent = meets(2, { body => { errors => { 2 => { outcome => 'retry' } } } });
is_deeply(\@sent, ['1 2 2 3 4 5', '2 2'], 'both are sent again');
ends(done => 5);

@sent = meets(2, { body => { errors => {
    1 => { outcome => 'reject' }, 2 => { outcome => 'retry' } } } });
is_deeply(\@sent, ['1 2 2 3 4 5'], 'one that is refused is not');
ends(done => 4, dead => 1);

# ---- all of them ----

@sent = meets(0, { body => { all => { outcome => 'reject' } } });
is_deeply(\@sent, ['1 2 3 4 5'], 'reject: each is dead');
ends(dead => 5);

@sent = meets(0, { body => { all => { outcome => 'split' } } },
              ({ body => { all => { outcome => 'ok' } } }) x 2);
is_deeply(\@sent, ['1 2 3 4 5', '1 2', '3 4 5'], 'split: halves are sent');
ends(done => 5);

@sent = meets(0, { body => { all => { outcome => 'credentials' } } });
is_deeply(\@sent, [('1 2 3 4 5') x 2], 'credentials: it goes as it was');
ends(done => 5);

@sent = meets(0, { body => { all => { outcome => 'stop' } } });
is_deeply(\@sent, [('1 2 3 4 5') x 2], 'stop: at its word, and back');
ends(done => 5);

@sent = meets(0, { status => 400, body => { all => { outcome => 'drop' } } });
is_deeply(\@sent, ['1 2 3 4 5'], 'drop: over the status');
ends(drop => 5);

@sent = meets(0, { status => 500, body => 'no JSON' });
is_deeply(\@sent, [('1 2 3 4 5') x 2], 'null: the status decides');
ends(done => 5);

is(ledger($redis)->{'retry:acme'}, 1 + 1 + 5,
   'only what failed used up an attempt');

# ---- programs that fail ----

@sent = meets(0, { status => 299, body => 'secret words' });
is_deeply(\@sent, [('1 2 3 4 5') x 2], 'an error: it is tried again');
ends(done => 5);
ok($forwarder->logged(qr/answer_error: answer\.jq/), 'and said');

@sent = meets(0, { body => { all => { outcome => 'splendid' } } });
is_deeply(\@sent, [('1 2 3 4 5') x 2], 'an unknown word: likewise');
ends(done => 5);

@sent = meets(0, ({ status => 299 }) x 9);
is_deeply(\@sent, [('1 2 3 4 5') x 3], 'for ever: until attempts are used up');
ends(dead => 5);
is((dead())[-1]{reason}, 'answer_error', 'and dead with that reason');
unlike($forwarder->log_text(), qr/secret words|bad.value/,
       'words of the vendor are not in the log');

# ---- what is no program ----

put("$dests/acme/answer.jq", "{}\n| nosuch\n");

my ($right, $said) = $forwarder->check();

ok(!$right, 'a bad program is refused');
like($said, qr{acme/answer\.jq:2: }, 'with its line');

$t->done();
