#!/usr/bin/perl

# Pages of other origins: who may send, who may read the answer, and that an
# answer which NGINX made by itself can be read as well as ours.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->define(USERS => $t->file('users', "u:{PLAIN}p\n"));

my $nginx = $t->nginx(<<'END');
    log_format  verdict '$request_method $status $martech_verdict';

    martech_redis   %%REDIS%% timeout=1s;
    martech_buffer  1m;

    limit_req_zone  $arg_zone zone=one:1m rate=1r/m;

    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8081 http2;
        access_log %%PREFIX%%/access.log verdict;

        location /list/ {
            martech_cors https://shop.example https://*.a.example null
                         max_age=10m;
            martech_collect;
        }

        location /any/ {
            martech_cors *;
            martech_collect;
        }

        location /bare/ {
            martech_cors https://shop.example credentials=off;
            martech_collect;
        }

        location /none/ {
            martech_collect;
        }

        location /sources/ {
            martech_source a key=ka origin=https://a.example;
            martech_source b key=kb;
            martech_cors https://shop.example;
            martech_collect;
        }

        location /own/ {
            martech_source a key=ka origin=https://a.example;
            martech_source b key=kb origin=https://b.example
                           origin=https://*.b.example;
            martech_collect;
        }

        location /some/ {
            martech_source a key=ka origin=https://a.example;
            martech_source b key=kb;
            martech_collect;
        }

        location /small/ {
            martech_cors https://shop.example;
            client_max_body_size 100;
            martech_collect;
        }

        location /auth/ {
            martech_cors https://shop.example;
            auth_basic here;
            auth_basic_user_file %%USERS%%;
            martech_collect;
        }

        location /slow/ {
            martech_cors https://shop.example;
            limit_req zone=one;
            martech_collect;
        }

        location /page/ {
            martech_cors https://shop.example;
            error_page 403 404 @page;
            martech_collect;
        }

        location @page {
            return 200 "a page";
        }

        location /plain { return 200 "plain"; }
        location /status { martech_status; }
    }
END

my $port = $t->port(8080);
my $shop = 'https://shop.example';
my $number = 0;


sub event { { event => 'e', anonymousId => 'a', messageId => 'm' . $number++ } }


