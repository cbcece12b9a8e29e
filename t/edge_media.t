#!/usr/bin/perl

# JSON comes under many names: the content types that SDKs really send are
# taken, others are refused before the body is read.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->nginx(<<'END');
    martech_redis   %%REDIS%%;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }
    }
END

my $port = $t->port(8080);
my %event = (event => 'Media', userId => 'u');

# who sends them: reference of the SDKs' sources
my @taken = (
    [undef, 'no content type'],
    ['', 'an empty content type'],
    ['text/plain', 'browser SDK'],
    ['text/plain;charset=UTF-8', 'browser fetch and sendBeacon'],
    ['application/json', 'server SDKs'],
    ['application/json; charset=utf-8', 'mobile SDKs'],
    ['Application/JSON', 'another case'],
    ['application/x-www-form-urlencoded', 'curl -d'],
    ['application/octet-stream', 'a client without idea'],
    ['application/vnd.events+json', 'a JSON subtype'],
    ['application/cloudevents+json; charset=utf-8', 'one with a parameter'],
);

my $count = 0;

for (@taken) {
    my ($type, $who) = @$_;
    my $response = post($port, '/v1/track', \%event, type => $type);

    is($response->{status}, 200, "taken: $who");
    $count++;
}

is($redis->count(), $count, 'each of them is stored');

for my $type ('application/xml', 'text/html', 'multipart/form-data; boundary=x',
              'application/jsonp', 'image/png', 'application/+json', 'json')
{
    my $response = post($port, '/v1/track', \%event, type => $type);

    is($response->{status}, 415, "refused: $type");
    is($response->{headers}{'content-type'}, 'application/problem+json',
       "refused with problem details: $type");
    is($response->{json}{code}, 'media_type', "refused with its code: $type");
}

for my $encoding ('br', 'zstd', 'compress', 'gzip, gzip', 'gzip,identity') {
    my $response = post($port, '/v1/track', \%event,
                        headers => ['Content-Encoding' => $encoding]);

    is($response->{status} . ' ' . $response->{json}{code},
       '415 content_encoding', "an encoding is refused: $encoding");
    is($response->{headers}{'accept-encoding'}, 'gzip, deflate',
       "its sender is told what is taken: $encoding");
}

for my $encoding ('gzip', 'deflate') {
    my $response = post($port, '/v1/track', \%event,
                        headers => ['Content-Encoding' => $encoding]);

    is($response->{status} . ' ' . $response->{json}{code},
       '400 content_corrupt', "a body that is not $encoding is refused");
}

is(post($port, '/v1/track', \%event,
        headers => ['Content-Encoding' => 'identity'])->{status}, 200,
   'the encoding identity is none');
$count++;

for my $method (qw(GET HEAD PUT DELETE OPTIONS PATCH)) {
    my $response = http($port, $method, '/v1/track');

    is($response->{status}, 405, "$method is refused");
    is($response->{headers}{allow}, 'POST', "$method is told what is allowed");
}

is($redis->count(), $count, 'nothing that was refused is stored');

$t->done();
