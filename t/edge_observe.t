#!/usr/bin/perl

# martech_observe: an event for each page that was served, in the log phase,
# which holds no request and goes the way of all other events.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Http qw(request_bytes);
use Martech::Test;
use Time::HiRes qw(time);

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->file('page.html', '<p>page' . 'x' x 93);
$t->define(BIG => $t->file('big.html', 'x' x 20_000_000));

my $conf = <<'END';
    martech_redis   %%REDIS%% timeout=500ms;
    martech_source  shop key=wk;
    martech_source  server key=sk kind=server;

    map $http_user_agent $bot {
        ~*bot    1;
        default  '';
    }

    map $uri $view {
        ~^/file/  "File $uri";
        default   '';
    }

    martech_drop if=$bot reason=bot;
    proxy_cache_path %%PREFIX%%/cache keys_zone=pages:1m;

    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8081 http2;
        default_type text/html;

        martech_cookie     mtid;
        martech_observe    on source=shop event=$view;
        martech_scrub_url  email;

        location /file/ { alias %%PREFIX%%/; }
        location /return { return 200 "<p>page"; }
        location /empty { return 204; }
        location /moved { return 302 /return; }
        location /text { default_type text/plain; return 200 x; }
        location /off { martech_observe off; return 200 "<p>page"; }
        location /nobody { martech_cookie off; return 200 "<p>page"; }
        location /day {
            martech_cookie mtid mode=anonymous;
            return 200 "<p>page";
        }
        location /some {
            martech_observe on source=shop if=$arg_yes
                            types=text/plain,text/css;
            default_type text/plain;
            return 200 x;
        }
        location /server { martech_observe on source=server; return 200 x; }
        location /inside { rewrite ^ /return last; }
        location /wrong { error_page 404 =200 /return; return 404; }
        location /lost { error_page 404 /return; return 404; }
        location /sub {
            ssi on;
            alias %%PREFIX%%/sub.html;
        }
        location /proxied {
            proxy_pass http://127.0.0.1:8082/;
            proxy_cache pages;
            proxy_cache_valid 200 1m;
            proxy_cache_key $uri;
        }
        location /denied {
            martech_consent policy=drop gpc=all;
            return 200 "<p>page";
        }
        location /big { alias %%BIG%%; limit_rate 1m; }
        location /collect/ { martech_collect; }
        location = /status { martech_observe off; martech_status; }
    }

    server {
        listen 127.0.0.1:8082;
        default_type text/html;
        location / { return 200 "<p>upstream"; }
    }
END

$t->file('sub.html', 'a<!--# include virtual="/return" -->b');

my $nginx = $t->nginx($conf);
my $port = $t->port(8080);


sub status { get($port, '/status')->{json} }


my $known = 0;
my %seen;

# the only event since it was asked last
sub only {
    my ($name) = @_;
    my @events;

    wait_until(sub { $redis->count() > $known }, 5, "an event: $name");
    @events = sort { $a->{entry} cmp $b->{entry} } $redis->events();
    is(scalar @events, $known + 1, "one event: $name");
    $known = @events;

    return (grep { !$seen{"$_->{tag}$_->{entry}"}++ } @events)[0]{event};
}


# Nothing is stored of a page: the next one is, and is alone.
sub none {
    my ($name) = @_;

    get($port, '/return', headers => [ Referer => 'http://a/fence' ]);
    is(only("after $name")->{context}{page}{referrer}, 'http://a/fence',
       "nothing of $name");
}


# ---- what an event has ----

my $response = get($port, '/file/page.html?q=1&email=a%40b.example',
                   host => 'www.example.com:8443', headers =>
                   [ Referer => 'https://from.example/?email=x',
                     'User-Agent' => 'Agent/1' ]);
my $event = only('a file');

