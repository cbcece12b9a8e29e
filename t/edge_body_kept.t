#!/usr/bin/perl

# Collecting reads the body and leaves it as it was: what comes after, a mirror
# or the location of an error_page, gets every byte of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $backup = $t->receiver();

$t->define(BACKUP => '127.0.0.1:' . $backup->port());

my $nginx = $t->nginx(<<'END');
    martech_redis  %%REDIS%% timeout=500ms;

    server {
        listen 127.0.0.1:8080;
        error_page 400 503 = @backup;
        mirror_request_body on;

        location /memory/ {
            client_body_buffer_size 64k;
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

        location /mirrored-memory/ {
            client_body_buffer_size 64k;
            mirror /copy;
            martech_collect;
        }

        location /mirrored-small/ {
            client_body_buffer_size 1k;
            mirror /copy;
            martech_collect;
        }

        location /mirrored-file/ {
            client_body_in_file_only clean;
            mirror /copy;
            martech_collect;
        }

        location = /copy {
            internal;
            proxy_pass http://%%BACKUP%%;
        }

        location @backup {
            proxy_pass http://%%BACKUP%%;
        }

        location = /status {
            martech_status;
        }
    }
END

my $port = $t->port(8080);
my $number = 0;

# where the body lies
my %place = (memory => 'in memory', small => 'in a temporary file',
             file => 'in a file only');


sub status { get($port, '/status')->{json} }


# An event of 20 kB whose bytes differ, so that a shifted body is seen.
sub event {
    my (%more) = @_;
    my $id = 'kept-' . ++$number;

    return ($id, to_json({
        event => 'E', messageId => $id, %more,
        filler => join(' ', map { "$id.$_" } 1 .. 2000),
    }));
}


# The body that came to the backup with this id at this path, or "".
sub arrived {
    my ($id, $path) = @_;
    my $find = sub {
        my ($request) = grep {
            $_->{body} =~ /"\Q$id\E"/ && (!$path || $_->{path} eq $path)
        } $backup->requests();

        return $request;
    };

    my $request = becomes($find, 5);

    return $request ? $request->{body} : '';
}


sub stored {
    my ($id) = @_;

    return scalar grep { $_->{id} eq $id } $redis->events(decode => 0);
}


# Two long strings, without a diagnosis of 40 kB.
sub same {
    my ($got, $wanted, $name) = @_;

    ok($got eq $wanted, $name)
        or diag('got ' . length($got) . ' bytes, not ' . length $wanted);
}


sub chunked {
    my ($body) = @_;

    return join('', map { sprintf "%x\r\n%s\r\n", length, $_ }
                    unpack '(a3000)*', $body) . "0\r\n\r\n";
}


wait_until(sub { status()->{redis_ready} == 1 }, 10, 'redis is ready');


# ---- a mirror ----

for my $place (sort keys %place) {
    my $path = "/mirrored-$place/v1/track";
    my ($id, $body) = event(userId => 'u');

    is(post($port, $path, $body)->{status}, 200,
       "a mirrored event $place{$place} is taken");
    is(stored($id), 1, "a mirrored event $place{$place} is stored once");
    same(arrived($id, '/copy'), $body,
         "the mirror gets the whole body $place{$place}");

    ($id, $body) = event(userId => 'u');

    is(http($port, 'POST', $path, length => 0, body => chunked($body),
            headers => ['Transfer-Encoding' => 'chunked'])->{status}, 200,
       "a mirrored event in chunks $place{$place} is taken");
    is(stored($id), 1,
       "a mirrored event in chunks $place{$place} is stored once");
    same(arrived($id, '/copy'), $body,
         "the mirror gets all chunks of a body $place{$place}");
}


# ---- the location of an error_page, after every event was rejected ----

for my $place (sort keys %place) {
    my ($id, $body) = event();

    is(post($port, "/$place/v1/track", $body)->{status}, 200,
       "a rejected event $place{$place} is answered by the backup");
    same(arrived($id), $body,
         "the backup gets the whole body $place{$place}");
}

{
    my ($id, $body) = event();

    is(post($port, '/mirrored-small/v1/track', $body)->{status}, 200,
       'a rejected event with a mirror is answered by the backup');
    same(arrived($id, '/copy'), $body, 'the mirror gets the whole body');
    same(arrived($id, '/mirrored-small/v1/track'), $body,
         'and so does the backup');
}


# ---- the location of an error_page, after a wait in vain ----

{
    $redis->freeze();

    my @waiting;

    for my $place (sort keys %place) {
        my ($id, $body) = event(userId => 'u');
        my $c = Martech::Http->connect($port);

        $c->send(post_bytes("/$place/v1/track", $body));
        push @waiting, [$c, $id, $body, $place];
    }

    wait_until(sub { status()->{requests_parked} == @waiting }, 5,
               'the requests wait for redis');

    for (@waiting) {
        my ($c, $id, $body, $place) = @$_;

        is($c->response()->{status}, 200,
           "an event $place{$place} that waited is answered by the backup");
        same(arrived($id), $body,
             "the backup gets the whole body $place{$place} after the wait");
    }
}


# ---- the location of an error_page, before the body was read ----

{
    # none waits any more when redis has been away for the timeout
    wait_until(sub {
        my $waits = status()->{acks};

        post($port, '/memory/v1/track', (event(userId => 'u'))[1]);
        status()->{acks} == $waits;
    }, 5, 'events are refused at once');

    for my $place (sort keys %place) {
        my ($id, $body) = event(userId => 'u');

        is(post($port, "/$place/v1/track", $body)->{status}, 200,
           "an event $place{$place} refused at once is answered by the backup");
        same(arrived($id), $body,
             "the backup gets the whole body $place{$place} that nobody read");
    }

    $redis->thaw();
}


# ---- nothing is left behind ----

is((grep { -f } glob $nginx->dir() . '/client_body/*'), 0,
   'no temporary file stays');

$t->done();