sub from {
    my ($origin, $path, %arg) = @_;

    $path .= '/v1/track' unless $path =~ m{/nowhere$};

    return post($port, $path, event(), %arg,
                headers => [ Origin => $origin, @{ $arg{headers} // [] } ]);
}


sub preflight {
    my ($origin, $path, $asked, @more) = @_;

    return http($port, 'OPTIONS', "$path/v1/track", headers => [
        Origin => $origin, 'Access-Control-Request-Method' => 'POST',
        $asked ? ('Access-Control-Request-Headers' => $asked) : (), @more ]);
}


sub allowed {
    my ($response) = @_;

    return $response->{headers}{'access-control-allow-origin'} // '-';
}


sub events {
    my $n = 0;

    $n += $redis->call('xlen', $_) for @{ $redis->call('keys', '*:in') };
    return $n;
}


sub refused { get($port, '/status')->{json}{refused} }


# all values of a header
sub all_of {
    my ($response, $name) = @_;

    return join '; ', map { /^\Q$name\E:\s*(.*)/i ? $1 : () }
        @{ $response->{fields} };
}


# ---- who may send ----

my $response = from($shop, '/list');

is($response->{status}, 200, 'an origin of the list may send');
is(allowed($response), $shop, 'and read the answer');
is($response->{headers}{'access-control-allow-credentials'}, 'true',
   'also with credentials');
is($response->{headers}{'access-control-expose-headers'},
   'Retry-After, X-Martech-Ack', 'and the headers it needs');
is(all_of($response, 'Vary'), 'Origin', 'caches are told');

is(allowed(from('https://x.a.example', '/list')), 'https://x.a.example',
   'so may one below a domain');
$response = from('null', '/list');
is(allowed($response), 'null', 'so may null where it is listed');
is($response->{headers}{'access-control-allow-credentials'}, undef,
   '... without credentials: any page can make a frame that is null');
is(events(), 3, 'all of them are stored');

for my $origin ('https://a.example', 'http://shop.example',
                'https://shop.example:8443', 'https://shop.example.evil',
                'https://x.a.example.evil', 'https://evil/.a.example')
{
    $response = from($origin, '/list');

    is($response->{status}, 403, "not allowed: $origin");
    is($response->{json}{code}, 'origin', 'the answer says why');
    is(allowed($response), '-', 'a page cannot read it');
    is(all_of($response, 'Vary'), 'Origin', 'caches are told');
}

is(from('null', '/bare')->{status}, 403, 'null only where it is listed');
is(events(), 3, 'nothing of that is stored');
is(refused()->{origin}, 7, 'each refusal is counted');

$response = from($shop, '/bare');
is(allowed($response), $shop, 'without credentials the origin is named');
is($response->{headers}{'access-control-allow-credentials'}, undef,
   'and credentials are not');


# ---- one's own origin ----

for my $origin ('http://localhost', 'https://localhost') {
    $response = from($origin, '/list');
    is($response->{status}, 200, "needs no configuration: $origin");
    is(allowed($response), '-', 'nor headers');
}

is(from('http://localhost:8080', '/list', host => 'localhost:8080')->{status},
   200, 'also with a port');
is(from('http://localhost:8080', '/list')->{status}, 403,
   'another port is another origin');
is(post($port, '/list/v1/track', event())->{status}, 200, 'no origin at all');


# ---- any origin, and no list ----

$response = from('https://who.example', '/any');
is(allowed($response), '*', 'any origin');
is($response->{headers}{'access-control-allow-credentials'}, undef,
   'has no credentials');

$response = from('https://who.example', '/none');
is($response->{status}, 200, 'without a list everybody sends');
is(allowed($response), '-', 'and nobody reads');
is(preflight($shop, '/none')->{status}, 405, 'and there is no preflight');
is(allowed(get($port, '/plain', headers => [ Origin => $shop ])), '-',
   'other locations are left alone');


# ---- preflight ----

$response = preflight($shop, '/list',
    'authorization,content-type,x-evil,x-retry-count',
    'Access-Control-Request-Private-Network' => 'true');

is($response->{status}, 204, 'a preflight');
is(allowed($response), $shop, 'names the origin');
is($response->{headers}{'access-control-allow-methods'}, 'GET, POST, OPTIONS',
   'the methods');
is($response->{headers}{'access-control-allow-headers'},
   'authorization, content-type, x-retry-count',
   'and of the headers those we know');
is($response->{headers}{'access-control-max-age'}, 600, 'is kept as long');
is($response->{headers}{'access-control-allow-credentials'}, 'true',
   'allows credentials');
is($response->{headers}{'access-control-allow-private-network'}, 'true',
   'and private networks');
is(all_of($response, 'Vary'), 'Access-Control-Request-Headers; Origin',
   'caches are told');
is($response->{headers}{'content-length'}, undef, 'it has no body');

$response = preflight('https://who.example', '/any');
is(allowed($response), '*', 'any origin may ask');
is($response->{headers}{'access-control-max-age'}, 7200, 'usually two hours');
is($response->{headers}{'access-control-allow-private-network'}, undef,
   'private networks when they are asked for');

is(preflight('https://evil.example', '/list')->{status}, 403,
   'one that may not send may not ask');
is(refused()->{origin}, 9, 'which is counted');
is(http($port, 'OPTIONS', '/list/v1/track', headers => [ Origin => $shop ])
   ->{status}, 405, 'OPTIONS alone is no preflight');
is(preflight($shop, '/auth')->{status}, 204,
   'a preflight has no password to bring');


# ---- lists of sources ----

is(from('https://a.example', '/sources', key => 'ka')->{status}, 200,
   'the list of a source');
is(from($shop, '/sources', key => 'ka')->{status}, 403,
   'holds instead of that of the location');
is(from($shop, '/sources', key => 'kb')->{status}, 200,
   'which holds for the others');
is(from('https://a.example', '/sources', key => 'kb')->{status}, 403,
   'alone');

for my $path ('/sources', '/own') {
    is(allowed(preflight('https://a.example', $path)), 'https://a.example',
       "a preflight has no key: $path");
}

sub with_key {
    my ($origin, $path, $key) = @_;

    return post($port, "$path/v1/batch",
        { writeKey => $key, batch => [ { type => 'track', %{ event() } } ] },
        headers => [ Origin => $origin ]);
}

my $before = events();

is(with_key('https://a.example', '/own', 'ka')->{status}, 200,
   'a key in the body');
is(with_key('https://x.b.example', '/own', 'kb')->{status}, 200,
   'of another source');
$response = with_key('https://a.example', '/own', 'kb');
is($response->{status}, 403, 'is held against the list of its source');
is(allowed($response), '-', 'whose answer cannot be read');
is(with_key('https://c.example', '/own', 'ka')->{status}, 403,
   'an origin of no list');
is(with_key('https://c.example', '/some', 'kb')->{status}, 200,
   'a source without a list where others have one');
is(with_key('https://c.example', '/some', 'ka')->{status}, 403,
   'and one of these');
is(allowed(with_key('https://a.example', '/own', 'wrong')),
   'https://a.example', 'that a key is wrong can be read');
is(events(), $before + 3, 'only what may is stored');


# ---- answers that are refusals, and those of NGINX itself ----

my %refusals = (
    404 => from($shop, '/list/nowhere'),
    400 => post($port, '/list/v1/track', '{', headers => [ Origin => $shop ]),
    405 => get($port, '/list/v1/track', headers => [ Origin => $shop ]),
    413 => post($port, '/small/v1/track', 'x' x 200,
                headers => [ Origin => $shop ]),
    401 => from($shop, '/auth'),
);

for my $status (sort keys %refusals) {
    is($refusals{$status}{status}, $status, "a refusal: $status");
    is(allowed($refusals{$status}), $shop, 'which a page can read');
}

for (1 .. 3) {
    $response = post($port, '/slow/v1/track?zone=z', event(),
                     headers => [ Origin => $shop ]);
}

is($response->{status}, 503, 'limit_req refuses');
is(all_of($response, 'Access-Control-Allow-Origin'), $shop,
   'which a page can read');

$response = from($shop, '/page/nowhere');
is($response->{status}, 404, 'an error_page');
is($response->{body}, 'a page', 'is served');
is(allowed($response), $shop, 'and keeps the headers of the location');
is(allowed(from('https://evil.example', '/page')), '-', 'or has none');


# ---- HTTP/2 ----

my $url = 'http://127.0.0.1:' . $t->port(8081) . '/list/v1/track';

my $h2 = curl('--http2-prior-knowledge', '-i', '-H', "Origin: $shop",
              '-d', to_json(event()), $url);
is($h2->{status}, 200, 'HTTP/2');
is($h2->{version}, 2, 'as such');
like($h2->{body}, qr/^access-control-allow-origin: \Q$shop\E\r$/m,
     'a page can read it');
$h2 = curl('--http2-prior-knowledge', '-i', '-H', "Origin: $shop",
           '-X', 'OPTIONS', '-H', 'Access-Control-Request-Method: POST', $url);
is($h2->{status}, 204, 'a preflight over HTTP/2');


# ---- when nothing can be stored ----

$redis->stop();

for my $path ('/list', '/none') {
    $response = from($shop, $path);
    is($response->{status}, 503, "unavailable: $path");
    is(allowed($response), $shop, 'a page can read it');
    like(all_of($response, 'Access-Control-Expose-Headers'), qr/Retry-After/,
         'and when to come again');
    ok($response->{headers}{'retry-after'}, 'which is there');
}

is(allowed(from('https://evil.example', '/list')), '-',
   'but none that is not allowed');

my $log = Martech::Nginx::slurp($t->dir() . '/access.log');
like($log, qr/^OPTIONS 204 preflight$/m, 'the log tells a preflight');
like($log, qr/^POST 403 refused$/m, 'and a refusal');

$t->done();
