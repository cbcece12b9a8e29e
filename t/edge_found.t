#!/usr/bin/perl

# Corners in which something once went wrong: a batch that keeps the worker
# busy, a secret in the log, a count that does not add up, a limit that does
# not hold.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::H2;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

my $nginx = $t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=10s;

    log_format  verdict  '$martech_message_id $martech_verdict $martech_events';

    server {
        listen 127.0.0.1:8080;
        access_log %%PREFIX%%/access.log verdict;

        location / {
            martech_collect;
        }

        location /memory/ {
            martech_ack memory;
            martech_collect;
        }

        location /few/ {
            martech_limits tokens=64;
            martech_collect;
        }

        location /text/ {
            martech_limits event=128k string=64k;
            martech_collect;
        }

        location /keys/ {
            martech_source website key=a/b;
            martech_collect;
        }

        location /denied/ {
            martech_source website key=wk;
            deny all;
            martech_collect;
        }

        location = /status {
            access_log off;
            martech_status;
        }
    }

    server {
        listen 127.0.0.1:8081;
        recursive_error_pages on;
        access_log %%PREFIX%%/access.log verdict;

        location / {
            error_page 400 = @second;
            martech_collect;
        }

        location /chain/ {
            error_page 400 = @first;
            martech_collect;
        }

        location @first {
            error_page 400 = @second;
            martech_collect;
        }

        location @second {
            martech_collect;
        }
    }

    server {
        listen 127.0.0.1:8082 http2;
        access_log %%PREFIX%%/access.log verdict;

        location / {
            martech_collect;
        }
    }
END

my $port = $t->port(8080);
my %event = (event => 'E', userId => 'u');


