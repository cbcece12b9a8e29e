#!/usr/bin/perl

# Pages and the beacons that come of them: joined by the id of the page, and
# counted, so that one can see how many pages nothing was heard of.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

my $conf = <<'END';
    martech_redis   %%REDIS%%;
    martech_source  shop key=wk;
    martech_source  blog key=bk;
    martech_source  server key=sk kind=server;

    map $http_user_agent $bot {
        ~*bot    1;
        default  '';
    }

    martech_drop if=$bot reason=bot;

    log_format  ids  '$uri $request_id';

    server {
        listen 127.0.0.1:8080;
        default_type text/html;

        martech_cookie   mtid domain=example.com same_site=strict;
        martech_observe  on source=shop link=on;

        location / { return 200 "<p>page"; }
        location /blog { martech_observe on source=blog link=on; return 200 x; }
        location /unlinked { martech_observe on source=shop; return 200 x; }
        location /shared {
            proxy_pass http://127.0.0.1:8082/;
        }
        location /denied/ {
            martech_consent policy=anonymize gpc=all;
            return 200 "<p>page";
        }
        location /denied/collect/ {
            martech_consent policy=anonymize gpc=all;
            martech_collect;
        }
        location /log/ {
            access_log %%PREFIX%%/ids.log ids;
            return 200 x;
        }
        location /moved { return 302 /; }
        location /collect/ { martech_collect; }
        location = /forget { martech_forget; }
        location = /status { martech_observe off; martech_status; }
        location = /metrics { martech_observe off; martech_status prometheus; }
    }

    server {
        listen 127.0.0.1:8082;
        default_type text/html;
        location / { add_header Cache-Control public; return 200 x; }
    }
END

my $shim = $t->shim(folder => $t->dir() . '/none');
my $nginx = $t->nginx($conf, workers => 2, $shim->preload());
my $port = $t->port(8080);


# ---- helpers ----

sub page {
    my ($path, @headers) = @_;

    return get($port, $path, host => 'www.example.com', headers => \@headers);
}


# the id that a page's cookie has, and whether it is as it should be
sub id_of {
    my ($response) = @_;
    my ($cookie) = map { /^Set-Cookie:\s*(mtid_page=.*)/i ? $1 : () }
        @{ $response->{fields} };

    return $cookie && $cookie =~ /^mtid_page=([0-9a-f]{32});/ ? $1 : undef;
}


