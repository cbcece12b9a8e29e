#!/usr/bin/perl

# "plan lint": errors with line and pointer, and each kind of warning.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Test;

my $t = Martech::Test->new();
my $cli = Martech::Command->new($t, '');


sub lint {
    my ($plan, @options) = @_;
    my $file = $t->file('plan.json', ref $plan ? to_json($plan) : $plan);

    return $cli->plain('plan', 'lint', $file, @options);
}


# a plan with one event, about which there is nothing to say
sub event {
    my (%more) = @_;

    return { description => 'paid', owner => 'shop', properties => {
        type => 'object', properties => {
            price => { type => 'number', description => 'all of it' } } },
        %more };
}


sub a_plan {
    my (%events) = @_;

    return { martech_plan => 1, name => 'shop', version => '1',
             events => \%events };
}


sub warns {
    my ($name, $plan, @expected) = @_;
    my $r = lint($plan, '--json');
    my @found = @{ $r->{json}{warnings} // [] };

    is($r->{status}, 0, "$name: exit 0") or diag($r->{out}, $r->{err});
    is(scalar @found, scalar @expected, "$name: so many warnings")
        or diag($r->{out});

    for my $n (0 .. $#expected) {
        my ($pointer, $text) = @{ $expected[$n] };

        is($found[$n]{pointer}, $pointer, "$name: pointer");
        like($found[$n]{text}, $text, "$name: text");
    }

    is(lint($plan, '--strict')->{status}, @expected ? 1 : 0,
       "$name: exit with --strict");
}


warns('a plan that is well kept', a_plan('Order Completed' => event()));

warns('no description', a_plan(A => event(description => '')),
      ['/events/A', qr/^no description$/]);
warns('no owner', a_plan(A => event(owner => undef // '')),
      ['/events/A', qr/^no owner$/]);
warns('deprecated', a_plan(A => event(stage => 'deprecated')),
      ['/events/A', qr/^deprecated, and "x-replaced-by"/]);
warns('replaced', a_plan(A => event(stage => 'deprecated',
                                  'x-replaced-by' => 'B')));
warns('no schema', a_plan(A => { description => 'd', owner => 'o' }),
      ['/events/A', qr/^no schema/]);

my $twins = a_plan('Order Completed' => event(aliases => ['order_completed']),
                 'orderCompleted' => event());

is(scalar @{ lint($twins, '--json')->{json}{warnings} }, 1,
   'names that differ in style only');
like(lint($twins)->{out}, qr/only in case or spelling/, 'in words');

warns('an alias that looks like another event',
      a_plan('Aa Bb' => event(), 'C' => event(aliases => ['AA_BB'])),
      [(lint(a_plan('Aa Bb' => event(), 'C' => event(aliases => ['AA_BB'])),
             '--json')->{json}{warnings}[0]{pointer}), qr/"AA_BB"|"Aa Bb"/]);

warns('a property without type and description',
      a_plan(A => event(properties => { properties => { 'a/b' => {} } })),
      ['/events/A/properties/properties/a~1b', qr/no type/],
      ['/events/A/properties/properties/a~1b', qr/no description/]);

my %mail = (type => 'string', description => 'where to');

warns('a personal name',
      a_plan(A => event(properties => { properties => {
          'E-Mail' => \%mail } })),
      ['/events/A/properties/properties/E-Mail',
       qr{does not have "/properties/E-Mail"}]);
warns('that is known to be personal',
      a_plan(A => event(personal => ['/properties/E-Mail'],
          properties => { properties => { 'E-Mail' => \%mail } })));
warns('in a group of fields that is personal',
      a_plan(A => event(personal => ['/properties/who'],
          properties => { properties => { who => {
              type => 'object', description => 'buyer',
              properties => { phone => \%mail } } } })));
warns('in a list',
      a_plan(A => event(personal => ['/properties/who/*/phone'],
          properties => { properties => { who => {
              type => 'array', description => 'buyers', items => {
                  properties => { phone => \%mail,
                                  first_name => \%mail } } } } })),
      ['/events/A/properties/properties/who/items/properties/first_name',
       qr/looks personal/]);

for ([ ['o-1'], 0 ], [ ['x'], 1, qr/matches none/ ],
     [ ['o-1', 'x'], 1, qr/does not match 1 of 2/ ])
{
    my ($examples, $count, $text) = @$_;

    warns("examples @$examples",
          a_plan(A => event(properties => { properties => { id => {
              %mail, pattern => '^o-[0-9]+$', examples => $examples } } })),
          $count ? ['/events/A/properties/properties/id', $text] : ());
}

warns('high priority for most',
      a_plan((map { ("E$_" => event(priority => 'high')) } 1 .. 3),
           F => event()),
      ['', qr/high for 3 of 4/]);
warns('high priority for half',
      a_plan((map { ("E$_" => event(priority => 'high')) } 1 .. 2),
           map { ("F$_" => event()) } 1 .. 2));


# ---- errors ----

sub refused {
    my ($name, $text, $line, $pointer, $said) = @_;
    my $r = lint($text, '--json');
    my $error = $r->{json}{errors}[0];

    is($r->{status}, 2, "$name: exit 2");
    is($error->{line}, $line, "$name: line");
    is($error->{pointer}, $pointer, "$name: pointer");
    like($error->{text}, $said, "$name: text");
    like(lint($text)->{out}, qr/^\S+plan\.json:$line: error: /,
         "$name: for editors");
}

refused('no JSON', "{\n\n  nope", 3, '', qr/no JSON \(json_invalid\)/);
refused('a wrong schema', <<'END', 4, '/events/A/properties/type', qr/./);
{ "martech_plan": 1, "name": "s", "version": "1",
  "events": {
    "A": { "properties": {
      "type": "text" } } } }
END
refused('a pattern that may take forever', <<'END', 3,
{ "martech_plan": 1, "name": "s", "version": "1", "events": {
    "A": { "properties": { "properties": { "p": {
      "pattern": "(a+)+$" } } } } } }
END
        '/events/A/properties/properties/p/pattern', qr/./);

my $gone = $cli->plain('plan', 'lint', $t->dir() . '/none.json');

is($gone->{status}, 2, 'no file: exit 2');
like($gone->{out}, qr/none\.json: error: No such file/, 'it is said');
is($cli->plain('plan', 'lint')->{status}, 2, 'no argument: exit 2');
like($cli->plain('plan')->{err}, qr/what of "plan" is missing/,
     'no command');
unlike(lint(a_plan("A\e[31m" => event(owner => '')))->{out}, qr/\e/,
       'no control characters on a terminal');


# ---- the example ----

my $example = $cli->plain('plan', 'lint', '--strict',
                          Martech::Test->root() . '/lua-free-conf/plan.json');

is($example->{status}, 0, 'lua-free-conf/plan.json: nothing to say')
    or diag($example->{out});

$t->done();
