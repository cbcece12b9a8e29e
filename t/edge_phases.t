#!/usr/bin/perl

# Collecting is content: every rule that NGINX applies to a location applies
# before it, and nothing makes an event be stored twice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

my $nginx = $t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=1s;
    martech_source  website key=wk kind=client;

    limit_req_zone   $binary_remote_addr zone=slow:1m rate=1r/m;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }

        location /limited/ {
            limit_req zone=slow;
            martech_collect;
        }

        location /denied/ {
            deny all;
            martech_collect;
        }

        location /any-allowed/ {
            satisfy any;
            allow 127.0.0.1;
            deny all;
            martech_collect;
        }

        location /any-denied/ {
            satisfy any;
            deny all;
            martech_collect;
        }

        location /all-denied/ {
            satisfy all;
            deny all;
            martech_collect;
        }

        location /asked/ {
            auth_request /ask;
            martech_collect;
        }

        location = /ask {
            internal;
            if ($http_x_pass = "") {
                return 403;
            }
            return 204;
        }

        location /if/ {
            if ($arg_mark) {
                set $marked 1;
            }
            if ($arg_refuse) {
                return 410;
            }
            martech_collect;
        }

        location /except/ {
            limit_except POST {
                deny all;
            }
            martech_collect;
        }

        location /except-get/ {
            limit_except GET {
                deny all;
            }
            martech_collect;
        }

        location /small/ {
            client_max_body_size 100;
            martech_collect;
        }

        location /page/ {
            error_page 400 401 404 415 = /page.html;
            error_page 503 /page.html;
            martech_collect;
        }

        location = /page.html {
            return 200 "our own page\n";
        }

        location /again/ {
            error_page 400 401 404 415 @again;
            martech_collect;
        }

        location /anew/ {
            error_page 400 = @again;
            martech_collect;
        }

        location @again {
            martech_collect;
        }

        location /there/ {
            error_page 400 = /v1/track;
            martech_collect;
        }

        location /passed/ {
            rewrite ^/passed/(.*)$ /v1/$1 last;
        }

        location /tried/ {
            try_files /none /v1/track;
        }

        location /mirrored/ {
            mirror /v1/track;
            proxy_pass http://127.0.0.1:8080/sink;
        }

        location = /sink {
            return 204;
        }

        location /guarded/ {
            auth_request /v1/track;
            proxy_pass http://127.0.0.1:8080/sink;
        }

        location /real/ {
            set_real_ip_from 127.0.0.1;
            real_ip_header X-Forwarded-For;
            martech_collect;
        }
    }
END

my $port = $t->port(8080);
my %event = (event => 'E', userId => 'u');


# Posts a good event (or another body) and returns "status stored".
sub outcome {
    my ($path, %arg) = @_;

    $redis->call('flushall');

    my $response = post($port, $path, $arg{payload} // \%event,
                     key => $arg{key} // 'wk',
                     headers => $arg{headers} // []);

    return "$response->{status} " . $redis->count();
}


is(outcome('/v1/track'), '200 1', 'a plain location stores');


# ---- what comes before ----

is(outcome('/limited/v1/track'), '200 1', 'limit_req lets the first pass');
is(outcome('/limited/v1/track'), '503 0', 'limit_req stops the second');
is(outcome('/denied/v1/track'), '403 0', 'deny is obeyed');
is(outcome('/asked/v1/track'), '403 0', 'auth_request is obeyed');
is(outcome('/asked/v1/track', headers => ['X-Pass' => 1]), '200 1',
   'auth_request lets pass');
is(outcome('/small/v1/track', payload => { %event, x => 'x' x 200 }), '413 0',
   'client_max_body_size is obeyed');

is(outcome('/any-allowed/v1/track'), '200 1',
   'satisfy any: an allowed client with its key');
is(outcome('/any-allowed/v1/track', key => 'nope'), '401 0',
   'satisfy any: an allowed client still needs a key');
is(outcome('/any-denied/v1/track'), '403 0',
   'satisfy any: a key is no permission');
is(outcome('/all-denied/v1/track'), '403 0', 'satisfy all is obeyed');


# ---- if and limit_except ----

is(outcome('/if/v1/track'), '200 1', 'an if that does not hold');
is(outcome('/if/v1/track?mark=1'), '200 1', 'an if that holds');
is(outcome('/if/v1/track?refuse=1'), '410 0', 'an if that returns');
is(outcome('/except/v1/track'), '200 1', 'limit_except lets POST pass');
is(outcome('/except-get/v1/track'), '403 0', 'limit_except stops POST');
like(get($port, '/except/v1/track')->{status}, qr{^40[35]$},
     'limit_except stops GET');


# ---- error pages ----

my $response = post($port, '/page/v1/track', '{', key => 'wk');

is("$response->{status} $response->{body}", "200 our own page\n",
   'an error_page of the location is shown');
$response = post($port, '/page/v1/track', \%event, key => 'nope');
is("$response->{status} $response->{body}", "200 our own page\n",
   'also for a refused key');
$response = post($port, '/page/v1/track', \%event);
is($response->{body}, "our own page\n", 'also for a missing key');
$response = post($port, '/v1/track', '{', key => 'wk');
is($response->{headers}{'content-type'}, 'application/problem+json',
   'without error_page there are problem details');

my %bad = (payload => { event => 'E' });

is(outcome('/again/v1/track', %bad), '400 0',
   'what one location refused, the location of its error_page does not store');
is(outcome('/again/v1/track', key => 'nope'), '401 0',
   'likewise for a wrong key');
is(outcome('/again/v1/none'), '404 0', 'likewise for a wrong path');
is(outcome('/anew/v1/track', %bad), '400 0',
   'likewise where the error_page decides on the status');
like(outcome('/there/v1/track', %bad), qr/^4\d\d 0$/,
     'likewise for an error_page that is a path');
is(outcome('/again/v1/track'), '200 1', 'a good event is stored once');

{
    $redis->call('flushall');
    $redis->freeze();

    my $c = Martech::Http->connect($port);

    $c->send(post_bytes('/page/v1/track', \%event, key => 'wk'));
    $redis->kill_now();

    is($c->response()->{body}, "our own page\n",
       'an error_page for 503 is shown after a wait');
    $redis->start();
    wait_until(sub { outcome('/v1/track') eq '200 1' }, 10, 'redis is back');
}


# ---- ways into the location ----

is(outcome('/passed/track'), '200 1', 'a rewritten request is stored once');
is(outcome('/tried/v1/track'), '200 1', 'try_files leads to the location');

is(outcome('/guarded/'), '403 0', 'a subrequest of auth_request is refused');
like(outcome('/mirrored/'), qr/^204 0$/, 'a mirrored request is not stored');


# ---- realip ----

$redis->call('flushall');
post($port, '/real/v1/track', \%event, key => 'wk',
     headers => ['X-Forwarded-For' => '192.0.2.7']);
is(($redis->events())[0]{event}{context}{ip}, '192.0.2.7',
   'the address is that of realip');

$t->done();
