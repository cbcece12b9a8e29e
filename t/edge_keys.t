#!/usr/bin/perl

# Who may send: write keys in header, query or body, and what a source's kind
# means for the events.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->define(KEYS => $t->file('keys', "file-key-1\nfile-key-2\n"));

$t->nginx(<<'END');
    martech_redis   %%REDIS%%;
    martech_source  website key=web-1 key=web-2 kind=client;
    martech_source  backend key=back kind=server;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }

        location /own/ {
            martech_source  shop key=shop-1 key_file=%%KEYS%%;
            martech_collect;
        }
    }
END

# a second one without any source
$t->nginx(<<'END');
    martech_redis  %%REDIS%%;

    server {
        listen 127.0.0.1:8082;

        location / {
            martech_collect;
        }
    }
END

my $port = $t->port(8080);
my %event = (event => 'Keys', userId => 'u');


# the source an event is stored for, or the refusal
sub source_of {
    my ($path, $payload, %arg) = @_;

    $redis->call('flushall');

    my $response = post($arg{port} // $port, $path, $payload, %arg);
    my ($event) = $redis->events();

    return $event ? $event->{src}
                  : "$response->{status} " . ($response->{json}{code} // '?');
}


is(source_of('/v1/t', \%event, key => 'web-1'), 'website',
   'a key as the user of Basic authentication');
is(source_of('/v1/t', \%event, key => 'web-2'), 'website',
   'a second key of the same source');
is(source_of('/v1/t', \%event, key => 'back'), 'backend',
   'a key of another source');
is(source_of('/v1/t', { %event, writeKey => 'web-1' }), 'website',
   'a key in the body');
is(source_of('/v1/t?writeKey=back', \%event), 'backend',
   'a key in the query');
is(source_of('/v1/t?a=b&writeKey=back', \%event), 'backend',
   'a key in a query of several arguments');
is(source_of('/v1/b', { writeKey => 'web-1',
                        batch => [{ type => 'track', %event }] }), 'website',
   'a key in a batch');
is(source_of('/v1/b', { batch => [{ type => 'track', writeKey => 'web-1',
                                    %event }] }), 'website',
   'a key in the events of a batch only');
is(source_of('/v1/t', { %event, writeKey => 'web-1' }, key => 'back'),
   'backend', 'the key of the header goes before that of the body');

is(source_of('/own/v1/t', \%event, key => 'shop-1'), 'shop',
   'a location with a source of its own');
is(source_of('/own/v1/t', \%event, key => 'file-key-2'), 'shop',
   'a key from a file');
is(source_of('/own/v1/t', \%event, key => 'web-1'), '401 key_unknown',
   'a location with its own source does not inherit others');

is(source_of('/v1/t', \%event, port => $t->port(8082)), 'default',
   'without sources no key is asked for');

# refusals

is(source_of('/v1/t', \%event), '401 key_missing', 'no key is refused');
is(source_of('/v1/t', \%event, key => 'nope'), '401 key_unknown',
   'a wrong key in the header is refused');
is(source_of('/v1/t?writeKey=nope', \%event), '401 key_unknown',
   'a wrong key in the query is refused');
is(source_of('/v1/t', { %event, writeKey => 'nope' }), '401 key_unknown',
   'a wrong key in the body is refused');
is(source_of('/v1/t', \%event, key => 'web-1x'), '401 key_unknown',
   'a longer key is not a key');
is(source_of('/v1/t', \%event, key => 'web'), '401 key_unknown',
   'the beginning of a key is not a key');
is(source_of('/v1/t', \%event, key => ''), '401 key_missing',
   'an empty key is no key');
is(source_of('/v1/t', \%event, headers => [
        Authorization => 'Basic ' . MIME::Base64::encode_base64('web-1', '')]),
   '401 key_missing', 'Basic credentials without a colon are none');
is(source_of('/v1/t', { %event, writeKey => 'web-1' }, key => 'nope'),
   '401 key_unknown', 'a wrong key in the header is not mended by the body');

my $response = post($port, '/v1/t', \%event);

like($response->{headers}{'www-authenticate'} // '', qr/^Basic /,
     'a refusal asks for Basic authentication');
is($response->{headers}{'content-type'}, 'application/problem+json',
   'a refusal has problem details');
unlike(post($port, '/v1/t', \%event, key => 'secret-nope')->{body},
       qr/secret-nope/, 'a refusal does not repeat the key');

# a wrong key in the header is refused before the body is read
{
    my $c = Martech::Http->connect($port);

    $c->send("POST /v1/t HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
             . 'Authorization: ' . basic('nope') . "\r\n\r\n");
    is($c->response()->{status}, 401, 'a wrong key is refused without a body');
}

# kinds

sub context_of {
    my (%arg) = @_;

    $redis->call('flushall');
    post($port, '/v1/t', { %event, %{ $arg{event} // {} } }, key => $arg{key},
         headers => ['User-Agent' => 'Tester/1']);

    return ($redis->events())[0]{event}{context};
}

my $context = context_of(key => 'web-1');

is($context->{ip}, '127.0.0.1', 'a client event gets the address');
is($context->{userAgent}, 'Tester/1', 'a client event gets the user agent');

$context = context_of(key => 'web-1',
                      event => { context => { ip => '10.0.0.1' } });
is($context->{ip}, '10.0.0.1', 'the sender\'s own address stays');

$context = context_of(key => 'back');
ok(!exists $context->{ip}, 'a server event gets no address');
ok(!exists $context->{userAgent}, 'a server event gets no user agent');

$t->done();
