#!/usr/bin/perl

# The identity cookie: set by pages and beacons, read by beacons, replaced when
# it is old or no id, and none of it for who denies it.  And visitors of a day,
# who have no cookie.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;
use Time::HiRes qw(time);

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->define(KEY => $t->file('key', "0123456789abcdef0123\n"));

my $nginx = $t->nginx(<<'END');
    set_real_ip_from  127.0.0.1;
    real_ip_header    X-Client;

    martech_redis  %%REDIS%%;

    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8081 http2;
        default_type text/html;

        martech_cookie mtid domain=example.com max_age=30d rotate=7d;

        location / { return 200 "<p>page"; }
        location /script { default_type text/javascript; return 200 "x"; }
        location /moved { return 302 /; }
        location /gone { return 404; }
        location /off { martech_cookie off; return 200 "<p>page"; }
        location /collect/ { martech_collect; }

        location /cached {
            proxy_pass http://127.0.0.1:8082/public;
        }
        location /private {
            proxy_pass http://127.0.0.1:8082/private;
        }

        location /denied/ {
            martech_consent policy=drop gpc=all event;
            return 200 "<p>page";
        }
        location /denied/collect/ {
            martech_consent policy=anonymize gpc=all event;
            martech_consent_category analytics analytics;
            martech_collect;
        }
        location /tag/ {
            martech_consent gpc=all;
            martech_collect;
        }
        location /server/ {
            martech_source s key=ks kind=server;
            martech_collect;
        }
        location /host/ {
            martech_cookie __Host-id same_site=none http_only=off;
            martech_collect;
        }
        location /redacted/ {
            martech_redact pointer=/anonymousId drop;
            martech_collect;
        }
        location /day/ {
            martech_cookie mtid mode=anonymous;
            martech_collect;
        }
        location /days/ {
            martech_cookie mtid mode=anonymous key_file=%%KEY%%;
            martech_collect;
        }
    }

    server {
        listen 127.0.0.1:8082;
        default_type text/html;
        location /public {
            add_header Cache-Control "public, max-age=60";
            return 200 "<p>page";
        }
        location /private {
            add_header Cache-Control "private, max-age=60";
            return 200 "<p>page";
        }
    }
END

my $port = $t->port(8080);
my $UUID7 = qr/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-
               [0-9a-f]{12}/x;


# ---- helpers ----

sub cookies {
    my ($response) = @_;

    return map { /^Set-Cookie:\s*(.*)/i ? $1 : () } @{ $response->{fields} };
}


sub count { scalar(my @all = cookies($_[0])) }


sub page {
    my ($path, @headers) = @_;

    return get($port, $path, host => 'www.example.com',
               headers => \@headers);
}