my ($id) = ($response->{headers}{'set-cookie'} // '') =~ /^mtid=([^;]*)/;

is($event->{anonymousId}, $id, 'of the visitor whose cookie was just set');
is($event->{type}, 'track', 'it is a track');
is($event->{event}, 'File /file/page.html', 'its name is by a variable');

my $ms = delete $event->{properties}{durationMs};
like($ms, qr/^\d+$/, 'and a duration');
is_deeply($event->{properties},
          { status => 200, method => 'GET', path => '/file/page.html',
            host => 'www.example.com', bytes => 100,
            contentType => 'text/html' }, 'all properties');
is_deeply($event->{context}{page},
          { url => 'http://www.example.com:8443/file/page.html?q=1',
            path => '/file/page.html',
            referrer => 'https://from.example/' },
          'the page, its URLs scrubbed')
    or diag(to_json($event->{context}{page}));
is($event->{context}{userAgent}, 'Agent/1', 'user agent');
is($event->{context}{ip}, '127.0.0.1', 'address');
is($event->{context}{martech}{source}, 'shop', 'source');
is($event->{context}{martech}{dialect}, 'observe', 'dialect');
like($event->{context}{martech}{requestId}, qr/^[0-9a-f]{32}$/, 'request');

my @cookie = (Cookie => "mtid=$id");

get($port, '/return', headers => [ @cookie,
                                   'X-Forwarded-Proto' => 'https' ]);
$event = only('a known visitor');
is($event->{anonymousId}, $id, 'of the visitor whose cookie was sent');
is($event->{event}, 'Page Served', 'an empty name is the usual one');
is($event->{context}{page}{url}, 'https://localhost/return', 'behind TLS');

get($port, '/proxied', headers => \@cookie);
is(only('proxied')->{properties}{cache}, 'MISS', 'not from the cache');
get($port, '/proxied', headers => \@cookie);
is(only('cached')->{properties}{cache}, 'HIT', 'from the cache');

get($port, '/server', headers => \@cookie);
$event = only('a source of servers');
is($event->{context}{martech}{source}, 'server', 'may have pages');
is($event->{anonymousId}, $id, 'whose visitors are known as well');


# ---- what is a page ----

get($port, '/moved');
is(only('a redirect')->{properties}{status}, 302, 'its status');
get($port, '/inside');
is(only('an internal redirect')->{properties}{path}, '/inside',
   'the path is what was asked for');
get($port, '/wrong');
is(only('an error_page that is a page')->{properties}{status}, 200, 'is one');
get($port, '/sub');
is(only('a page with a subrequest')->{properties}{path}, '/sub', 'once');
get($port, '/some?yes=1', headers => \@cookie);
is(only('another type')->{properties}{contentType}, 'text/plain', 'as asked');
post($port, '/return', 'x');
is(only('a POST')->{properties}{method}, 'POST', 'is one');
get($port, '/day');
like(only('without a cookie')->{anonymousId}, qr/^.{14}8/, 'an id of the day');

$response = get($port, '/file/page.html');
my $date = $response->{headers}{'last-modified'};
only('before a 304');
is(get($port, '/file/page.html', headers => [ 'If-Modified-Since' => $date ])
   ->{status}, 304, 'not modified');
is(only('a 304')->{properties}{status}, 304, 'is a page that is shown');

for ([ 'a 404', '/file/none' ], [ 'a 404 by an error_page', '/lost' ],
     [ 'a 204', '/empty' ], [ 'no HTML', '/text' ], [ 'off', '/off' ],
     [ 'nobody', '/nobody' ], [ 'if=', '/some?yes=0' ],
     [ 'a prefetch', '/return', 'Sec-Purpose' => 'prefetch' ])
{
    my ($name, $path, @headers) = @$_;

    get($port, $path, headers => \@headers);
    none($name);
}

http($port, 'HEAD', '/return');
none('HEAD');

my $connection = Martech::Http->connect($port);

for my $n (1 .. 3) {
    $connection->send(request_bytes('GET', '/return'));
    is($connection->response()->{status}, 200, "a connection that is kept: $n");
    only("of it: $n");
}

$connection->close();

curl('--http2-prior-knowledge', 'http://127.0.0.1:' . $t->port(8081)
     . '/return');
is(only('HTTP/2')->{properties}{bytes}, 7, 'bytes of the body');

my $gone = Martech::Http->connect($port);
$gone->send(request_bytes('GET', '/big'));
ok($gone->fill(time() + 5), 'some of it is here');
$gone->abort();
none('a client that has gone');


# ---- rules ----

my $before = status();

get($port, '/return', headers => [ 'User-Agent' => 'Robot' ]);
wait_until(sub { status()->{dropped}{bot} == 1 }, 5, 'a bot is dropped');
none('a bot');

$response = get($port, '/denied', headers => [ 'Sec-GPC' => 1, @cookie ]);
like($response->{headers}{'set-cookie'}, qr/^mtid=; Max-Age=0/, 'denied');
wait_until(sub { status()->{dropped}{consent}
                     == $before->{dropped}{consent} + 1 }, 5,
           'is counted, as of nobody');
none('who denies it');

get($port, '/denied', headers => \@cookie);
is(only('who does not')->{anonymousId}, $id, 'is stored');

is(status()->{dialects}{observe}{events_received},
   status()->{events_received}, 'all of them are counted as observed');
is(status()->{requests}, 0, 'none as a request with events');


# ---- Redis is away ----

$redis->freeze();
$before = status();

for (1 .. 3) {
    my $start = time();
    my $r = get($port, '/return', headers => \@cookie);

    is($r->{status}, 200, 'a page is served');
    cmp_ok(time() - $start, '<', 0.4, 'and does not wait');
}

wait_until(sub { get($port, '/return', headers => \@cookie);
                 status()->{dropped}{unavailable}
                     > $before->{dropped}{unavailable} }, 10,
           'once there is no hope, events are dropped');
is(status()->{refused}{unavailable} // 0, 0, 'no request is refused');

$redis->thaw();
wait_until(sub { status()->{events_waiting} == 0 }, 10,
           'what was taken is stored');

my $books = status();
is($books->{events_received},
   $books->{events_stored} + $books->{events_rejected}
       + $books->{events_dropped}, 'the books are right');
cmp_ok($redis->count(), '>=', $books->{events_stored}, 'Redis has them');


# ---- configuration ----

my $test = $t->nginx('', run => 0);

sub refused {
    my ($directives, $says, $http) = @_;
    my ($accepted, $output) = $test->test_conf($t->fill(
        ($http // 'martech_redis %%REDIS%%;')
        . "server { listen 127.0.0.1:8090; $directives; }"));

    ok(!$accepted, "refused: $directives");
    like($output, $says, 'the message says why');
}

refused('martech_observe yes', qr/"yes", it must be on or off/);
refused('martech_observe on what=x', qr/"what=x".*link=/);
refused('martech_observe on event=', qr/"event=".*name/);
refused('martech_observe on if=1', qr/"if=1".*variable/);
refused('martech_observe on types=html', qr/"types=html".*text\/html/);
refused('martech_observe on types=text/html,', qr/types=text\/html,/);
refused('martech_observe on; martech_observe off', qr/is duplicate/);
refused('martech_observe on source=x', qr/"source=x"/);
refused('martech_source a key=1; martech_source b key=2; martech_observe on',
        qr/"source=" where there are several/);
refused('martech_source a key=1; martech_observe on source=b', qr/"source=b"/);
refused('martech_observe on link=on', qr/"link=on" needs "martech_cookie"/);
refused('martech_cookie a; martech_observe on link=a', qr/this name/);
refused('martech_observe on link=__Host-a', qr/"secure=on"/);
refused('martech_cookie a mode=anonymous; martech_observe on link=b',
        qr/promises no cookie/);
refused('martech_observe on', qr/"martech_observe" needs "martech_redis"/, '');

$t->expect(qr/\[emerg\]/);
$t->done();
