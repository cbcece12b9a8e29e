#!/usr/bin/perl

# Destinations that do not send: a dry run does all but the request, and a
# shadow compares what its map gives with the map of another destination.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Ledger qw(ledger_count ledger_fault);
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $receiver = $t->receiver();

# events that the maps treat in a special way: no record, an error
my ($DROPPED, $FAILED) = (7, 8);

folder('old', '{ id: .event.messageId, n: .event.properties.n,
                 user: .event.userId, at: .now }');

# one in ten is different: in a value, a member more, and a member less
folder('new', ". as \$in | .event.properties.n as \$n
    | if \$n == $DROPPED then empty
      elif \$n == $FAILED then error(\"no\")
      elif \$n % 10 == 0 then
          { id: .event.messageId, n: \$n, user: (.event.userId + \"x\"),
            list: [1, { deep: \$n }] }
      else { at: \$in.now, user: .event.userId, n: \$n,
             id: .event.messageId }
      end");

my $forwarder = $t->forwarder(conf(
    old => '', dry => 'mode: dry_run', shadow => "mode: shadow\nshadow_of: old"
));
my @ids = add_events($redis, 100);


# ---- what is sent ----

ok(becomes(sub {
    !(grep { ledger_count($redis, 'routed', $_) < 100 } qw(old dry shadow))
        && drained($redis, qw(old dry shadow))
}, 20), 'all end');
is(scalar(map { $_->{id} } $receiver->events()), 100,
   'only the one that sends has sent');
is(scalar(grep { $_->{path} ne '/old' } $receiver->requests()), 0,
   'nothing else has');

for my $dest (qw(dry shadow)) {
    is(ledger_count($redis, 'dry', $dest), 98, "$dest: they end as dry");
    is(ledger_count($redis, 'drop', $dest), 1, "$dest: one is dropped");
    is(ledger_count($redis, 'dead', $dest), 1, "$dest: one is dead");
    is(ledger_count($redis, 'done', $dest), 0, "$dest: none is done");
    is(ledger_fault($redis, $dest), '', "$dest: the ledger closes");
}


# ---- what is logged ----

my @dry = lines('not sent', 'dry');
my @shadow = lines('not sent', 'shadow');
my @differs = lines('shadow differs', 'shadow');

is(sum('count', @dry), 98, 'a dry run tells of its batches');
is(sum('records', @dry), 98, 'with their records');
cmp_ok(sum('bytes', @dry), '>', 98 * 50, 'and their sizes');

my ($last) = sort { $b->{equal} + $b->{different}
                    <=> $a->{equal} + $a->{different} } @shadow, @differs;

is($last->{different}, 12, 'a shadow counts what is different');
is($last->{equal}, 88, 'and what is equal, in any order of members');
cmp_ok(scalar @differs, '>=', 1, 'differences are told');
cmp_ok(scalar @differs, '<', 12, 'but not one by one');

# one at a time, a second apart: each is told
my %paths = map { ($_ => told($_)) } 10, $DROPPED, $FAILED;

is($paths{10}, '/0/at /0/list /0/user', 'where records differ');
is($paths{$DROPPED}, '/0', 'no record here, one there');
is($paths{$FAILED}, '', 'one map failed');

unlike($forwarder->log_text(), qr/"ux"|deep/, 'no value is in the log');


# ---- a shadow of nothing ----

$forwarder->stop();

my $bad = Martech::Forwarder->new(dir => $t->dir() . '/bad',
    program => $forwarder->{program}, conf => $t->fill(
        conf(shadow => "mode: shadow\nshadow_of: nobody")));

ok(!eval { $bad->start() }, 'a shadow must have something to follow');

$t->done();


# a destination with a map
sub folder {
    my ($name, $map) = @_;
    my $dir = $t->dir() . '/destinations';

    mkdir $dir;
    mkdir "$dir/$name";
    $t->file("destinations/$name/map.jq", $map);
    $t->file("destinations/$name/destination.yaml", <<"END");
name: $name
kind: http
description: of a test
settings:
  url: { type: url, required: true }
request: { url: "{url}", framing: array }
END
}


# name => further keys; dry and shadow use the new map
sub conf {
    my %dests = @_;
    my $conf = <<'END';
redis:
  address: %%REDIS%%
loops: 1
owner:
  name: tester
  lease: 1s
destinations_path: %%PREFIX%%/destinations
allow_private: [127.0.0.0/8]
destinations:
END

    for my $name (sort keys %dests) {
        my $use = $name eq 'old' ? 'old' : 'new';

        $conf .= "  $name:\n    use: $use\n    settings: { url: "
            . $receiver->url("/$name") . " }\n"
            . Martech::Path::indent($dests{$name}, 4);
    }

    return $conf;
}


sub lines {
    my ($message, $dest) = @_;

    return grep { ($_->{msg} // '') eq $message
                  && $_->{destination} eq $dest } $forwarder->log_lines();
}


sub sum {
    my ($key, @lines) = @_;
    my $sum = 0;

    $sum += $_->{$key} for @lines;

    return $sum;
}


# the paths that are logged for an event with that number, put in until it
# is not one of those that are left out
sub told {
    my ($number) = @_;
    my $try = 0;
    my $line;

    wait_until(sub {
        my $id = "told-$number-" . $try++;

        $redis->call('xadd', '{mt:00}:in', '*', 'v', 1, 'id', $id,
            'src', 'test', 'to', 'shadow', 'e', to_json({
                messageId => $id, userId => 'u',
                properties => { n => $number } }));

        ($line) = grep { $_->{event} =~ /^told-$number-/ }
            lines('shadow differs', 'shadow');
    }, 10, "a difference of $number is told");

    return join ' ', sort @{ $line->{paths} };
}
