#!/usr/bin/perl

# What a location speaks: dialects are chosen by path and method, bodies are
# decompressed in all forms that senders use, and each is answered as its
# senders expect.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Compress::Zlib ();
use MIME::Base64 qw(encode_base64 encode_base64url);

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

# of the others whatever there is; two of them in a location want both
my @others = grep { $_ ne 'segment' }
    map { m{martech_dialect_([a-z0-9]+)\.c$} ? $1 : () }
    grep { Martech::Nginx::slurp($_) =~ /^const martech_dialect_t /m }
    glob $t->root() . '/martech/martech_dialect_*.c';

my $all = join ' ', 'segment', @others;

my $nginx = $t->nginx(<<"END");
    martech_redis   %%REDIS%%;
    martech_source  website key=wk;
    client_max_body_size 4m;

    log_format  verdict  '\$martech_verdict';

    server {
        listen 127.0.0.1:8080;
        access_log %%PREFIX%%/access.log verdict;

        location / {
            martech_collect;
        }

        location /collect/ {
            martech_dialect segment;
            martech_collect;
        }

        location /bare {
            martech_collect;
        }

        location /all/ {
            martech_dialect $all;
            martech_collect;
        }

        location = /exact/deep/v1/track {
            martech_collect;
        }

        location ~ ^/regex/ {
            martech_collect;
        }

        location /small/ {
            martech_limits batch=10k;
            martech_collect;
        }

        location /ratio/ {
            martech_limits inflate_ratio=10;
            martech_collect;
        }

        location /page/ {
            error_page 401 = /other;
            martech_collect;
        }

        location = /other {
            return 402;
        }

        location = /status {
            martech_status;
        }

        location = /metrics {
            martech_status prometheus;
        }
    }
END

$t->expect(qr/\[emerg\]/);

my $port = $t->port(8080);
my $number = 0;


sub status { get($port, '/status')->{json} }


# an event and its id
sub event {
    my (%more) = @_;
    my $id = 'dialect-' . ++$number;

    return ($id, { event => 'E', userId => 'u', messageId => $id, %more });
}


sub stored {
    my ($id) = @_;
    my ($found) = grep { $_->{id} eq $id } $redis->events();

    return $found;
}


sub taken {
    my ($response, $id, $name) = @_;

    is($response->{status}, 200, "$name: answered") or diag($response->{body});
    ok(stored($id), "$name: stored");
}


sub refused {
    my ($response, $status, $code, $name) = @_;

    is($response->{status}, $status, "$name: status");
    is($response->{json}{code}, $code, "$name: code");
}


sub is_image {
    my ($response, $name) = @_;

    is($response->{headers}{'content-type'}, 'image/gif', "$name: an image");
    like($response->{body}, qr/\AGIF89a.*;\z/s, "$name: its bytes");
    like($response->{headers}{'cache-control'}, qr/no-store/,
         "$name: not to be cached");
}


# ---- the directive ----

sub conf {
    my ($directives) = @_;

    return $nginx->test_conf($t->fill("martech_redis %%REDIS%%; server { "
        . "listen 127.0.0.1:8089; location / { martech_collect; "
        . "$directives } }"));
}


for my $case (
    ['martech_dialect nonsense;',
     qr/unknown dialect "nonsense", there are segment/, 'an unknown name'],
    ['martech_dialect segment segment;', qr/"segment".* set already/,
     'a name twice'],
    ['martech_dialect segment; martech_dialect segment;',
     qr/"segment".* set already/, 'a name in two directives'],
    ['martech_dialect segment post_path=/x;',
     qr{"post_path=/x", an option follows}, 'an option that it has not'],
    ['martech_dialect redirect=a.example;', qr/an option follows/,
     'an option without a name'],
    ['martech_dialect;', qr/invalid number of arguments/, 'nothing'],
    ['martech_limits inflate_ratio=0;', qr/inflate_ratio must be 1 to 2000/,
     'a ratio of nothing'],
) {
    my ($directives, $says, $name) = @$case;
    my ($accepted, $output) = conf($directives);

    ok(!$accepted, "$name is refused");
    like($output, $says, "$name: the message");
}

for my $directives ('martech_dialect segment;', "martech_dialect $all;",
                    'martech_limits inflate_ratio=2000;',
                    join '', map { "martech_dialect $_; " } split / /, $all)
{
    my ($accepted, $output) = conf($directives);

    ok($accepted, "accepted: $directives") or diag($output);
}

