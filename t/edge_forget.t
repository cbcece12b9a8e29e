#!/usr/bin/perl

# martech_forget: our cookies go, for each domain that they may be of.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $nginx = $t->nginx(<<'END');
    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8081 http2;

        martech_cookie   mtid domain=example.com domain=shop.example.com
                         domain=example.org;
        martech_campaign on cookie=mtcp;

        location = /forget {
            martech_forget;
        }

        location = /shared/forget {
            martech_cors https://other.example;
            martech_forget;
        }

        location = /host/forget {
            martech_cookie   __Host-id;
            martech_campaign off;
            martech_forget;
        }

        location / {
            default_type text/html;
            return 200 "<p>page";
        }
    }
END

my $port = $t->port(8080);


sub cookies {
    my ($response) = @_;

    return sort map { /^Set-Cookie:\s*(.*)/i ? $1 : () }
        @{ $response->{fields} };
}


my $response = http($port, 'POST', '/forget', host => 'www.shop.example.com',
                    body => '', headers => [ Cookie => 'mtid=x' ]);

is($response->{status}, 204, 'forgotten');
is_deeply([ cookies($response) ], [
    map { ("$_=; Max-Age=0; Domain=example.com; Path=/; HttpOnly; SameSite=Lax",
           "$_=; Max-Age=0; Domain=shop.example.com; Path=/; HttpOnly; "
           . 'SameSite=Lax',
           "$_=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax") } qw(mtcp mtid)
], 'both cookies, of the host and of each domain above it, and no new one');
is($response->{headers}{'cache-control'}, 'no-store', 'nobody keeps that');

$response = http($port, 'POST', '/host/forget', body => 'ignored');
is_deeply([ cookies($response) ],
          [ '__Host-id=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax' ],
          'a cookie of the host alone');

for my $method (qw(GET HEAD PUT DELETE OPTIONS)) {
    $response = http($port, $method, '/forget');
    is($response->{status}, 405, "not by $method");
    is($response->{headers}{allow}, 'POST', 'but by POST');
    is(scalar(my @none = cookies($response)), 0, 'and nothing happens');
}

my %origins = (
    'http://localhost'      => [ 204, 204 ],
    'https://other.example' => [ 403, 204 ],
    'https://evil.example'  => [ 403, 403 ],
    'null'                  => [ 403, 403 ],
);

for my $origin (sort keys %origins) {
    my ($alone, $shared) = @{ $origins{$origin} };

    $response = http($port, 'POST', '/forget', body => '',
                     headers => [ Origin => $origin ]);
    is($response->{status}, $alone, "a page of $origin");
    is(scalar(my @gone = cookies($response)), $alone == 204 ? 2 : 0,
       'forgets or not');
    is(http($port, 'POST', '/shared/forget', body => '',
            headers => [ Origin => $origin ])->{status}, $shared,
       'also with a list');
}

my @preflight = ('Access-Control-Request-Method' => 'POST');

$response = http($port, 'OPTIONS', '/shared/forget', headers => [
    Origin => 'https://other.example', @preflight ]);
is($response->{status}, 204, 'a preflight');
is($response->{headers}{'access-control-allow-origin'},
   'https://other.example', 'is allowed');
is(http($port, 'OPTIONS', '/shared/forget', headers => [
    Origin => 'https://evil.example', @preflight ])->{status}, 403, 'or not');

my $h2 = curl('--http2-prior-knowledge', '-i', '-X', 'POST',
              'http://127.0.0.1:' . $t->port(8081) . '/forget');
is($h2->{status}, 204, 'HTTP/2');
is(scalar(() = $h2->{body} =~ /^set-cookie: mt(?:id|cp)=; Max-Age=0/mg), 2,
   'forgets as well');


# ---- configuration ----

my ($accepted, $output) = $t->nginx('', run => 0)->test_conf($t->fill(
    'server { listen 127.0.0.1:8090; location / { martech_forget; } }'));

ok(!$accepted, 'there must be something to forget');
like($output, qr/nothing to forget/, 'the message says so');

$t->expect(qr/\[emerg\]/);
$t->done();
