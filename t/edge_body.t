#!/usr/bin/perl

# A body is the same body however it comes: in one piece, in a temporary file,
# chunked byte by byte, over HTTP/2, behind another request.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::H2;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->nginx(<<'END');
    martech_redis  %%REDIS%%;
    client_max_body_size 2m;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }

        location /small/ {
            client_body_buffer_size 1k;
            martech_collect;
        }

        location /file/ {
            client_body_in_file_only clean;
            martech_collect;
        }

        location /single/ {
            client_body_in_single_buffer on;
            martech_collect;
        }
    }

    server {
        listen 127.0.0.1:8081 http2;

        location / {
            martech_collect;
        }

        location /small/ {
            client_body_buffer_size 1k;
            martech_collect;
        }
    }
END

my $port = $t->port(8080);
my $number = 0;


# an event of about so many bytes, and its id
sub event {
    my ($size) = @_;
    my $id = 'body-' . ++$number;

    return ($id, to_json({ event => 'Body', userId => 'u', messageId => $id,
                           filler => 'x' x ($size // 10) }));
}


# true when the request is answered by 200 and this very event is stored
sub taken {
    my ($response, $id, $name) = @_;

    is($response->{status}, 200, "$name: answered") or diag($response->{body});
    ok((grep { $_->{id} eq $id } $redis->events(decode => 0)), "$name: stored");
}


# ---- memory and temporary files ----

for my $path ('', '/small', '/file', '/single') {
    for my $size (10, 2000, 20_000) {
        my ($id, $body) = event($size);

        taken(post($port, "$path/v1/track", $body), $id,
              "$size bytes to \"$path\"");
    }
}

for my $path ('', '/small', '/file') {
    my ($id, $body) = event(10);
    my @batch = map { { type => 'page', userId => 'u', messageId => "$id-$_",
                        filler => 'x' x 20_000 } } 1 .. 20;

    my $response = post($port, "$path/v1/batch", { batch => \@batch });

    is($response->{status}, 200, "400 kB to \"$path\"");
    is((grep { $_->{id} =~ /^$id-/ } $redis->events(decode => 0)), 20,
       "all events of 400 kB to \"$path\"");
}


# ---- chunked ----

sub chunked {
    my ($body, $size) = @_;

    return join('', map { sprintf "%x\r\n%s\r\n", length, $_ }
                    unpack "(a$size)*", $body) . "0\r\n\r\n";
}


for my $path ('', '/small', '/file') {
    for my $size (1, 7, 4000) {
        my ($id, $body) = event(3000);

        taken(http($port, 'POST', "$path/v1/track", length => 0,
                   headers => ['Transfer-Encoding' => 'chunked'],
                   body => chunked($body, $size)), $id,
              "chunks of $size bytes to \"$path\"");
    }
}

# each byte in a packet of its own
{
    my ($id, $body) = event(1);
    my $c = Martech::Http->connect($port);
    my $request = "POST /v1/track HTTP/1.1\r\nHost: x\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n" . chunked($body, 1);

    $c->send($_) for split //, $request;
    taken($c->response(), $id, 'byte by byte, chunked');
}

{
    my ($id, $body) = event(1);
    my $c = Martech::Http->connect($port);

    $c->send($_) for split //, post_bytes('/v1/track', $body);
    taken($c->response(), $id, 'byte by byte, with a length');
}

# header first, body later, in halves
for my $path ('', '/small', '/file') {
    my ($id, $body) = event(3000);
    my ($head) = post_bytes("$path/v1/track", $body) =~ /\A(.*?\r\n\r\n)/s;
    my $c = Martech::Http->connect($port);

    $c->send($head);
    ok($c->silent(0.05), 'nothing is answered before the body came');
    $c->send(substr $body, 0, 1500);
    ok($c->silent(0.05), 'nothing is answered before the whole body came');
    $c->send(substr $body, 1500);
    taken($c->response(), $id, "a body in pieces to \"$path\"");
}

# a client that gives up in the middle of its body
{
    my ($id, $body) = event(3000);
    my $c = Martech::Http->connect($port);

    $c->send(substr post_bytes('/v1/track', $body), 0, 1500);
    $c->close();
    ok(!(grep { $_->{id} eq $id } $redis->events(decode => 0)),
       'half a body stores nothing');
}


# ---- Expect ----

{
    my ($id, $body) = event(100);
    my ($head) = post_bytes('/v1/track', $body,
                            headers => [Expect => '100-continue'])
                 =~ /\A(.*?\r\n\r\n)/s;
    my $c = Martech::Http->connect($port);

    $c->send($head);
    is($c->response(interim => 1)->{status}, 100, 'the client may continue');
    $c->send($body);
    taken($c->response(), $id, 'a body that was announced');
}

{
    my $c = Martech::Http->connect($port);

    $c->send("POST /v1/none HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
             . "Expect: 100-continue\r\n\r\n");
    is($c->response(interim => 1)->{status}, 404,
       'a client is not told to continue for nothing');
}


# ---- keep-alive and pipelining ----

{
    my $c = Martech::Http->connect($port);
    my @answers;

    for (1 .. 20) {
        my ($id, $body) = event();

        $c->send(post_bytes('/v1/track', $body));
        push @answers, $c->response()->{status};
    }

    is("@answers", join(' ', (200) x 20), 'a connection is used again');
}

{
    my $c = Martech::Http->connect($port);
    my @events = map { [ event() ] } 1 .. 30;

    $c->send(join '', map { post_bytes('/v1/track', $_->[1]) } @events);

    my $answers = join ' ', map { $c->response()->{status} } @events;

    is($answers, join(' ', (200) x 30), 'pipelined requests are answered');

    my %stored = map { $_->{id} => 1 } $redis->events(decode => 0);

    is((grep { $stored{$_->[0]} } @events), 30, 'and stored');
}

{
    my $c = Martech::Http->connect($port);
    my ($id, $good) = event();

    $c->send(post_bytes('/v1/track', $good)
             . post_bytes('/v1/track', '{"event":"E"}')
             . post_bytes('/v1/nowhere', '{"event":"E"}')
             . post_bytes('/v1/track', $good));
    is(join(' ', map { $c->response()->{status} } 1 .. 2), '200 400',
       'pipelined answers keep their order');
}


# ---- HTTP/2 ----

my $h2 = 'http://127.0.0.1:' . $t->port(8081);

for my $path ('', '/small') {
    for my $size (10, 20_000) {
        my ($id, $body) = event($size);
        my $file = $t->file('h2-body', $body);
        my $response = curl('--http2-prior-knowledge', "$h2$path/v1/track",
            '-H', 'Content-Type: application/json', '--data-binary', "\@$file");

        is($response->{version}, '2', 'HTTP/2 is spoken');
        taken($response, $id, "HTTP/2, $size bytes to \"$path\"");

        ($id, $body) = event($size);
        $t->file('h2-body', $body);

        # from a pipe curl knows no length
        $response = curl('--http2-prior-knowledge', "$h2$path/v1/track",
            '-H', 'Content-Type: application/json', '-X', 'POST',
            '-H', 'Content-Length:', '-T', $file);
        taken($response, $id, "HTTP/2 without length, $size bytes");
    }
}

{
    my $c = Martech::H2->connect($t->port(8081));
    my @events = map { [ event() ] } 1 .. 30;
    my @streams = map { $c->post('/v1/track', $_->[1]) } @events;
    my @statuses = map { $c->status($_) } @streams;
    my %stored = map { $_->{id} => 1 } $redis->events(decode => 0);

    is("@statuses", join(' ', (200) x 30), 'streams of one connection');
    is((grep { $stored{$_->[0]} } @events), 30, 'and all are stored');
}

{
    my $c = Martech::H2->connect($t->port(8081));
    my ($id, $body) = event(200);
    my $stream = $c->open('/v1/track');

    $c->data($stream, $_) for split //, $body;
    $c->data($stream, '', 1);
    is($c->status($stream), 200, 'HTTP/2, frames of one byte');
    ok((grep { $_->{id} eq $id } $redis->events(decode => 0)),
       'and it is stored');
}

{
    my $c = Martech::H2->connect($t->port(8081));
    my ($id, $body) = event(200);
    my $stream = $c->open('/v1/track');

    $c->data($stream, substr $body, 0, 100);
    $c->reset($stream);

    my ($next, $good) = event();

    is($c->status($c->post('/v1/track', $good)), 200,
       'a stream after one that was reset');
    ok(!(grep { $_->{id} eq $id } $redis->events(decode => 0)),
       'half a stream stores nothing');
}

is(curl('--http2-prior-knowledge', "$h2/v1/track", '-d', '{"event":"E"}')
   ->{status}, 400, 'HTTP/2 gets refusals, too');

$t->done();