SKIP: {
    skip 'no dialect with a path', 10
        unless grep { $_ eq 'snowplow' } @others;

    for my $case (
        ['post_path=x', qr/a path begins with/, 'a path without a slash'],
        ['post_path=/', qr/a path begins with/, 'a path of nothing'],
        ['redirect=*.com', qr/must be a host/, 'a whole top level'],
        ['redirect=https://a.example', qr/must be a host/, 'a URL as a host'],
        ['redirect_key_file=/nowhere/key', qr/No such file/, 'a missing file'],
    ) {
        my ($option, $says, $name) = @$case;
        my ($accepted, $output) = conf("martech_dialect snowplow $option;");

        ok(!$accepted, "$name is refused");
        like($output, $says, "$name: the message");
    }
}


# ---- where a path begins ----

for my $place ('', '/collect', '/bare', '/all', '/exact/deep', '/regex',
               '/regex/a/b')
{
    my ($id, $event) = event();

    taken(post($port, "$place/v1/track", $event, key => 'wk'), $id,
          "a path behind \"$place\"");
}

for my $path ('/collect/x/v1/track', '/collect/v1', '/collect/',
              '/barex/v1/track', '/regex/v1/tracks', '/collect/v1/track/')
{
    refused(post($port, $path, {}, key => 'wk'), 404, 'path', $path);
}


# ---- methods ----

for my $case (['GET', '/v1/track', 'POST'], ['PUT', '/v1/batch', 'POST'],
              ['HEAD', '/v1/b', 'POST'], ['PATCH', '/v1/m', 'POST'],
              ['POST', '/v1/pixel/track', 'GET'],
              ['DELETE', '/v1/projects/wk/settings', 'GET, HEAD'])
{
    my ($method, $path, $allowed) = @$case;
    my $response = http($port, $method, $path);

    is($response->{status}, 405, "$method $path is refused");
    is($response->{headers}{allow}, $allowed, "$method $path: allowed");
}


# ---- compressed bodies ----

sub deflated {
    my ($bytes, $bits) = @_;
    my ($d) = Compress::Zlib::deflateInit(-WindowBits => $bits);
    my ($one) = $d->deflate($bytes);
    my ($two) = $d->flush();

    return $one . $two;
}


my %FORM = (
    gzip => sub { Compress::Zlib::memGzip($_[0]) },
    zlib => sub { deflated($_[0], 15) },
    raw => sub { deflated($_[0], -15) },
    joined => sub {
        my $half = length($_[0]) / 2;
        join '', map { Compress::Zlib::memGzip($_) }
            substr($_[0], 0, $half), '', substr($_[0], $half);
    },
);

# [Content-Encoding, form, Content-Type, name]
my @forms = (
    ['gzip', 'gzip', 'application/json', 'gzip'],
    ['GZIP', 'gzip', 'application/json', 'gzip in capitals'],
    ['x-gzip', 'gzip', 'text/plain', 'x-gzip'],
    ['deflate', 'zlib', 'application/json', 'deflate as zlib'],
    ['deflate', 'raw', 'application/json', 'deflate as it stands'],
    [undef, 'gzip', 'text/plain', 'gzip that does not say so'],
    ['identity', 'gzip', 'application/octet-stream', 'gzip that denies it'],
    ['gzip', 'gzip', 'application/x-www-form-urlencoded',
     'gzip that calls itself a form'],
    ['gzip', 'joined', 'application/json', 'members in a row'],
);

my @fillers = map { join '', map { chr 93 + rand 30 } 1 .. 20_000 } 1 .. 15;

for my $size (10, 60_000) {
    for my $form (@forms) {
        my ($encoding, $kind, $type, $name) = @$form;
        my ($id, $event) = event();

        my @batch = map { { type => 'track', event => 'E', userId => 'u',
                            filler => $fillers[$_ - 1] } }
            1 .. $size / 20_000;
        my $body = $FORM{$kind}->(to_json(
            { batch => [{ type => 'track', %$event }, @batch] }));

        taken(post($port, '/v1/batch', $body, key => 'wk', type => $type,
                   headers => [$encoding ? ('Content-Encoding' => $encoding)
                                         : ()]),
              $id, "$name, from $size bytes");
    }
}

