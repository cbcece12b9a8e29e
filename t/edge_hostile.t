#!/usr/bin/perl

# What somebody sends who means harm: each has its status, costs no memory
# that stays, and makes nobody else wait.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Compress::Zlib ();
use List::Util qw(max);
use MIME::Base64 qw(encode_base64url);
use Time::HiRes qw(time);

use Martech::Process;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

my $nginx = $t->nginx(<<'END');
    martech_redis   %%REDIS%%;
    large_client_header_buffers 4 64k;

    log_format  status  '$status $martech_verdict $request_length';

    server {
        listen 127.0.0.1:8080;

        location / {
            client_max_body_size 64m;
            martech_collect;
        }

        # as much as can be configured
        location /wide/ {
            client_max_body_size 64m;
            martech_limits batch=64m events=100000 tokens=4194304;
            martech_collect;
        }

        location /loose/ {
            client_max_body_size 64m;
            martech_limits batch=16m inflate_ratio=2000;
            martech_collect;
        }

        location /slow/ {
            client_body_timeout 400ms;
            access_log %%PREFIX%%/slow.log status;
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

my $port = $t->port(8080);

# ASan keeps what is freed, to find its use
my $GROWTH = ($t->{asan} ? 400 : 3) * 1024 * 1024;

# milliseconds that somebody else may wait, beside what the machine does
my $PATIENCE = $t->{asan} ? 5000 : 700;


# ---- somebody else ----

# asks again and again, and notes how long the longest answer took
sub bystander {
    my $file = $t->dir() . '/bystander';

    return ($file, Martech::Process->start(name => 'bystander', code => sub {
        my ($stop, $count, $longest) = (0, 0, 0);

        local $SIG{TERM} = sub { $stop = 1 };

        until ($stop) {
            my $start = time();
            my $response = post($port, '/v1/track',
                                { event => 'E', userId => 'u' });

            $longest = max($longest, time() - $start);
            $count++ if $response->{status} == 200;
            select undef, undef, undef, 0.01;
        }

        $t->file('bystander', "$count $longest");
    }));
}


# ---- bombs ----

# so many bytes of zeros as gzip, in members of 64 MB
sub bomb {
    my ($bytes) = @_;
    my $member = Compress::Zlib::memGzip("\0" x (64 << 20));

    return $member x ($bytes / (64 << 20));
}


my $bomb = bomb(10 << 30);
my $json_bomb = Compress::Zlib::memGzip('{"event":"' . 'x' x (64 << 20));
my @gzip = ('Content-Encoding' => 'gzip');

cmp_ok(length $bomb, '<', 12 << 20, '10 GB in a few MB');

my %body = (
    nested => '{"event":"E","userId":"u","properties":{"a":'
              . '[' x 10_000 . ']' x 10_000 . '}}',
    open => '{"a":' . '[' x 10_000,
    objects => '{"a":' x 10_000 . '1' . '}' x 10_000,
    surrogate => '{"event":"\ud800","userId":"u"}',
    swapped => '{"event":"\udc00\ud800","userId":"u"}',
    nul => "{\"event\":\"a\0b\",\"userId\":\"u\"}",
    behind => "{\"event\":\"E\",\"userId\":\"u\"}\0",
    escaped => '{"event":"E","userId":"u","properties":{"a":"\u0000"}}',
    escaped_name => '{"event":"E","userId":"u","properties":{"\u0000":1}}',
    escaped_id => '{"event":"E","userId":"u","messageId":"a\u0000b"}',
    twice => '{"event":"E","userId":"u","userId":"v"}',
    twice_written => '{"event":"E","userId":"u","user\u0049d":"v"}',
    twice_within => '{"event":"E","userId":"u","properties":{"a":1,"a":2}}',
    many => '{"batch":[' . join(',', ('{}') x 100_000) . ']}',
    none => '{"batch":[' . join(',', ('{}') x 2500) . ']}',
    many_good => '{"batch":['
        . join(',', ('{"type":"page","userId":"u"}') x 100_000) . ']}',
    long_number => '{"event":"E","userId":"u","properties":{"n":'
                   . '9' x 30_000 . '}}',
    commas => '[' . ',' x 100_000 . ']',
);

# [path, body, headers, status, code, name]
my @cases = (
    ['/wide/v1/batch', $bomb, \@gzip, '413 content_ratio', '10 GB of zeros'],
    ['/wide/v1/batch', $bomb, [], '413 content_ratio',
     '10 GB of zeros that do not say so'],
    ['/loose/v1/batch', $bomb, \@gzip, '413 body_size',
     '10 GB of zeros where any ratio will do'],
    ['/v1/batch', $bomb, \@gzip, '413 body_size', '10 GB of zeros, usually'],
    ['/v1/track', $json_bomb, \@gzip, '413 content_ratio', 'a bomb of JSON'],
    ['/wide/v1/batch', Compress::Zlib::memGzip($bomb), \@gzip,
     '413 content_ratio', 'a bomb in a bomb'],
    ['/v1/track', $body{nested}, [], '400 json_depth',
     '10,000 nested arrays'],
    ['/v1/track', Compress::Zlib::memGzip($body{nested}), \@gzip,
     '400 json_depth', '10,000 nested arrays as gzip'],
    ['/v1/track', $body{open}, [], '400 json_depth', '10,000 open arrays'],
    ['/v1/track', $body{objects}, [], '400 json_depth',
     '10,000 nested objects'],
    ['/v1/track', $body{surrogate}, [], '400 json_utf8', 'a lone surrogate'],
    ['/v1/track', $body{swapped}, [], '400 json_utf8', 'a swapped pair'],
    ['/v1/track', $body{nul}, [], '400 json_invalid', 'a NUL'],
    ['/v1/track', $body{behind}, [], '400 json_invalid', 'a NUL at the end'],
    ['/v1/track', $body{escaped}, [], '200 -', 'an escaped NUL in a value'],
    ['/v1/track', $body{escaped_name}, [], '400 json_invalid',
     'an escaped NUL in a name'],
    ['/v1/track', $body{escaped_id}, [], '400 message_id_invalid',
     'an escaped NUL in an id'],
    ['/v1/track', $body{twice}, [], '400 field_duplicate',
     'a member that stands twice'],
    ['/v1/track', $body{twice_written}, [], '400 field_duplicate',
     'one that is spelled in another way'],
    ['/v1/track', $body{twice_within}, [], '200 -',
     'a member of properties that stands twice'],
    ['/v1/batch', $body{many}, [], '400 batch_count', '100,000 events'],
    ['/v1/batch', $body{none}, [], '400 type_required',
     'as many events as may be, and none is one'],
    ['/wide/v1/batch', $body{many_good}, [], '413 batch_size',
     '100,000 events, more than there is room for'],
    ['/v1/track', $body{long_number}, [], '200 -', 'a number of 30 kB'],
    ['/v1/track', $body{commas}, [], '400 json_invalid', 'commas'],
);


sub attack {
    my ($case) = @_;
    my ($path, $body, $headers, $expected, $name) = @$case;
    my $response = post($port, $path, $body, headers => $headers);
    my $code = $response->{json}{code} // '-';

    return "$response->{status} $code";
}


my ($file, $bystander) = bystander();

for my $case (@cases) {
    is(attack($case), $case->[3], $case->[4]);
}

for my $name (qw(nested surrogate nul escaped_name)) {
    my $response = get($port, '/v1/pixel/track?data='
                       . encode_base64url($body{$name}));

    is($response->{status} . ' ' . $response->{headers}{'content-type'},
       '400 image/gif', "in an image: $name");
}


# ---- and again: nothing grows ----

# the allocator settles, too

attack($_) for @cases;

my $settled = $nginx->rss();
my $took = time();

for my $round (1 .. 3) {
    attack($_) for @cases;
}

$took = (time() - $took) / (3 * @cases);

cmp_ok($nginx->rss() - $settled, '<', $GROWTH,
       'the worker is as large as it was');
cmp_ok($took, '<', $PATIENCE / 1000, 'each is refused soon');


# ---- bodies that take their time ----

{
    my $head = "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
    my (@slow, @late);

    for (1 .. 100) {
        push @slow, Martech::Http->connect($port);
        $slow[-1]->send(sprintf $head, '/v1/track');
        push @late, Martech::Http->connect($port);
        $late[-1]->send(sprintf $head, '/slow/v1/track');
    }

    my $before = $nginx->rss();
    my $start = time();

    # a byte each, of all of them

    for my $second (1 .. 3) {
        $_->send('{') for @slow;
        select undef, undef, undef, 1 - (time() - $start - ($second - 1));
    }

    ok($slow[0]->silent(0.01), 'a byte a second is waited for');
    is(scalar(grep { $_->closed(5) } @late), 100,
       'but not longer than is configured');
    cmp_ok($nginx->rss() - $before, '<', $GROWTH,
           'who waits costs little memory');
    is(post($port, '/v1/track', { event => 'E', userId => 'u' })->{status},
       200, 'others are answered meanwhile');

    $_->close() for @slow, @late;

    ok(wait_until(sub {
        my @lines = split /\n/, Martech::Nginx::slurp($t->dir() . '/slow.log');

        return grep({ /^408 / } @lines) == 100;
    }, 10, 'all are logged'), 'the log says that they were too slow');
}


# ---- nobody has noticed ----

$bystander->stop('TERM', 10);

my ($count, $longest) = split ' ', Martech::Nginx::slurp($file);

cmp_ok($count, '>', 50, 'somebody else was answered all the time');
cmp_ok(1000 * $longest, '<', $PATIENCE, 'and never waited for long');

my $status = get($port, '/status')->{json};

is($status->{events_received}, $status->{events_stored}
   + $status->{events_rejected} + $status->{events_dropped},
   'every event is accounted for');
is($status->{requests_parked} + $status->{events_waiting}, 0,
   'nothing is left behind');

$t->done();
