#!/usr/bin/perl

# "plan infer": a draft that accepts what it was made of, passes "plan lint",
# and tells nothing about people.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Test;

my $t = Martech::Test->new();
my $cli = Martech::Command->new($t, '');


sub infer {
    my ($lines, @options) = @_;
    my $file = $t->file('web.capture.ndjson',
        join '', map { (ref $_ ? to_json($_) : $_) . "\n" } @$lines);
    my $r = $cli->plain('plan', 'infer', $file, @options);

    if ($r->{status} == 0) {
        my $lint = $cli->plain('plan', 'lint',
                               $t->file('draft.json', $r->{out}));

        is($lint->{status}, 0, 'it passes "plan lint"')
            or diag($lint->{out});
    }

    return $r;
}


sub order {
    my ($n, %properties) = @_;

    return { type => 'track', event => 'Order Completed', userId => "u$n",
             messageId => "m$n", properties => \%properties };
}


my @names = qw(Ann Bob Eve);
my @lines = map {
    my $n = $_;
    order($n,
        id => "order-$n", price => $n % 3 ? $n + 0.5 : $n, count => $n % 7,
        currency => $n % 2 ? 'EUR' : 'USD', mail => "u$n\@example.com",
        first_name => $names[$n % 3], contact => $n == 50 ? 'x@example.com'
                                                 : 'none',
        at => sprintf('2026-01-01T00:00:%02dZ', $n),
        ref => sprintf('00000000-0000-4000-8000-%012d', $n),
        maybe => $n % 4 ? 'yes' : undef, account => "4711080$n",
        mixed => $n % 2 ? 7 : 'seven',
        ($n % 5 ? (coupon => "C$n") : ()),
        buyer => { phone => "0123$n", level => $n % 2 ? 'gold' : 'new' },
        items => [ map { { sku => "s$_", deep => { a => { b => {
            c => { d => $n } } } } } } 1 .. $n % 3 ])
} 1 .. 59;

push @lines,
    (map { { type => 'identify', userId => 'u',
             traits => { name => 'Ann', plan => 'free' } } } 1 .. 3),
    { type => 'track', event => 'Bare', userId => 'u' },
    { type => 'page', userId => 'u', properties => { path => '/' } },
    { batch => [ { type => 'screen', name => 'Home', userId => 'u' },
                 { type => 'group', userId => 'u', groupId => 'g',
                   traits => {} },
                 { type => 'alias', userId => 'u', previousId => 'v' } ] },
    # canonical
    { type => 'track', messageId => 'c', event => 'Bare', userId => 'u',
      receivedAt => '2026-01-01T00:00:00.000Z', properties => {},
      context => { martech => { v => 1, source => 'web' } } };

my $r = infer(\@lines);

is($r->{status}, 0, 'exit 0') or diag($r->{err});
like($r->{err}, qr/^68 events, 67 accepted by the draft, 1 of no use, 0 bad/m,
     'all are accepted');

my $draft = $r->{json};
my $event = $draft->{events}{'Order Completed'};
my $schema = $event->{properties};
my %p = %{ $schema->{properties} };

is($draft->{name}, 'web', 'the name of the file');
is($event->{stage}, 'draft', 'a draft');
is($event->{'x-seen'}, 59, 'how often it was seen');
is_deeply([ sort @{ $schema->{required} } ],
          [ sort grep { $_ ne 'coupon' } keys %p ], 'what is always there');
is($p{price}{type}, 'number', 'a number');
is($p{count}{type}, 'integer', 'an integer');
is_deeply([ sort @{ $p{currency}{enum} } ], [qw(EUR USD)], 'a list');
is($p{id}{enum}, undef, 'not of what is always another');
is($p{mail}{format}, 'email', 'an address');
is($p{at}{format}, 'date-time', 'a time');
is($p{ref}{format}, 'uuid', 'a uuid');
is_deeply([ sort @{ $p{maybe}{type} } ], [qw(null string)], 'nullable');
is_deeply([ sort @{ $p{mixed}{type} } ], [qw(integer string)], 'of two');
is($p{mixed}{enum}, undef, 'no list then');
is($p{items}{type}, 'array', 'a list of');
is($p{items}{items}{properties}{sku}{type}, 'string', 'objects');
is($p{items}{items}{properties}{deep}{properties}{a}{type}, 'object',
   'down to a depth');
is_deeply([ sort @{ $event->{personal} } ],
          [qw(/properties/buyer/phone /properties/contact
              /properties/first_name /properties/mail)], 'personal fields');
is_deeply($draft->{traits}{identify}{personal}, ['/traits/name'],
          'of traits too');
is_deeply([ sort @{ $p{buyer}{properties}{level}{enum} } ], [qw(gold new)],
          'beside a personal one');
unlike($r->{out}, qr/Ann|Bob|Eve|example\.com|4711080|0123/,
       'no value of a person');
is($draft->{traits}{identify}{properties}{required}, undef,
   'three are not always');
ok($draft->{pages}{'*'}, 'a page without a name');
ok($draft->{screens}{Home}, 'a screen of a batch');

is_deeply(infer(\@lines, '--least', '3', '--name', 'my plan')
          ->{json}{traits}{identify}{properties}{required},
          [qw(name plan)], 'from three on');
is(infer(\@lines, '--name', 'my plan')->{json}{name}, 'my_plan', 'a name');


# ---- bad lines ----

$r = infer([ 'no json', order(1, a => 1), '', '[1]', '{"type":"track"}',
             '{"type":"nothing"}', '"secret@example.com"',
             '{"a":' x 100 . '1' . '}' x 100, "\xff" ]);
is($r->{status}, 0, 'bad lines do not end it');
like($r->{err}, qr/^1 events, 1 accepted by the draft, 0 of no use, 7 bad/m,
     'they are counted');
like($r->{err}, qr/ndjson:$_: \S/m, "line $_ is named")
    for 1, 4, 5, 6, 7, 8, 9;
unlike($r->{err}, qr/secret/, 'without their text');

$r = infer([ ('nope') x 5000 ]);
is($r->{status}, 1, 'nothing but bad lines: exit 1');
cmp_ok(scalar(() = $r->{err} =~ /ndjson:/g), '<=', 10, 'not all are named');


# ---- more than fits ----

my %many = map { ("p$_" => $_) } 1 .. 600;

$r = infer([ map { order($_, %many, deep => { %many }) } 1 .. 3 ]);
is($r->{status}, 0, 'more properties than are kept');
is($r->{json}{events}{'Order Completed'}{unplanned_property}, 'accept',
   'others are accepted');

# too long for the decoder of this test
my $long = $t->file('long.ndjson', join '', map {
    qq({"type":"track","event":"E$_","userId":"u"}\n) } 1 .. 10_050);
my $out = qx($cli->{program} plan infer $long 2>$cli->{err});

is($?, 0, 'more events than are kept');
is(scalar(() = $out =~ /"x-seen"/g), 10_000, 'there is a bound');
like(Martech::Forwarder::slurp($cli->{err}),
     qr/^10050 events, 10000 accepted .* 50 of no use/m, 'and it is told');

$r = infer([ '{"type":"track","event":"E","userId":"u","properties":'
             . '{"a":1,"a":"x","b\u0000":1,"\u0061":2}}', order(1, a => 1) ]);
is($r->{status}, 0, 'names that stand twice') or diag($r->{err});

is($cli->plain('plan', 'infer', $t->dir() . '/none')->{status}, 1,
   'no file: exit 1');

$t->done();