{
    my ($id, $event) = event();
    my $body = $FORM{gzip}->(to_json($event));
    my $chunks = join('', map { "1\r\n$_\r\n" } split //, $body) . "0\r\n\r\n";

    taken(http($port, 'POST', '/v1/track', length => 0, key => 'wk',
               headers => ['Transfer-Encoding' => 'chunked',
                           'Content-Encoding' => 'gzip'], body => $chunks),
          $id, 'gzip in chunks of one byte');
}

my ($lost, $whole) = event();
my $json = to_json($whole);
my $gzip = $FORM{gzip}->($json);
my $wrong_sum = $gzip;

substr $wrong_sum, -8, 1, chr(ord(substr $wrong_sum, -8, 1) ^ 1);

for my $case (
    ['gzip', substr($gzip, 0, -1), 'gzip that lacks a byte'],
    ['gzip', substr($gzip, 0, 12), 'gzip that is cut off'],
    ['gzip', substr($gzip, 0, 2), 'two bytes of gzip'],
    [undef, substr($gzip, 0, -4), 'unsaid gzip that is cut off'],
    ['gzip', $wrong_sum, 'gzip with a wrong sum'],
    ['gzip', "${gzip}x", 'gzip with something behind it'],
    ['gzip', $gzip . substr($gzip, 0, 9), 'gzip and half of another'],
    ['gzip', $json, 'text that is said to be gzip'],
    ['deflate', $gzip, 'gzip that is said to be deflate'],
    ['deflate', $FORM{zlib}->($json) . 'x', 'zlib with something behind it'],
    ['deflate', $FORM{raw}->($json) . 'x', 'deflate with something behind it'],
    ['deflate', substr($FORM{raw}->($json), 0, -3), 'deflate that is cut off'],
    ['gzip', join('', map { $FORM{gzip}->('') } 1 .. 1100) . $gzip,
     'more members than anybody sends'],
) {
    my ($encoding, $body, $name) = @$case;

    refused(post($port, '/v1/track', $body, key => 'wk',
                 headers => [$encoding ? ('Content-Encoding' => $encoding)
                                       : ()]),
            400, 'content_corrupt', $name);
}

refused(post($port, '/v1/track', $FORM{gzip}->($gzip), key => 'wk',
             headers => ['Content-Encoding' => 'gzip']),
        400, 'json_invalid', 'gzip in gzip');
refused(post($port, '/v1/track', '', key => 'wk',
             headers => ['Content-Encoding' => 'gzip']),
        400, 'body_empty', 'gzip of nothing at all');
refused(post($port, '/v1/track', $FORM{gzip}->(''), key => 'wk',
             headers => ['Content-Encoding' => 'gzip']),
        400, 'body_empty', 'gzip of an empty body');

# at the limits: 10240 bytes, and 10 times as much as came
{
    my ($id, $event) = event(filler => '');
    my $room = 10_240 - length to_json($event);
    my $at = sub { to_json({ %$event, filler => join '',
                             map { chr 97 + rand 26 } 1 .. $_[0] }) };

    taken(post($port, '/small/v1/track', $FORM{gzip}->($at->($room)),
               key => 'wk', headers => ['Content-Encoding' => 'gzip']),
          $id, 'gzip of as much as is allowed');
    refused(post($port, '/small/v1/track', $FORM{gzip}->($at->($room + 1)),
                 key => 'wk', headers => ['Content-Encoding' => 'gzip']),
            413, 'body_size', 'gzip of a byte more');
}

# text that repeats itself fifty times
{
    my $long = sub { to_json({ batch => [map { {
        type => 'track', event => 'E', userId => 'u', messageId => "l$_",
        filler => substr($fillers[$_], 0, 400) x 50 } } 1 .. $_[0]] }) };

    is(post($port, '/ratio/v1/batch', $FORM{gzip}->($long->(3)), key => 'wk',
            headers => ['Content-Encoding' => 'gzip'])->{status}, 200,
       'what is small may be compressed as much as it can be');
    refused(post($port, '/ratio/v1/batch', $FORM{gzip}->($long->(4)),
                 key => 'wk', headers => ['Content-Encoding' => 'gzip']),
            413, 'content_ratio', 'what is larger may not');
    is(post($port, '/v1/batch', $FORM{gzip}->($long->(4)), key => 'wk',
            headers => ['Content-Encoding' => 'gzip'])->{status}, 200,
       'unless the limit is a wider one');
}

ok(!stored($lost), 'nothing of what was refused is stored');


# ---- an event as an image ----

{
    my ($id, $event) = event(properties => { n => 1 });
    my $response = get($port, '/collect/v1/pixel/track?data='
        . encode_base64url(to_json({ %$event, writeKey => 'wk' })));

    taken($response, $id, 'an image with JSON');
    is_image($response, 'an image with JSON');
    is($response->{headers}{'x-martech-ack'}, 'redis',
       'an image says that its event is safe');

    my $event_stored = stored($id)->{event};

    is($event_stored->{properties}{n}, 1, 'properties of an image');
    is($event_stored->{type}, 'track', 'type of an image');
    is($event_stored->{context}{martech}{dialect}, 'segment',
       'the dialect is noted');
    is($event_stored->{context}{martech}{source}, 'website',
       'the source is that of the key within');
}

{
    my ($id) = event();
    my $response = get($port, '/v1/pixel/page?writeKey=wk&userId=u%40x'
        . "&messageId=$id&context.page.url=https%3A%2F%2Fa.example%2F");

    taken($response, $id, 'an image with names');
    is_image($response, 'an image with names');
    is_deeply([@{ stored($id)->{event} }{qw(userId type)}], ['u@x', 'page'],
              'members of an image');
    is(stored($id)->{event}{context}{page}{url}, 'https://a.example/',
       'names with dots are nested');
}

for my $case (
    [401, '/v1/pixel/track?userId=u&event=E', 'without a key'],
    [401, '/v1/pixel/track?userId=u&event=E&writeKey=other', 'of nobody'],
    [401, '/page/v1/pixel/track?userId=u&event=E',
     'in spite of an error_page'],
    [400, '/v1/pixel/track?writeKey=wk&event=E', 'without an id'],
    [400, '/v1/pixel/track?writeKey=wk&data=a*b', 'that is no base64'],
) {
    my ($status, $path, $name) = @$case;
    my $response = get($port, $path);

    is($response->{status}, $status, "an image $name: its true status");
    is_image($response, "an image $name");
    ok(!exists $response->{headers}{'www-authenticate'},
       "an image $name asks for no password");
}

is(post($port, '/page/v1/track', {})->{status}, 402,
   'other refusals are left to an error_page');


# ---- settings of a source ----

{
    my $response = get($port, '/collect/v1/projects/wk/settings',
                       host => 'data.example.com');
    my $settings = $response->{json};
    my $integration = $settings->{integrations}{'Segment.io'};

    is($response->{status}, 200, 'settings of a known key');
    is($integration->{apiKey}, 'wk', 'settings: the key');
    is($integration->{apiHost}, 'data.example.com/collect/v1',
       'settings: where to send to');
    is($integration->{protocol}, 'http', 'settings: how');
    is(join(' ', keys %{ $settings->{integrations} }), 'Segment.io',
       'settings: nothing is loaded from elsewhere');
    is($settings->{metrics}{sampleRate}, 0, 'settings: no numbers about it');
    like($response->{headers}{'cache-control'}, qr/max-age/,
         'settings may be cached');
    is(get($port, '/v1/projects/wk/settings', headers =>
           ['X-Forwarded-Proto' => 'https'])->{json}{integrations}
           {'Segment.io'}{protocol}, 'https',
       'settings in front of a server that speaks TLS for us');

    my $head = http($port, 'HEAD', '/collect/v1/projects/wk/settings',
                    host => 'data.example.com');

    is($head->{status}, 200, 'HEAD of settings');
    is($head->{headers}{'content-length'},
       length $response->{body}, 'HEAD of settings has their length');
}

{
    my $response = get($port, '/v1/projects/other/settings');

    refused($response, 404, 'key_unknown', 'settings of nobody');
    ok(!exists $response->{headers}{'www-authenticate'},
       'settings of nobody ask for no password');
}


# ---- numbers of the library about itself ----

{
    my $before = status();
    my $response = post($port, '/v1/m', { series => [] },
                        type => 'text/plain');
    my $after = status();

    is($response->{status}, 200, 'numbers are taken');
    is_deeply($response->{json}, { success => JSON::PP::true() },
              'numbers are answered as events are');
    is($after->{dialects}{segment}{requests_silent}
       - $before->{dialects}{segment}{requests_silent}, 1,
       'numbers are counted');
    is($after->{events_received}, $before->{events_received},
       'numbers are no events');
    is($after->{requests} - $before->{requests}, 1,
       'they are a request like any other');
    is(post($port, '/v1/m', { series => [] }, key => 'other')->{status}, 401,
       'numbers of nobody are refused');
}


# ---- counters ----

{
    my $before = status()->{dialects}{segment};

    post($port, '/v1/batch', { batch => [{ type => 'page', userId => 'u' },
                                         { type => 'page' }] }, key => 'wk');

    my $after = status()->{dialects}{segment};

    is($after->{events_received} - $before->{events_received}, 2,
       'events of a dialect are counted');
    is($after->{events_accepted} - $before->{events_accepted}, 1,
       'and those that break no rule');
    like(get($port, '/metrics')->{body},
         qr/^martech_dialect_events_received_total\{dialect="segment"\} \d+$/m,
         'Prometheus has them');

    my $status = status();

    is($status->{requests} > 0 && $status->{refused}{outside} // 0, 0,
       'every request is accounted for');
}

like(Martech::Nginx::slurp($t->dir() . '/access.log'), qr/^answered$/m,
     'the log knows what brings no events');


# ---- more than one ----

SKIP: {
    skip 'there is one dialect', 1 unless grep { $_ eq 'posthog' } @others;

    my $response = post($port, '/all/capture/',
        { api_key => 'wk', event => 'E', distinct_id => 'u' });

    is($response->{status}, 200, 'another dialect in the same location');
    is((grep { ($_->{event}{context}{martech}{dialect} // '') eq 'posthog' }
        $redis->events()), 1, 'and it is noted');
    refused(post($port, '/collect/capture/', {}), 404, 'path',
            'a dialect that is not spoken');
}

$t->done();
