#!/usr/bin/perl

# "plan docs": what stands on the page, and that nothing of a plan becomes
# mark-up.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Test;

my $t = Martech::Test->new();
my $cli = Martech::Command->new($t, '');
my $evil = q(<script>alert("1")</script>&'`|*_[x](y));

my $file = $t->file('plan.json', to_json({
    martech_plan => 1, name => 'shop', version => '7',
    'x-description' => "All about $evil.",
    definitions => { money => { type => 'number', minimum => 0,
                                description => 'an amount' } },
    events => {
        'Order Completed' => {
            description => 'A customer has paid.', owner => 'checkout',
            stage => 'deprecated', 'x-when' => 'after the payment',
            'x-replaced-by' => 'Order Paid', aliases => ['order_completed'],
            priority => 'high', personal => ['/properties/who/mail'],
            retention => '13m', violation => 'quarantine',
            unplanned_property => 'reject',
            versions => {
                1 => { type => 'object', properties => {
                    old => { type => 'integer' } } },
                2 => { type => 'object', required => ['price'],
                       properties => {
                    price => { '$ref' => '#/definitions/money' },
                    size => { enum => ['S', 'M'], examples => ['S'] },
                    who => { type => 'object', properties => {
                        mail => { type => 'string', format => 'email' } } },
                    items => { type => 'array', maxItems => 9, items => {
                        properties => { sku => { type => 'string',
                            minLength => 3, maxLength => 20 } } } },
                } } },
            accept => ['2'],
        },
        $evil => { description => $evil, owner => $evil, 'x-when' => $evil,
                   aliases => ["a $evil"],
                   properties => { properties => { $evil => {
                       description => $evil, examples => [$evil],
                       pattern => '<b>', type => 'string' } } } },
    },
    traits => { identify => { properties => { type => 'object' } } },
}));


sub docs {
    my $r = $cli->plain('plan', 'docs', $file, @_);

    is($r->{status}, 0, "docs @_: exit 0") or diag($r->{err});

    return $r->{out};
}


# the text of a page, tags away
my $html = docs();
my $text = $html =~ s{<style>.*?</style>}{}sr =~ s/<[^>]*>/ /gr
           =~ s/&quot;/"/gr =~ s/&#39;/'/gr =~ s/&lt;/</gr =~ s/&gt;/>/gr
           =~ s/&amp;/&/gr =~ s/\s+/ /gr;

like($html, qr/\A<!DOCTYPE html>\n<html lang="en">/, 'a page');
like($html, qr{</html>\n\z}, 'that ends');
like($html, qr/name="viewport"/, 'for phones');
like($html, qr/prefers-color-scheme:dark/, 'for the night');
like($html, qr/\@media print/, 'for paper');
unlike($html, qr{(?:src|href)="(?!#)|url\(|\@import|https?:}i,
       'it needs nothing else');
unlike($html, qr/<script/i, 'nothing of the plan is mark-up');
like($text, qr/\Q$evil\E/, 'but it is there');

# every tag that is opened is closed
for my $tag (qw(main nav ul li article h1 h2 h3 h4 table thead tbody tr td th
                dl dt dd p a span div))
{
    my $open = () = $html =~ /<$tag[ >]/g;
    my $close = () = $html =~ m{</$tag>}g;

    is($open, $close, "<$tag>");
}

for (qr/Tracking plan shop/, qr/Version 7\./, qr/deprecated/,
     qr/high priority/, qr/A customer has paid\./,
     qr/Sent when after the payment/, qr/Owner checkout/,
     qr/Replaced by Order Paid/, qr/Also sent as order_completed/,
     qr/Kept for 13 months/,
     qr/violates the plan it is set aside until somebody looks/,
     qr/other properties it is refused, and the sender is told/,
     qr/Version 2, the newest/, qr/Version 1, not accepted any more/,
     qr/price number, at least 0 yes an amount/,
     qr/size one of S, M S /,
     qr/who\.mail text \(email\) yes /,
     qr/items list: each group of fields, up to 9 entries/,
     qr/items\[\]\.sku text, 3 to 20 characters/,
     qr/Traits of users/, qr/No properties are planned/)
{
    like($text, $_, "the page has $_");
}

cmp_ok(index($text, 'Version 2, the'), '<', index($text, 'Version 1, not'),
       'the newest version first');

my @links = $html =~ /href="#(\w+)"/g;

is(scalar @links, 3, 'a link for each');
is(scalar(grep { $html !~ /id="$_"/ } @links), 0, 'that leads somewhere');

my $markdown = docs('--format', 'markdown');

like($markdown, qr/^# Tracking plan shop$/m, 'Markdown: a title');
like($markdown, qr/^\| price \| number, at least 0 \| yes \|/m, 'a table');
unlike($markdown, qr/<script|(?<!\\)\*_|(?<!\\)\[x(?<!\\)\]/,
       'nothing of the plan is mark-up');
is(scalar(grep { (() = /(?<!\\)\|/g) != 7 }
          grep { /^\|/ } split /\n/, $markdown), 0, 'all rows are whole');

is($cli->plain('plan', 'docs', $file, '--format', 'pdf')->{status}, 2,
   'another format: exit 2');
$t->file('bad.json', '[]');
is($cli->plain('plan', 'docs', $t->dir() . '/bad.json')->{status}, 1,
   'no plan: exit 1');

$t->done();
