#!/usr/bin/perl

# What "./build.sh chaos" relies on: the same seed brings the same faults, and
# the oracle sees what is missing, invented or altered.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/chaos/lib";

use Test::More;

use Chaos::Oracle;
use Chaos::Plan;
use Chaos::Random;
use Chaos::Stage;
use Martech::Pace;


# ---- numbers ----

my ($one, $same, $other) = map { Chaos::Random->new($_) } qw(a a b);
my @numbers = map { $one->next() } 1 .. 50;

is_deeply([map { $same->next() } 1 .. 50], \@numbers,
          'the same text brings the same numbers');
isnt($other->next(), $numbers[0], 'another text brings others');

srand 1;
is(Chaos::Random->new('seed')->next(), 3662013514,
   'on every machine, whatever else is drawn');

my %seen = map { $one->whole(3, 5) => 1 } 1 .. 100;

is_deeply([sort keys %seen], [3, 4, 5], 'a range includes both its ends');
is_deeply([sort $one->shuffle(1 .. 9)], [1 .. 9], 'nothing is lost in a bag');


# ---- plans ----

for my $name (Chaos::Stage::names()) {
    my @lanes = map { $_->lane() } Chaos::Stage->blank_lanes($name);
    my @plan = Chaos::Plan::make("7/$name", 600, @lanes);
    my @text = map { "$_->{at} " . Chaos::Plan::text($_) } @plan;

    is_deeply([map { "$_->{at} " . Chaos::Plan::text($_) }
               Chaos::Plan::make("7/$name", 600, @lanes)], \@text,
              "$name: the same seed brings the same faults");
    isnt(join("\n", map { Chaos::Plan::text($_) }
              Chaos::Plan::make("8/$name", 600, @lanes)),
         join("\n", map { Chaos::Plan::text($_) } @plan),
         "$name: another seed brings others");

    my %happens = map { ("$_->{lane} $_->{name}" => 1) } @plan;
    my @never = grep { !$happens{$_} } map {
        my $lane = $_;
        map { "$lane->{name} $_->[0]" } @{ $lane->{faults} };
    } @lanes;

    is("@never", '', "$name: each fault happens");
    is(scalar(overlaps(@plan)), 0, "$name: one at a time in a lane");
    is(scalar(grep { $_->{at} + $_->{hold} > 600.001 } @plan), 0,
       "$name: all are over at the end");
}


sub overlaps {
    my %end;

    return grep { my $early = $_->{at} < ($end{$_->{lane}} // 0) - 0.001;
                  $end{$_->{lane}} = $_->{at} + $_->{hold};
                  $early } @_;
}


# ---- the oracle ----

package Fake;

sub sent { $_[0]{sent} }
sub acked_list { @{ $_[0]{acked} } }


package main;

# five were sent, the first three of them promised
sub oracle {
    return Chaos::Oracle->new(@_, clients => [bless {
        name => 'c', sent => 5,
        acked => [ map { { id => Martech::Pace::id_of('c', $_), ack => 'redis',
                           at => $_ } } 1 .. 3 ],
    }, 'Fake']);
}


# as the edge writes it
sub stored {
    my ($n) = @_;
    my ($visitor, $id, $rest) = Martech::Pace::payload('c', $n)
        =~ /"anonymousId":("[^"]+"),"messageId":("[^"]+"),(.*)\z/s;

    return '{"type":"track","messageId":' . $id
        . ',"receivedAt":"2026-01-01T00:00:00.000Z"'
        . ',"timestamp":"2026-01-01T00:00:00.000Z","anonymousId":' . $visitor
        . ',"context":{"ip":"127.0.0.1","martech":{"v":1}},"event":"Paced",'
        . $rest;
}


sub verdict {
    my $oracle = oracle();

    $oracle->take($_) for @_;

    return $oracle->verdict();
}


my $good = verdict(map { stored($_) } 1 .. 3);

is(scalar @{ $good->{missing} }, 0, 'what came is not missing');
is_deeply([@{$good}{qw(acked came twice)}], [3, 3, 0], 'it is counted');
is_deeply([$good->{altered}, $good->{invented}], [{}, []], 'it is as sent');
ok(Chaos::Oracle::as_sent('c-00000002', stored(2)), 'that is seen at once');

is_deeply([map { $_->{id} } @{ verdict(stored(1), stored(3))->{missing} }],
          ['c-00000002'], 'what did not come is missing');
is(verdict(map { stored($_) } 1 .. 4)->{came}, 4,
   'what was not promised may come');
is(verdict(map { stored($_) } 1, 1, 2, 3)->{twice}, 1, 'twice is counted');
is_deeply(verdict(stored(6))->{invented}, ['c-00000006'],
          'what was not sent is invented');
is_deeply(verdict('rubbish')->{invented}, [''], 'so is what is no event');

for my $change (['"n":2' => '"n":3', 'n'], ['lazy' => 'hazy', 'text'],
                ['v-2' => 'v-3', 'anonymousId'], ['Paced' => 'Raced', 'event'],
                ['"n":2,' => '"n":2,"m":1,', 'properties'])
{
    my ($from, $to, $field) = @$change;
    my $bytes = stored(2) =~ s/\Q$from\E/$to/r;

    is(verdict($bytes)->{altered}{'c-00000002'}, "field $field",
       "a change of $field is seen");
}

my $spaced = stored(2) =~ s/,"event":/, "event": /r;

ok(!Chaos::Oracle::as_sent('c-00000002', $spaced), 'other bytes are looked at');
is_deeply(verdict($spaced)->{altered}, {}, 'and may mean the same');

my $listed = stored(2) =~ s/"v":1/"v":1,"plan":{"violations":[{"at":"n"}]}/r;

ok(Chaos::Oracle::as_sent('c-00000002', $listed),
   'what the plan lists is no change');

my $oracle = oracle();

$oracle->take(stored(2), 'c-00000003');
is($oracle->verdict()->{altered}{'c-00000002'}, 'stored as "c-00000003"',
   'an event under the name of another is seen');

$oracle = oracle(aside => 2, masked => 'lazy');
$oracle->take(stored($_->[0]) =~ s/lazy/***/gr, undef, $_->[1])
    for [1, 0], [2, 1], [4, 0], [5, 1];
$oracle->take(stored(3), undef, 0);
is_deeply($oracle->verdict()->{altered},
          { 'c-00000003' => 'not masked', 'c-00000004' => 'not in quarantine',
            'c-00000005' => 'in quarantine' },
          'an event at the wrong place is seen, and one that was not masked');
is($oracle->verdict()->{quarantined}, 2, 'those in quarantine are counted');

done_testing();
