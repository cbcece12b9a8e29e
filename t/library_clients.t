#!/usr/bin/perl

# How events that were sent are held against those that are stored: the test
# library of t/clients_*.t sees what it is there to see.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Martech::Client qw(at_time number page_url);

my @ROWS = (
    ['id', 'messageId'],
    ['name', 'event'],
    ['at', 'timestamp', \&at_time],
    ['url', \&page_url],
    ['size', 'properties.size', \&number],
    ['data.*', 'properties.*'],
    [qr/^x_(.*)$/, 'context.$1'],
    ['token', undef],
);

my %ARG = (rows => \@ROWS, exact => ['properties'],
           sent_id => sub { $_[0]{id} });


sub sent {
    return { id => 'a', name => 'E', at => '2026-01-02T03:04:05.678Z',
             url => 'https://h/p?q=1#f', size => '12', token => 'secret',
             x_y => 'z', data => { n => 1, list => ['a', {}], none => undef },
             @_ };
}


sub stored {
    return {
        messageId => 'a', event => 'E', timestamp => '2026-01-02T03:04:05.000Z',
        properties => { size => 12, n => 1, list => ['a', {}], none => undef },
        context => { y => 'z', page => { url => 'https://h/p?q=1#f',
                                         path => '/p', search => '?q=1' } },
        @_,
    };
}


sub wrong {
    my ($sent, $stored) = @_;
    my $wrong = Martech::Client::compare($sent, $stored, %ARG);

    return join ' | ', map { @{ $wrong->{$_} } ? "$_: @{ $wrong->{$_} }" : () }
        qw(lost doubled unknown different);
}


sub with {
    my ($change) = @_;
    my $stored = stored();

    $change->($stored);

    return wrong([sent()], [$stored]);
}


is(wrong([sent()], [stored()]), '', 'what is stored as it was sent is right');

is(wrong([sent(), sent(id => 'b')], [stored()]), 'lost: b',
   'what is not stored is lost');
is(wrong([sent()], [stored(), stored()]), 'doubled: a',
   'what is stored twice is seen');
is(wrong([sent()], [stored(), stored(messageId => 'b')]), 'unknown: b',
   'what was not sent is seen');

like(with(sub { $_[0]{event} = 'F' }), qr/name: sent "E", .*event: "F"/,
     'another value');
like(with(sub { delete $_[0]{event} }), qr/name: sent "E", .* nothing/,
     'a value that is missing');
like(with(sub { $_[0]{properties}{n} = '1' }), qr/data\.n: sent 1, .*: "1"/,
     'a number that has become a text');
like(with(sub { $_[0]{properties}{none} = 0 }), qr/data\.none: sent null/,
     'a null that is none');
like(with(sub { delete $_[0]{properties}{none} }), qr/data\.none: .*nothing/,
     'a null that is missing');
like(with(sub { $_[0]{properties}{list}[1] = [] }), qr/data\.list\.1/,
     'an object that has become an array');
like(with(sub { push @{ $_[0]{properties}{list} }, 'b' }),
     qr/properties\.list\.2, stored "b", was not sent/, 'a value too many');
is(with(sub { $_[0]{context}{more} = 1 }), '',
   'what the server adds elsewhere is its own');
like(with(sub { $_[0]{timestamp} = '2026-01-02T03:04:09.000Z' }), qr/at: sent/,
     'another time');
like(with(sub { delete $_[0]{timestamp} }), qr/at: sent/, 'no time');
like(with(sub { $_[0]{context}{page}{path} = '/q' }), qr/url: sent .*path/,
     'a part of a URL');
like(with(sub { delete $_[0]{context}{page}{search} }),
     qr/url: sent .*search: nothing/, 'the query of a URL');
like(with(sub { $_[0]{context}{y} = 'y' }), qr/x_y: sent "z"/, 'a pattern');
like(wrong([sent(new => 1)], [stored()]), qr/new is in no row of the table/,
     'a field that no table knows');

done_testing();
