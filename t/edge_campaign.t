#!/usr/bin/perl

# What has led to a page: from its URL into context.campaign, and by a cookie
# into the events of later pages.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $nginx = $t->nginx(<<'END');
    martech_redis  %%REDIS%%;

    server {
        listen 127.0.0.1:8080;
        default_type text/html;

        martech_cookie mtid domain=example.com;

        location /off/ {
            martech_collect;
        }
        location /on/ {
            martech_campaign on;
            martech_collect;
        }
        location /tags/ {
            martech_campaign on click_ids=off;
            martech_collect;
        }
        location /kept/ {
            martech_campaign on cookie=mtcp max_age=1h;
            martech_consent policy=anonymize gpc=all;
            martech_collect;
        }
        location /private/ {
            martech_campaign on;
            martech_redact pattern=email mask;
            martech_redact pointer=/context/campaign/term drop;
            martech_scrub_url default gclid;
            martech_collect;
        }
        location / {
            martech_campaign on cookie=mtcp max_age=1h;
            martech_consent policy=drop gpc=all;
            return 200 "<p>page";
        }
    }
END

my $port = $t->port(8080);
my %seen;


sub stored {
    my @events;

    for my $key (sort @{ $redis->call('keys', '*:in') }) {
        for my $entry (@{ $redis->call('xrange', $key, '-', '+') }) {
            my ($id, $fields) = @$entry;
            my %field = @$fields;

            push @events, from_json($field{e}) unless $seen{"$key $id"}++;
        }
    }

    return @events;
}


my $answer;

# context.campaign of an event that was sent from a page
sub campaign {
    my ($path, $url, $context, @headers) = @_;

    $answer = post($port, "$path/v1/page", {
        anonymousId => 'a', context => { page => { url => $url },
                                         %{ $context // {} } } },
        host => 'www.example.com', headers => \@headers);

    my ($event) = stored();

    return $event->{context}{campaign};
}


# the cookie of an answer, without its attributes
sub kept {
    my ($response, $name) = @_;

    return join ' ', map { /^Set-Cookie:\s*\Q$name\E=([^;]*)/i ? $1 : () }
        @{ $response->{fields} };
}


sub fields { join "\n", @{ $_[0]{fields} } }


my $url = 'https://www.example.com/?utm_source=news&utm_campaign=spring+sale'
    . '&gclid=G-1&x=y#utm_medium=z';


# ---- from the URL ----

is(campaign('/off', $url), undef, 'off by default');
is_deeply(campaign('/on', $url),
          { source => 'news', name => 'spring sale', gclid => 'G-1' },
          'tags and ids of clicks');
is(kept($answer, 'mtcp'), '', 'nothing is kept');
is_deeply(campaign('/tags', $url), { source => 'news', name => 'spring sale' },
          'tags alone');
is_deeply(campaign('/on', $url, { campaign => { source => 'own', x => 1 } }),
          { source => 'own', x => 1, name => 'spring sale', gclid => 'G-1' },
          'what the sender gave stays');
is(campaign('/on', 'https://www.example.com/'), undef, 'there may be none');

post($port, '/on/v1/batch', {
    context => { page => { url => $url }, campaign => { term => 't' } },
    batch => [ { type => 'page', anonymousId => 'a' },
               { type => 'page', anonymousId => 'a',
                 context => { campaign => undef } },
               { type => 'page', anonymousId => 'a',
                 context => { page => { url => '/?utm_source=own' } } } ] });
is_deeply([ map { $_->{context}{campaign} } stored() ],
          [ { term => 't', source => 'news', name => 'spring sale',
              gclid => 'G-1' },
            { source => 'news', name => 'spring sale', gclid => 'G-1' },
            { term => 't', source => 'own' } ],
          'a batch\'s context counts for each of its events');


# ---- rules of privacy ----

is_deeply(campaign('/private', 'https://www.example.com/?utm_source=news'
                   . '&gclid=G&utm_term=t&utm_medium=call+a%40b.example'),
          { source => 'news' },
          'what must not be in a URL must not be in a campaign');
is_deeply(campaign('/private', 'https://www.example.com/?utm_term=t'), undef,
          'nothing may be left');


# ---- kept ----

is_deeply(campaign('/kept', $url),
          { source => 'news', name => 'spring sale', gclid => 'G-1' },
          'a beacon');

my $cookie = kept($answer, 'mtcp');

is($cookie, 'utm_source=news&utm_campaign=spring%20sale&gclid=G-1',
   'keeps what its page says');
like(fields($answer), qr{mtcp=[^;]*;\ Max-Age=3600;\ Domain=example\.com;
                         \ Path=/;\ HttpOnly;\ SameSite=Lax}x,
     'with the attributes of martech_cookie');

my @cookie = (Cookie => "mtcp=$cookie");

is_deeply(campaign('/kept', 'https://www.example.com/cart', {}, @cookie),
          { source => 'news', name => 'spring sale', gclid => 'G-1',
            stored => JSON::PP::true() }, 'a later page has it');
is(kept($answer, 'mtcp'), '', 'which renews nothing');
is_deeply(campaign('/kept', 'https://www.example.com/?utm_source=other', {},
                   @cookie), { source => 'other' }, 'a newer one counts');
is(kept($answer, 'mtcp'), 'utm_source=other', 'and is kept instead');
is_deeply(campaign('/kept', 'https://www.example.com/',
                   { campaign => { source => 'own' } }, @cookie),
          { source => 'own' }, 'the sender\'s own is not mixed with it');
is(campaign('/kept', 'https://www.example.com/', {},
            Cookie => 'mtcp="<script>&%%%=&utm_source'), undef,
   'rubbish is none');

my $page = get($port, '/?utm_source=mail&fbclid=F', host => 'www.example.com');
is(kept($page, 'mtcp'), 'utm_source=mail&fbclid=F', 'a page keeps its own');
is($page->{headers}{'cache-control'}, 'private', 'and is nobody else\'s');
is(kept(get($port, '/?x=y'), 'mtcp'), '', 'if it has any');

$page = get($port, '/?utm_source=' . 'x' x 513 . '&utm_medium=m');
is(kept($page, 'mtcp'), 'utm_medium=m', 'what is too long is left out');


# ---- denied ----

my @gpc = ('Sec-GPC' => 1);

is(campaign('/kept', $url, {}, @gpc, @cookie), undef,
   'an event that is denied has none');
like(fields($answer), qr/^Set-Cookie: mtcp=; Max-Age=0;/m,
     'and the cookie goes');

$page = get($port, '/?utm_source=mail', headers => [ @gpc ]);
is(kept($page, 'mtcp'), '', 'a page that is denied keeps none');
$page = get($port, '/?utm_source=mail', headers => [ @gpc, @cookie ]);
like(fields($page), qr/^Set-Cookie: mtcp=; Max-Age=0;/m,
     'and its cookie goes, too');

is(campaign('/kept', 'https://www.example.com/', {}, @cookie,
            'SP-Anonymous' => '*'), undef, 'SP-Anonymous reads no cookie');

$t->done();