sub beacon {
    my ($id, %arg) = @_;
    my @cookie = defined $id ? (Cookie => "mtid_page=$id") : ();

    return post($port, ($arg{path} // '/collect') . '/v1/track',
                { event => 'e', anonymousId => 'a', %{ $arg{event} // {} } },
                key => $arg{key} // 'wk',
                headers => [ @cookie, @{ $arg{headers} // [] } ]);
}


sub stored {
    my @events = grep { $_->{event}{context}{martech}{dialect} eq 'segment' }
        $redis->events();

    $redis->call('flushall');

    return map { $_->{event} } @events;
}


sub pages { get($port, '/status')->{json}{pages}{$_[0] // 'shop'} }


# waits until the counts of a source are these
sub counts {
    my ($name, $source, %want) = @_;
    my %all = (observed => 0, served => 0, confirmed => 0, open => 0,
               lost => 0, lost_ratio => undef, untracked => 0,
               beacons_unknown => 0, %want);

    eval {
        wait_until(sub { to_json(pages($source)) eq to_json(\%all) }, 3, $name);
    };
    is_deeply(pages($source), \%all, $name);
}


# ---- the join ----

my $response = page('/');
my $id = id_of($response);

like(join("\n", @{ $response->{fields} }),
     qr{^Set-Cookie:\ mtid_page=[0-9a-f]{32};\ Max-Age=1800;
        \ Domain=example\.com;\ Path=/;\ HttpOnly;\ SameSite=Lax$}mx,
     'a page tells its id');
is($response->{headers}{'server-timing'}, "rid;desc=\"$id\"",
   'also to its scripts');
is($response->{headers}{'cache-control'}, 'private', 'and is one person\'s');

counts('a page', 'shop', observed => 1, served => 1, open => 1);

my ($served) = map { $_->{event} } $redis->events();
is($served->{context}{martech}{requestId}, $id, 'its event has the same id');
$redis->call('flushall');

is(beacon($id)->{status}, 200, 'a beacon of it');
my ($event) = stored();
is($event->{context}{martech}{pageRequestId}, $id, 'names the page');
isnt($event->{context}{martech}{requestId}, $id, 'beside its own request');

counts('confirmed', 'shop', observed => 1, served => 1, confirmed => 1,
       lost_ratio => 0);

beacon($id) for 1 .. 3;
counts('once', 'shop', observed => 1, served => 1, confirmed => 1,
       lost_ratio => 0);
stored();

my %so_far = (observed => 1, served => 1, confirmed => 1, lost_ratio => 0);

for my $wrong (undef, 'x', uc $id, "${id}0", substr($id, 1), "\"$id\"") {
    my $name = $wrong // 'none';

    beacon($wrong);
    ($event) = stored();
    is($event->{context}{martech}{pageRequestId}, undef, "no id: $name");
}

beacon('0' x 32);
($event) = stored();
is($event->{context}{martech}{pageRequestId}, '0' x 32,
   'what looks like one is one');
counts('beacons of no page', 'shop', %so_far, beacons_unknown => 7);
$so_far{beacons_unknown} = 7;

post($port, '/collect/v1/track', { event => 'e', anonymousId => 'a' },
     key => 'wk', headers => [ Cookie => "mtid_page=x; mtid_page=$id" ]);
($event) = stored();
is($event->{context}{martech}{pageRequestId}, $id, 'the first that is one');

beacon($id, key => 'sk', event => { userId => 'u' });
($event) = stored();
is($event->{context}{martech}{pageRequestId}, undef, 'a server has no page');

beacon($id, event => { anonymousId => [] });
beacon($id, headers => [ 'User-Agent' => 'bot' ]);
counts('what is rejected or dropped says nothing', 'shop', %so_far);


# ---- what is no page of the account ----

is(id_of(page('/unlinked')), undef, 'link=off: no id');
is(page('/unlinked')->{headers}{'server-timing'}, undef, 'in no header');
is(id_of(page('/shared')), undef, 'nor where caches may share it');
is(id_of(page('/moved')), undef, 'nor for a redirect');
is(id_of(page('/', 'User-Agent' => 'bot')), undef, 'nor for a bot');
is(id_of(page('/', Purpose => 'prefetch')), undef, 'nor for a prefetch');
is(id_of(page('/', 'Sec-Fetch-Dest' => 'empty')), undef, 'nor for a script');
is(id_of(page('/', 'Sec-Fetch-Dest' => 'iframe')), undef, 'nor for a frame');
is(id_of(http($port, 'HEAD', '/')), undef, 'nor for HEAD');
is(id_of(page('/denied/', 'Sec-GPC' => 1)), undef, 'nor for who denies it');

counts('pages that tell no id are in no share', 'shop', %so_far,
       observed => 4);
$so_far{observed} = 4;

$response = page('/denied/', 'Sec-GPC' => 1, Cookie => "mtid_page=$id");
like(join("\n", @{ $response->{fields} }),
     qr/^Set-Cookie: mtid_page=; Max-Age=0; Domain=example.com;/m,
     'an id that is there goes');
stored();

beacon($id, path => '/denied/collect', headers => [ 'Sec-GPC' => 1 ]);
($event) = stored();
ok($event, 'an anonymous event is stored');
is($event->{context}{martech}{pageRequestId}, undef, 'and names no page');
counts('who denies it is in no count', 'shop', %so_far);

like(join("\n", @{ http($port, 'POST', '/forget', body => '')->{fields} }),
     qr/^Set-Cookie: mtid_page=; Max-Age=0/m, 'it is forgotten with others');


# ---- NGINX's own id ----

$id = id_of(page('/log/'));
wait_until(sub { -s $t->dir() . '/ids.log' }, 5, 'the log');
open my $log, '<', $t->dir() . '/ids.log' or die;
is(<$log>, "/log/ $id\n", 'the id is that of the log');
stored();


# ---- exact numbers, by two workers, and over a reload ----

$nginx->stop();
$nginx->start();
$redis->call('flushall');

my (@shop, @blog);

push @shop, id_of(page('/')) for 1 .. 12;
push @blog, id_of(page('/blog')) for 1 .. 5;

my %ids = map { $_ => 1 } @shop, @blog;
is(scalar keys %ids, 17, 'each page has an own id');

counts('12 pages', 'shop', observed => 12, served => 12, open => 12);
counts('5 pages', 'blog', observed => 5, served => 5, open => 5);

beacon($_) for @shop[0 .. 6];
beacon($_) for @shop[0 .. 2];
beacon($blog[0], key => 'bk');
beacon($blog[1]);
beacon(undef, key => 'bk');

my %shop = (observed => 12, served => 12, confirmed => 7, open => 5,
            lost_ratio => 0);
my %blog = (observed => 5, served => 5, confirmed => 2, open => 3,
            lost_ratio => 0, beacons_unknown => 1);

counts('7 of 12', 'shop', %shop);
counts('2 of 5, a page counts for its own source', 'blog', %blog);

$nginx->reload();
counts('a reload changes nothing', 'shop', %shop);

beacon($shop[7]);
counts('and forgets no page', 'shop', %shop, confirmed => 8, open => 4);

my $metrics = get($port, '/metrics')->{body};

like($metrics, qr/^martech_pages_served_total\{source="shop"\} 12$/m,
     'metrics: served');
like($metrics, qr/^martech_pages_confirmed_total\{source="shop"\} 8$/m,
     'confirmed');
like($metrics, qr/^martech_pages_open\{source="blog"\} 3$/m, 'open');
like($metrics, qr/^martech_beacons_unknown_total\{source="blog"\} 1$/m,
     'unknown');
like($metrics, qr/^# TYPE martech_pages_open gauge$/m, 'with types');


# ---- half an hour later ----

$shim->clock(1790);
counts('shortly before it they are open', 'shop', %shop, confirmed => 8,
       open => 4);

$shim->clock(1830);
counts('pages that nothing was heard of are lost', 'shop', %shop,
       confirmed => 8, open => 0, lost => 4, lost_ratio => 0.3333);

beacon($shop[8]);
beacon($shop[0]);
counts('what comes later is of no page', 'shop', %shop, confirmed => 8,
       open => 0, lost => 4, lost_ratio => 0.3333, beacons_unknown => 2);

page('/');
counts('new pages are open again', 'shop', observed => 13, served => 13,
       confirmed => 8, open => 1, lost => 4, lost_ratio => 0.3333,
       beacons_unknown => 2);

$t->done();
