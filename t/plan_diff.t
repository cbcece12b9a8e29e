#!/usr/bin/perl

# "plan diff": every change is named, and who breaks.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Test;

my $t = Martech::Test->new();
my $cli = Martech::Command->new($t, '');


sub a_plan {
    my ($events, %more) = @_;

    return { martech_plan => 1, name => 'shop', version => '1',
             events => $events, %more };
}


sub diff {
    my ($old, $new, @options) = @_;
    my @files = ($t->file('old.json', to_json($old)),
                 $t->file('new.json', to_json($new)));

    return $cli->plain('plan', 'diff', @files, @options);
}


# "who pointer: text" of each change
sub changes {
    my ($name, $old, $new, @expected) = @_;
    my $r = diff($old, $new, '--json');
    my @found = map {
        join(',', @{ $_->{breaks} }) . " $_->{pointer}: $_->{text}"
    } @{ $r->{json}{changes} };

    is(scalar @found, scalar @expected, "$name: so many changes")
        or diag($r->{err}, map { "$_\n" } @found);
    like($found[$_] // '', $expected[$_], "$name: change $_")
        for 0 .. $#expected;
    is($r->{status}, (grep { /^\S/ } @found) ? 1 : 0, "$name: exit status");
}


# the same with two schemas of one property
sub schemas {
    my ($name, $old, $new, @expected) = @_;
    my ($was, $now) = map {
        a_plan({ A => { properties => { properties => { p => $_ } } } })
    } $old, $new;

    changes($name, $was, $now, @expected);
}


my $p = '/properties/p';
my %any = (type => 'object', properties => {
    a => { type => 'string' }, b => { type => 'integer' } });

changes('the same', a_plan({ A => { properties => \%any } }),
        a_plan({ A => { properties => \%any } }));

# ---- values ----

schemas('another type', { type => 'string' }, { type => 'integer' },
        qr/^readers $p: it may be of type integer/,
        qr/^senders $p: it may not be of type string/);
schemas('an integer becomes a number', { type => 'integer' },
        { type => 'number' }, qr/^readers $p: it may be of type number/);
schemas('a number becomes an integer', { type => 'number' },
        { type => 'integer' }, qr/^senders $p: .* not be of type number/);
schemas('null is allowed', { type => 'string' },
        { type => ['string', 'null'] }, qr/^readers $p: .* type null/);
schemas('order of types', { type => ['null', 'string'] },
        { type => ['string', 'null'] });
schemas('fewer values', { enum => [1, 2, 3] }, { enum => [1] },
        qr/^senders $p: 2 of the allowed values are gone/);
schemas('more values', { enum => [1] }, { enum => [1, 2] },
        qr/^ $p: 1 more value is allowed/);
schemas('only values', { type => 'string' },
        { type => 'string', enum => ['a'] },
        qr/^senders $p: only 1 values are allowed/);
schemas('an enum becomes a const', { enum => ['a'] }, { const => 'a' });
schemas('any value', { const => 1 }, {}, qr/^readers $p: other values/);

for (['minimum', 0, 1], ['maximum', 1, 0], ['minLength', 0, 1],
     ['maxLength', 9, 8], ['minItems', 1, 2], ['maxItems', 2, 1],
     ['exclusiveMinimum', 0, 1], ['exclusiveMaximum', 2, 1])
{
    my ($word, $loose, $strict) = @$_;

    schemas("$word stricter", { $word => $loose }, { $word => $strict },
            qr/^senders $p: $word is $strict instead of $loose/);
    schemas("$word looser", { $word => $strict }, { $word => $loose },
            qr/^ $p: $word is $loose instead of $strict/);
    schemas("$word new", {}, { $word => $strict },
            qr/^senders $p: $word $strict is new/);
}

schemas('another pattern', { pattern => 'a' }, { pattern => 'b' },
        qr/^senders $p: pattern is another/);
schemas('no pattern', { pattern => 'a' }, {}, qr/^ $p: pattern is gone/);
schemas('a format that nobody checks', {}, { format => 'email' },
        qr/^ $p: format is new/);
schemas('something that is not understood', { anyOf => [{}, {}] },
        { anyOf => [{}] }, qr/^senders $p: "anyOf" is another/);
schemas('a description', { description => 'a' }, { description => 'b' });

# ---- objects ----

schemas('nested: required', { properties => { x => {} } },
        { properties => { x => {} }, required => ['x'] },
        qr{^senders $p/x: it is required});
schemas('nested: not required',
        { properties => { x => {} }, required => ['x'] },
        { properties => { x => {} } }, qr{^readers $p/x: it may be missing});
schemas('nested: gone', { properties => { x => {} } }, { properties => {} },
        qr{^readers $p/x: the property is gone, but still accepted});
schemas('nested: closed', { properties => {} },
        { properties => {}, additionalProperties => JSON::PP::false() },
        qr/^senders $p: other properties are not allowed/);
schemas('entries', { items => { type => 'string' } },
        { items => { type => 'integer' } },
        qr{^readers $p/\*: }, qr{^senders $p/\*: });
schemas('"~" and "/"', { properties => { 'a/b~' => { type => 'string' } } },
        { properties => { 'a/b~' => {} } },
        map { qr{^readers $p/a~1b~0: } } 1 .. 6);

changes('a planned property is gone',
        a_plan({ A => { properties => \%any } }),
        a_plan({ A => { properties => { type => 'object', properties => {
            a => { type => 'string' } } } } }),
        qr{^senders,readers /properties/b: the property is gone$});
changes('where others are accepted',
        a_plan({ A => { properties => \%any } }),
        a_plan({ A => { unplanned_property => 'accept', properties => {
            type => 'object', properties => { a => { type => 'string' } } } }
        }),
        qr{^ : an unplanned property means accept},
        qr{^readers /properties/b: the property is gone, but});
changes('a new property',
        a_plan({ A => { properties => { properties => {} } } }),
        a_plan({ A => { properties => { properties => { n => {
            type => 'string' } } } } }),
        qr{^ /properties/n: the property is new});
changes('that was free',
        a_plan({ A => { unplanned_property => 'accept',
                      properties => { properties => {} } } }),
        a_plan({ A => { unplanned_property => 'accept',
                      properties => { properties => { n => {
                          type => 'string' } } } } }),
        qr{^senders /properties/n: the property is planned now});

# ---- events ----

my %e = (properties => \%any);

changes('an event is gone', a_plan({ A => { %e }, B => { %e } }),
        a_plan({ A => { %e } }), qr/^senders,readers : it is gone/);
changes('an event is new', a_plan({ A => { %e } }),
        a_plan({ A => { %e }, B => { %e } }), qr/^ : it is new/);
changes('an event is renamed', a_plan({ 'a b' => { %e } }),
        a_plan({ 'A B' => { %e, aliases => ['a b'] } }),
        qr/^readers : it is renamed to "A B"/);
changes('an alias is gone', a_plan({ A => { %e, aliases => ['x', 'y'] } }),
        a_plan({ A => { %e, aliases => ['y', 'z'] } }),
        qr/^senders : the alias "x" is gone/, qr/^ : the alias "z" is new/);
changes('a stricter action', a_plan({ A => { %e } }),
        a_plan({ A => { %e, violation => 'reject' } }),
        qr/^senders : a violation means reject instead of report/);
changes('a stricter default',
        a_plan({ A => { %e } }),
        a_plan({ A => { %e } }, defaults => {
            violation => 'quarantine', unplanned_event => 'reject' }),
        qr/^senders : an unplanned event means reject/,
        qr/^senders : a violation means quarantine/);
changes('blocked', a_plan({ A => { %e } }),
        a_plan({ A => { %e, stage => 'blocked' } }),
        qr/^senders,readers : the stage is blocked/);
changes('words', a_plan({ A => { %e, owner => 'a', priority => 'low' } }),
        a_plan({ A => { %e, owner => 'b', priority => 'high' } }),
        qr/^ : the owner is another/,
        qr/^ : the priority is high instead of low/);
changes('a draft breaks nobody', a_plan({ A => { %e, stage => 'draft' } }),
        a_plan({ A => { stage => 'draft', properties => { type => 'string' } }
             }), map { qr/^ / } 1 .. 4);

# ---- versions ----

my %two = (type => 'object', required => ['a'], properties => {
    a => { type => 'integer' } });

changes('a version beside another',
        a_plan({ A => { properties => \%any } }),
        a_plan({ A => { versions => { 1 => \%any, 2 => \%two } } }),
        qr/^ : it is new/);
changes('a version that is not accepted any more',
        a_plan({ A => { versions => { 1 => \%any, 2 => \%two } } }),
        a_plan({ A => { versions => { 1 => \%any, 2 => \%two },
                      accept => ['2'] } }),
        qr/^senders : it is not accepted any more/);
changes('a version that is gone',
        a_plan({ A => { versions => { 1 => \%any, 2 => \%two } } }),
        a_plan({ A => { versions => { 2 => \%two } } }),
        qr/^senders : it is gone/);
changes('one that was not accepted before',
        a_plan({ A => { versions => { 1 => \%any, 2 => \%two },
                      accept => ['2'] } }),
        a_plan({ A => { versions => { 2 => \%two } } }),
        qr/^ : it is gone/);

changes('a definition',
        a_plan({ A => { properties => { properties => { p => {
            '$ref' => '#/definitions/m' } } } } },
            definitions => { m => { minimum => 0 } }),
        a_plan({ A => { properties => { properties => { p => {
            '$ref' => '#/definitions/m' } } } } },
            definitions => { m => { minimum => 1 } }),
        qr{^senders $p: minimum is 1 instead of 0});
changes('one that names itself',
        a_plan({ A => { properties => { properties => { p => {
            '$ref' => '#/definitions/m' } } } } },
            definitions => { m => { minimum => 0, properties => { c => {
                '$ref' => '#/definitions/m' } } } }),
        a_plan({ A => { properties => { properties => { p => {
            '$ref' => '#/definitions/m' } } } } },
            definitions => { m => { minimum => 0, properties => { c => {
                '$ref' => '#/definitions/m' } } } }));

# ---- the command ----

my ($old, $new) = (a_plan({ A => { %e } }), a_plan({}));
my $r = diff($old, $new);

is($r->{status}, 1, 'exit 1 if somebody breaks');
like($r->{out}, qr/^events: A\n  BREAKING  senders,readers +it is gone$/m,
     'by event');
like($r->{out}, qr/^1 changes, 1 breaking$/m, 'and counted');
is(diff($old, $new, '--allow-breaking')->{status}, 0, 'unless allowed');

$t->file('bad.json', '{}');
$r = $cli->plain('plan', 'diff', $t->dir() . '/old.json',
                 $t->dir() . '/bad.json');
is($r->{status}, 2, 'exit 2 if one is no plan');
like($r->{err}, qr/bad\.json:\S* error: /, 'it is said');
is($cli->plain('plan', 'diff', 'one')->{status}, 2, 'two are needed');

$t->done();