sub beacon {
    my ($path, $event, @headers) = @_;

    return post($port, "$path/v1/track",
                { event => 'e', %{ $event // {} } }, host => 'www.example.com',
                headers => \@headers);
}


# the events stored since it was asked last
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


# an id that was born so many days ago
sub id_of_age {
    my ($days) = @_;
    my $hex = sprintf '%012x', int((time() - 86400 * $days) * 1000);

    return substr($hex, 0, 8) . '-' . substr($hex, 8)
        . '-7abc-8def-0123456789ab';
}


# ---- pages ----

my ($cookie, @more) = cookies(page('/'));

like($cookie, qr{^mtid=$UUID7;\ Max-Age=2592000;\ Domain=example\.com;
                 \ Path=/;\ HttpOnly;\ SameSite=Lax$}x, 'a page sets it');
is(scalar @more, 0, 'once');

my ($id) = $cookie =~ /^mtid=($UUID7)/;

is(count(page('/', Cookie => "a=b; mtid=$id; c=d")), 0, 'and not again');
is(page('/')->{headers}{'cache-control'}, 'private',
   'a page with a cookie is nobody else\'s');
is(page('/', Cookie => "mtid=$id")->{headers}{'cache-control'}, undef,
   'others are left as they are');
isnt((cookies(page('/')))[0], $cookie, 'each visitor has an own');

like((cookies(page('/moved')))[0] // '', qr/^mtid=/, 'a redirect sets it');
is(count(page('/gone')), 0, 'an error does not');
is(count(page('/script')), 0, 'nor does what is no page');
is(count(page('/off')), 0, 'nor where it is off');
is(count(page('/', 'Sec-Purpose' => 'prefetch;prerender')), 0,
   'nor a prefetch');
is(count(page('/', Purpose => 'prefetch')), 0, 'of any kind');
is(count(page('/', 'Sec-Fetch-Dest' => 'image')), 0, 'nor an image');
is(count(page('/', 'Sec-Fetch-Dest' => 'document')), 1, 'a document does');
is(count(http($port, 'HEAD', '/')), 0, 'HEAD does not');
is(count(page('/cached')), 0, 'nor what caches may share');
is(count(page('/private')), 1, 'unless they may not');

($cookie) = cookies(get($port, '/', host => 'www.other.example'));
like($cookie, qr{^mtid=$UUID7; Max-Age=2592000; Path=/},
     'for a host of no domain it is of the host alone');
unlike((cookies(get($port, '/', host => 'notexample.com')))[0], qr/Domain/,
       'a name that only ends alike is another one');
like((cookies(get($port, '/', host => 'EXAMPLE.com:81')))[0],
     qr/Domain=example.com;/, 'the domain itself is one');

for my $wrong ('', 'x', '%00', uc $id, "\"$id\"", substr($id, 1),
               '0193a5c1-4b2e-4abc-8def-0123456789ab', id_of_age(-2))
{
    is(count(page('/', Cookie => "mtid=$wrong")), 1,
       "no id of ours: \"$wrong\"");
}

is(count(page('/', Cookie => "xmtid=$id")), 1,
   'another cookie is another one');
is(count(page('/', Cookie => "mtid=rubbish; mtid=$id")), 0,
   'the first that is valid counts');
is(count(page('/', Cookie => 'mtid=rubbish', Cookie => "mtid=$id")), 0,
   'in whichever header');
is(count(page('/', Cookie => 'mtid=' . id_of_age(6))), 0,
   'a young one stays');
is(count(page('/', Cookie => 'mtid=' . id_of_age(8))), 1,
   'an old one is replaced');


# ---- beacons ----

my $response = beacon('/collect', { userId => 'u' }, Cookie => "mtid=$id");
my ($event) = stored();

is($response->{status}, 200, 'a beacon');
is($event->{anonymousId}, $id, 'an event gets the id of its visitor');
like((cookies($response))[0], qr/^mtid=$id; Max-Age=2592000;/,
     'and the cookie is renewed');

$response = beacon('/collect');
($event) = stored();
($cookie) = cookies($response);

is($response->{status}, 200, 'without any id');
like($cookie, qr/^mtid=\Q$event->{anonymousId}\E;/,
     'the event has that of the new cookie');

beacon('/collect', { anonymousId => 'own' }, Cookie => "mtid=$id");
($event) = stored();
is($event->{anonymousId}, 'own', 'an id of the sender stays');

post($port, '/collect/v1/batch', { batch => [
    map { { type => 'track', event => "e$_" } } 1 .. 3 ] },
    headers => [ Cookie => "mtid=$id" ]);
is_deeply([ map { $_->{anonymousId} } stored() ], [ ($id) x 3 ],
          'each event of a batch');

my @homes = grep { /$id/ }
    map { to_json($redis->call('xrange', $_, '-', '+')) }
    @{ $redis->call('keys', '*:in') };

is(scalar @homes, 1, 'one visitor\'s are in one shard');
is(scalar(() = $homes[0] =~ /$id/g), 4, 'all of them');

is(count(beacon('/collect', { anonymousId => [] })), 0,
   'a refusal sets nothing');
is(count(get($port, '/collect/v1/track')), 0, 'nor does another');

$response = post($port, '/server/v1/track', { event => 'e', userId => 'u' },
                 key => 'ks', headers => [ Cookie => "mtid=$id" ]);
($event) = stored();
is($event->{anonymousId}, undef, 'a server is no visitor');
is(count($response), 0, 'and gets no cookie');

beacon('/redacted', { userId => 'u' }, Cookie => "mtid=$id");
($event) = stored();
is($event->{anonymousId}, undef, 'rules of privacy hold for it');
is($event->{userId}, 'u', 'and nothing else goes');

like((cookies(beacon('/host')))[0], qr{^__Host-id=$UUID7;\ Max-Age=31536000;
      \ Path=/;\ Secure;\ SameSite=None$}x, 'other attributes');
stored();


# ---- who denies it ----

my $gone = 'mtid=; Max-Age=0; Domain=example.com; Path=/; HttpOnly; '
    . 'SameSite=Lax';
my @gpc = ('Sec-GPC' => 1);

is(count(page('/denied/')), 1, 'nothing is denied: a page sets it');
is(count(page('/denied/', @gpc)), 0, 'denied: it does not');
is_deeply([ cookies(page('/denied/', @gpc, Cookie => "mtid=$id")) ], [ $gone ],
          'and one that is there goes');

for my $headers ([ @gpc ], [ 'SP-Anonymous' => '*' ]) {
    $response = beacon('/denied/collect', { userId => 'u' }, @$headers,
                       Cookie => "mtid=$id");
    ($event) = stored();

    is($response->{status}, 200, "a beacon with $headers->[0]");
    isnt($event->{anonymousId} // '', $id, 'does not say who it is');
    is_deeply([ cookies($response) ], [ $gone ], 'and loses the cookie');
    is(count(beacon('/denied/collect', { userId => 'u' }, @$headers)),
       0, 'or gets none');
    stored();
}

is(beacon('/collect', {}, 'SP-Anonymous' => '*', Cookie => "mtid=$id")
   ->{status}, 400, 'then an event without an id has none');

$response = beacon('/denied/collect', { userId => 'u', context => { consent =>
    { categoryPreferences => { analytics => JSON::PP::false() } } } },
    Cookie => "mtid=$id");
($event) = stored();
is($event->{anonymousId}, undef, 'an event that denies it has none either');
is_deeply([ cookies($response) ], [ $gone ], 'and the cookie goes');

$response = beacon('/tag', { userId => 'u' }, @gpc, Cookie => "mtid=$id");
($event) = stored();
is($event->{anonymousId}, $id, 'a policy of tag keeps it');


# ---- a day ----

my @who = ('X-Client' => '198.51.100.7', 'User-Agent' => 'A');

sub day_id {
    my ($path, @headers) = @_;
    my $answer = beacon($path, {}, @headers);

    diag($answer->{body}) unless $answer->{status} == 200;
    is_deeply([ cookies($answer) ], [], 'no cookie is set');

    return (stored())[0]{anonymousId};
}

for my $path ('/day', '/days') {
    my $first = day_id($path, @who);

    like($first, qr/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab]/,
         "an id without a cookie: $path");
    is(day_id($path, @who), $first, 'the same for the same visitor');
    isnt(day_id($path, 'X-Client' => '198.51.100.8', 'User-Agent' => 'A'),
         $first, 'another one for another address');
    isnt(day_id($path, 'X-Client' => '198.51.100.7', 'User-Agent' => 'B'),
         $first, 'and for another browser');

    $nginx->reload();
    is(day_id($path, @who), $first, 'it outlives a reload');
}

isnt(day_id('/day', @who), day_id('/days', @who), 'a salt is not a key');
is_deeply([ cookies(beacon('/day', {}, Cookie => "mtid=$id")) ],
          [ 'mtid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax' ],
          'a cookie of former days goes');
stored();

my %kept = map { $_ => day_id($_, @who) } '/day', '/days';

$nginx->stop();
$nginx->start();
isnt(day_id('/day', @who), $kept{'/day'}, 'a salt dies with NGINX');
is(day_id('/days', @who), $kept{'/days'}, 'a key does not');


# ---- HTTP/2 ----

my $h2 = curl('--http2-prior-knowledge', '-i', '-H', "Cookie: mtid=$id",
              '-H', 'Content-Type: text/plain', '-d', '{"event":"h2"}',
              'http://127.0.0.1:' . $t->port(8081) . '/collect/v1/track');
($event) = stored();
is($h2->{version}, 2, 'HTTP/2');
is($event->{anonymousId}, $id, 'brings the cookie');
like($h2->{body}, qr/^set-cookie: mtid=$id;/m, 'and renews it');


# ---- what brings no events ----

{
    # without sources any key is one; caches may share this answer
    my $settings = get($port, '/collect/v1/projects/any/settings',
                       host => 'www.example.com');
    my @caching = grep { /^Cache-Control:/i } @{ $settings->{fields} };

    is($settings->{status}, 200, 'settings of a library');
    is(count($settings), 0, 'they are no beacon: no cookie');
    is("@caching", 'Cache-Control: public, max-age=300',
       'and caches may keep them');

    $settings = get($port, '/collect/v1/projects/any/settings',
                    host => 'www.example.com', headers => ['Sec-GPC' => 1,
                    Cookie => "mtid=$id"]);
    is(count($settings), 0, 'nor do they expire one');
}


# ---- configuration ----

my $test = $t->nginx('', run => 0);

sub refused {
    my ($directive, $says) = @_;
    my ($accepted, $output) = $test->test_conf($t->fill(
        "server { listen 127.0.0.1:8090; $directive; }"));

    ok(!$accepted, "refused: $directive");
    like($output, $says, 'the message says why');
}

refused('martech_cookie "a b"', qr/"a b".*letters/);
refused('martech_cookie __Host-a domain=example.com', qr/no "domain="/);
refused('martech_cookie __host-a path=/x', qr/"path=\/"/);
refused('martech_cookie __Host-a secure=off', qr/"secure=on"/);
refused('martech_cookie __Secure-a secure=auto', qr/"secure=on"/);
refused('martech_cookie __Http-a http_only=off', qr/"http_only=on"/);
refused('martech_cookie a same_site=none secure=off', qr/"same_site=none"/);
refused('martech_cookie a max_age=401d', qr/"max_age=401d".*400d/);
refused('martech_cookie a rotate=never', qr/"rotate=never"/);
refused('martech_cookie a domain=com', qr/"domain=com"/);
refused('martech_cookie a domain=10.0.0.1', qr/"domain=10.0.0.1"/);
refused('martech_cookie a path=x', qr/"path=x"/);
refused('martech_cookie a what=x', qr/"what=x".*domain=/);
refused('martech_cookie a mode=anonymous max_age=1d', qr/mode=anonymous/);
refused("martech_cookie a key_file=$t->{defines}{KEY}", qr/key_file=/);
refused('martech_cookie a mode=anonymous key_file='
        . $t->file('short', 'short'), qr/16 bytes/);
refused('martech_cookie a; martech_cookie b', qr/is duplicate/);
refused('martech_cors https://a.example/', qr{"https://a\.example/".*path});
refused('martech_cors * credentials=on', qr/credentials=on/);
refused('martech_cors * https://a.example', qr/stands alone/);
refused('martech_cors https://a.example max_age=2d', qr/"max_age=2d"/);
refused('martech_cors off https://a.example', qr/"off"/);
refused('martech_source s key=k origin=example.com', qr/"example.com"/);
refused('martech_cookie a mode=anonymous; martech_campaign on cookie=b',
        qr/promises none/);
refused('martech_cookie a; martech_campaign on cookie=a', qr/the name of/);
refused('martech_campaign on cookie=__Host-a', qr/"secure=on"/);
refused('martech_campaign on max_age=1d', qr/without "cookie="/);
refused('martech_campaign yes', qr/"yes", it must be on or off/);

$t->expect(qr/\[emerg\]/);
$t->done();