sub status { get($_[0] // $port, '/status')->{json} }

sub waits_for {
    my ($name, $count, $to) = @_;

    wait_until(sub { status($to)->{$name} == $count }, 10, "$name is $count");
}


# line of the access log about this messageId, without it
sub logged {
    my ($id) = @_;

    return becomes(sub {
        Martech::Nginx::slurp($t->dir() . '/access.log') =~ /^\Q$id\E (.*)$/m
            ? $1 : '';
    }, 5);
}


# the entry of this messageId
sub entry {
    my ($id) = @_;

    return (grep { $_->{id} eq $id } $redis->events())[0];
}


waits_for(redis_ready => 1);


# ---- a batch that is costly to merge ----

{
    # 64 names that differ in one escape, each 80 escapes long
    my %name = map {
        my @letters = ('A') x 80;

        $letters[$_] = 'B';
        join('', @letters) => join('', map { sprintf '\u%04x', ord } @letters);
    } 0 .. 63;
    my $context = join ',', map { "\"$name{$_}\":1" } sort keys %name;
    my $own = join ',', ('"":1') x 6200;
    my $events = join ',', map {
        "{\"type\":\"page\",\"userId\":\"u\",\"messageId\":\"merged-$_\","
        . "\"context\":{$own}}"
    } 1 .. 14;
    my $batch = Martech::Http->connect($port);
    my $other = Martech::Http->connect($port);

    $batch->send(post_bytes('/v1/batch',
                            "{\"context\":{$context},\"batch\":[$events]}"));
    $other->send(post_bytes('/v1/track', \%event));

    is($other->response(limit => 1)->{status}, 200,
       'a batch of long escaped names does not hold up other requests');
    is($batch->response()->{status}, 200, 'and is taken itself');

    my @merged = grep { $_->{id} =~ /^merged-/ } $redis->events();

    is(@merged, 14, 'each of its events is stored');
    is((grep {
        my $got = $_->{event}{context};

        grep { ($got->{$_} // 0) != 1 } '', keys %name;
    } @merged), 0, 'with the names of the batch and its own');
}


# ---- the time of sending of a batch ----

for (['[' . join(',', ('"when"') x 5000) . ']', 'sent-array', 'an array'],
     ['{"when":"2026-01-01T00:00:00Z"}', 'sent-object', 'an object'])
{
    my ($value, $id, $what) = @$_;

    is(post($port, '/v1/batch', "{\"sentAt\":$value,\"batch\":["
            . "{\"type\":\"page\",\"userId\":\"u\",\"messageId\":\"$id\"}]}")
       ->{status}, 200, "a batch whose sentAt is $what is taken");

    my $entry = entry($id);

    ok(!exists $entry->{event}{sentAt} && $entry->{e} !~ /when/,
       "a sentAt that is $what is not copied into its events");
}


# ---- limits ----

{
    my $values = sub {
        my ($count) = @_;

        return { %event, p => [ (0) x $count ] };
    };

    is(post($port, '/v1/track', $values->(10_000))->{status}, 200,
       'a body of 10,000 values is taken where that is allowed');
    is(post($port, '/few/v1/track', $values->(60))->{status}, 200,
       'a body of 64 values is taken where 64 are allowed');

    my $response = post($port, '/few/v1/track', $values->(61));

    is($response->{status} . ' ' . ($response->{json}{code} // ''),
       '400 json_tokens',
       'a body of 65 values is not, although another location took more');
}

{
    my $response = post($port, '/text/v1/track', { %event, p => 'x' x 65_536 });

    is($response->{status}, 200, 'a string of the configured size is taken');

    $response = post($port, '/text/v1/track', { %event, p => 'x' x 65_537 });
    is($response->{status} . ' ' . ($response->{json}{code} // ''),
       '400 json_string_size', 'a longer one is not');
}

{
    my $other = $t->nginx('', run => 0);

    for my $limit ('string=64k', 'string=256', 'string=16m') {
        my ($accepted, $output) = $other->test_conf($t->fill(
            "martech_redis %%REDIS%%; martech_limits $limit;"));

        ok($accepted, "accepted: $limit") or diag($output);
    }
}


# ---- keys ----

for (['/keys/v1/track', '{"event":"E","userId":"u","writeKey":"a\/b"}',
      'in an event'],
     ['/keys/v1/batch', '{"writeKey":"\u0061\/b","batch":['
      . '{"type":"page","userId":"u"}]}', 'in a batch'],
     ['/keys/v1/batch', '{"batch":['
      . '{"type":"page","userId":"u","writeKey":"a\/b"}]}',
      'in the first event of a batch'])
{
    my ($path, $body, $where) = @$_;

    is(post($port, $path, $body)->{status}, 200,
       "a key that is written with escapes $where is known");
}

is(post($port, '/keys/v1/track',
        '{"event":"E","userId":"u","writeKey":"a\\\\/b"}')->{status}, 401,
   'an escaped backslash is one of the key');

{
    my @answers = map {
        [$_->{status}, $_->{body}, sort keys %{ $_->{headers} }]
    }
        post($port, '/denied/v1/track', \%event, key => 'wk'),
        post($port, '/denied/v1/track', \%event, key => 'nope'),
        post($port, '/denied/v1/track', \%event),
        post($port, '/denied/v1/none', \%event, key => 'wk');

    is(join(' ', map { $_->[0] } @answers), '403 403 403 403',
       'a denied address is refused whatever its key and path');
    is((grep { "@$_" ne "@{ $answers[0] }" } @answers), 0,
       'in the same words');
    is(get($port, '/denied/v1/track')->{status}, 403,
       'a denied address is refused whatever its method');
}


# ---- error pages in a row ----

for my $path ('', '/chain') {
    my $id = "rejected$path";
    my $before = status();
    my $response = post($t->port(8081), "$path/v1/track",
                     { event => 'E', messageId => $id });
    my $what = ($path ? 'three' : 'two') . ' collecting locations';

    is($response->{status}, 400,
       "an event that goes through $what is refused");
    is(logged($id), 'rejected 1', "$what: the log tells the verdict on it");

    my $after = status();

    is(join(' ', map { "$_=" . ($after->{$_} - $before->{$_}) }
            qw(requests events_received events_rejected)),
       'requests=1 events_received=1 events_rejected=1',
       "$what: it is counted once");
    is($after->{rejected}{no_user_anon_id}
       - ($before->{rejected}{no_user_anon_id} // 0), 1,
       "$what: so is its reason");
    is_deeply($after->{refused}, $before->{refused},
              "$what: nothing is counted as refused");
}


# ---- clients that leave while they wait ----

{
    $redis->freeze();

    my $reset = Martech::Http->connect($port);
    my $stream = Martech::H2->connect($t->port(8082));

    $reset->send(post_bytes('/v1/track', { %event, messageId => 'reset' }));

    my $number = $stream->post('/v1/track',
                            to_json({ %event, messageId => 'stream' }));

    waits_for(requests_parked => 2);
    $reset->abort();
    $stream->reset($number);

    # the next answers come after the worker has seen both
    status() for 1 .. 3;
    $redis->thaw();
    waits_for(requests_parked => 0);

    is(logged('reset'), 'stored 1',
       'a client that left does not change the verdict');
    is(logged('stream'), 'stored 1',
       'nor does an HTTP/2 stream that was reset');
    ok(entry('reset') && entry('stream'), 'their events are stored');
}

# NGINX cuts the connections in the order in which they were made, so the
# client comes before Redis
{
    $redis->kill_now();

    my $edge = $t->nginx(<<'END', main => 'worker_shutdown_timeout 300ms;');
    martech_redis  %%REDIS%% timeout=10s;

    log_format  verdict  '$martech_message_id $martech_verdict $martech_events';

    server {
        listen 127.0.0.1:8088;
        access_log %%PREFIX%%/access.log verdict;

        location / {
            martech_collect;
        }

        location = /status {
            access_log off;
            martech_status;
        }
    }
END

    my $to = $t->port(8088);
    my $c = Martech::Http->connect($to);

    $c->send(Martech::Http::request_bytes('GET', '/status'));
    is($c->response()->{json}{redis_ready}, 0, 'a client is there first');
    $redis->start();
    waits_for(redis_ready => 1, $to);
    $redis->freeze();
    $c->send(post_bytes('/v1/track', { %event, messageId => 'cut' }));
    waits_for(requests_parked => 1, $to);
    ok($edge->stop(5), 'a worker leaves at its shutdown timeout');
    is(logged('cut'), 'pending 1',
       'the verdict on a client that was cut off then is pending');
    $redis->thaw();
    waits_for(redis_ready => 1);
}


# ---- what the status tells during an outage ----

{
    waits_for(events_waiting => 0);
    $redis->freeze();

    my $parked = Martech::Http->connect($port);

    $parked->send(post_bytes('/v1/track', \%event));
    waits_for(requests_parked => 1);
    is(post($port, '/memory/v1/track', \%event)->{status}, 200,
       'an event is acknowledged from memory during an outage');

    my $status = status();

    is($status->{events_waiting}, 2,
       'the events of a request that waits and of one that does not are told');
    cmp_ok($status->{buffer_bytes}, '>', 0, 'and that they take memory');

    $redis->kill_now();
    waits_for(redis_ready => 0);
    is(status()->{events_waiting}, 2,
       'they are told without a connection, too');

    is(post($port, '/memory/v1/track', \%event)->{status}, 200,
       'another one is acknowledged without a connection');
    $status = status();
    is($status->{events_waiting}, 3, 'it is told at once');
    is($status->{events_received}, $status->{events_stored}
       + $status->{events_rejected} + $status->{events_dropped}
       + $status->{events_waiting}, 'every event is accounted for');

    $redis->start();
    is($parked->response()->{status}, 200, 'the request is answered after it');
    waits_for(events_waiting => 0);
}


# ---- a worker that is killed while events wait ----

{
    waits_for(redis_ready => 1);
    $redis->freeze();

    my $parked = Martech::Http->connect($port);

    $parked->send(post_bytes('/v1/track', \%event));
    waits_for(requests_parked => 1);
    post($port, '/memory/v1/track', \%event) for 1 .. 3;
    waits_for(events_waiting => 4);

    my $before = status();

    $t->expect(qr/exited on signal 9/);
    $nginx->kill_worker();

    my $status;
    my $closes = sub {
        $status = status();

        return $status->{workers} == 1 && $status->{events_received}
            == $status->{events_stored} + $status->{events_rejected}
               + $status->{events_dropped} + $status->{events_waiting};
    };

    ok(becomes($closes, 5),
       'events that died with their worker are accounted for');
    is($status->{events_received}, $before->{events_received},
       'as events that were received');
    is($status->{events_dropped} - $before->{events_dropped}, 4,
       'and are not available');
    is("$status->{events_waiting} $status->{requests_parked}", '0 0',
       'nothing waits for a dead worker');

    $redis->thaw();
    waits_for(redis_ready => 1);
    is(post($port, '/v1/track', \%event)->{status}, 200,
       'the next worker stores events');
    ok(becomes($closes, 5), 'and the account stays closed');
}


# ---- room after a refused batch ----

{
    my $edge = $t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=10s;
    martech_buffer  1m;

    server {
        listen 127.0.0.1:8083;

        location / {
            martech_collect;
        }

        location /memory/ {
            martech_ack memory;
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

    my $to = $t->port(8083);
    my $filler = 'x' x 25_000;
    my $batches = 0;

    my $batch = sub {
        my ($path) = @_;

        $batches++;

        return post($to, "$path/v1/batch", { batch => [ map { {
            type => 'page', userId => "u$_", filler => $filler,
            messageId => "room-$batches-$_",
        } } 1 .. 11 ] })->{status};
    };

    waits_for(redis_ready => 1, $to);
    $redis->freeze();

    is(join(' ', map { $batch->('/memory') } 1 .. 2), '200 200',
       'two batches of 275 kB fit into a buffer of 1 MB');

    my $full = status($to)->{buffer_bytes};

    is(join(' ', map { $batch->($_) } '/memory', '', '/memory'), '503 503 503',
       'a third does not');

    my $status = status($to);

    is($status->{events_waiting}, 22, 'nothing of it stays in the buffer');
    is($status->{buffer_bytes}, $full, 'and it takes no room');

    my $single = 0;

    while ($single < 20) {
        last if post($to, '/memory/v1/page', {
            userId => 'u', messageId => "room-single-$single",
            filler => $filler })->{status} != 200;
        $single++;
    }

    cmp_ok($single, '>=', 9,
           'the room that is left is there for single events');
    cmp_ok($single, '<=', 16, 'up to the size of the buffer');

    $redis->thaw();
    waits_for(events_waiting => 0, $to);

    my %stored;

    for ($redis->events(decode => 0)) {
        $stored{$1}++ if $_->{id} =~ /^room-(\w+)-/;
    }

    is_deeply(\%stored, { 1 => 11, 2 => 11, single => $single },
              'what was acknowledged is stored, and nothing else');
}


# ---- the password, and a server without AUTH ----

{
    my $bare = $t->redis(options => ['--rename-command', 'AUTH', '']);

    $t->define(BARE => 'unix:' . $bare->socket(),
               PASSWORD => $t->file('password', "S3cret.pass\n"));

    for (['8084', '', 'a password'], ['8085', 'user=edge', 'a user']) {
        my ($listen, $user, $what) = @$_;
        my $edge = $t->nginx(<<"END");
    martech_redis  %%BARE%% $user password_file=%%PASSWORD%%;

    server {
        listen 127.0.0.1:$listen;

        location / {
            martech_collect;
        }
    }
END

        ok(becomes(sub {
            $edge->logged(qr/refuses us: ERR unknown command/) > 2;
        }, 5), "a server that does not know $what: the log says so");
        is($edge->logged(qr/\[error\].*refuses us/), 1,
           "a server that does not know $what: as an error once");
        unlike($edge->log_text(), qr/S3cret/,
               "a server that does not know $what: the log keeps the secret");
    }
}


# ---- nobody listens ----

{
    my $edge = $t->nginx(<<'END');
    martech_redis  127.0.0.1:8087;

    server {
        listen 127.0.0.1:8086;

        location / {
            martech_collect;
        }
    }
END

    ok(becomes(sub { $edge->logged(qr/cannot connect/) > 2 }, 5),
       'a refused connection is tried again');
    is($edge->logged(qr/\[error\].*cannot connect.*refused/), 1,
       'it is logged as an error once, with its cause');
    is($edge->logged(qr/\[error\]/), 1, 'and in one line');
    is($edge->logged(qr/connection lost|cannot send/), 0,
       'it is not called a connection that was lost');
}

$t->done();
