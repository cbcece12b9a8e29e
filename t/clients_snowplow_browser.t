#!/usr/bin/perl

# @snowplow/browser-tracker in Chromium, in a page of the same origin and of
# another one, which it sends cookies to.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(decode_base64url);

use Martech::Client qw(same_events outage at_time number text page_url
                       screen_size);
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();

$t->define(SHOP => 'http://shop.example:' . $t->port(8080));
$t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=300ms connect_timeout=300ms;
    martech_source  shop key=wk kind=client;

    types { text/html html; text/javascript js mjs; }
    large_client_header_buffers 4 32k;
    log_format  answers  '$status $request_method $uri';

    server {
        listen 127.0.0.1:8080;

        location /page/ { alias %%ROOT%%/t/clients/pages/; }
        location /sdk/ { alias %%ROOT%%/build/clients/node_modules/; }

        location / {
            martech_collect;
            martech_dialect snowplow;
            access_log %%PREFIX%%/same.log answers;
        }
    }

    server {
        listen 127.0.0.1:8081;

        location /collect/ {
            martech_collect;
            martech_dialect snowplow post_path=/shop/events;
            martech_cors %%SHOP%% credentials=on;
            access_log %%PREFIX%%/cross.log answers;
        }
    }
END

my ($port, $other) = map { $t->port($_) } 8080, 8081;


# the type of an event by "e"; a screen is a self-describing event
sub type_of {
    my ($e, $event) = @_;
    my $screen = ($event->{ue}{schema} // '') =~ m{/screen_view/};

    return { type => $e eq 'pv' ? 'page' : $screen ? 'screen' : 'track' };
}


# "node-4.8.0"
sub library {
    my ($name, $version) = $_[0] =~ /^(.*?)-(\d.*)$/;

    return { 'context.library.name' => $name,
             'context.library.version' => $version };
}


# the name of a self-describing event is that of its schema
sub schema {
    my ($uri) = @_;
    my ($name) = $uri =~ m{^iglu:[^/]+/([^/]+)/};

    return { 'context.snowplow.schema' => $uri,
             $name eq 'screen_view' ? () : (event => $name) };
}

# How a payload of the tracker is stored.
my @ROWS = (
    ['e', \&type_of],
    ['eid', 'messageId'],
    ['uid', 'userId'],
    ['duid', 'anonymousId'],
    ['nuid', 'context.snowplow.nuid'],
    ['aid', 'context.app.id'],
    ['sid', 'context.session.id'],
    ['vid', 'context.session.number', \&number],
    ['dtm', 'timestamp', \&at_time],
    ['ttm', 'timestamp', \&at_time],
    ['url', \&page_url],
    ['page', 'context.page.title'],
    ['refr', 'context.page.referrer'],
    ['lang', 'context.locale'],
    ['tz', 'context.timezone'],
    ['ua', 'context.userAgent'],
    ['ip', 'context.ip'],
    ['res', \&screen_size],
    ['tv', \&library],

    # self-describing: its data are the properties
    ['ue.schema', \&schema],
    ['ue.data.*', 'properties.*'],
    ['contexts.*', 'context.entities.*'],

    # structured
    ['se_ca', 'properties.category'],
    ['se_ac', sub { { 'properties.action' => $_[0], event => $_[0] } }],
    ['se_la', 'properties.label'],
    ['se_pr', 'properties.property'],
    ['se_va', 'properties.value', \&number],

    # what has no other place; the wire has texts only
    [qr/^(p|tna|vp|cd|cs|ds|cookie)$/, 'context.snowplow.$1', \&text],
);


# a payload with the JSON in it in the clear
sub readable {
    my ($payload) = @_;
    my %copy = %$payload;
    my ($event, $entities) = map { from_json(decode_base64url($_ // 'bnVsbA')) }
        delete @copy{qw(ue_px cx)};

    $copy{ue} = $event->{data} if $event;
    $copy{contexts} = $entities->{data} if $entities;

    return \%copy;
}


sub session {
    my ($what, $mode, $count, %arg) = @_;

    $redis->call('flushall');

    my $client = Martech::Client->visit($redis, $t, 'snowplow_browser', $mode,
                                        $port, $other);
    my @sent = map { readable($_) } $client->events();

    is(scalar @sent, $count, "$what: the client says how many it has made");
    is(scalar $client->said('failure'), 0, "$what: and knows of no failure");
    same_events($what, \@sent, [ $redis->events() ],
                sent_id => sub { $_[0]{eid} },
                rows => [@{ $arg{rows} // [] }, @ROWS]);
    is(join(' ', $client->said('pageerror'), $client->said('console')), '',
       "$what: the page has no errors");
}


session('same origin', 'same', 24);
session('GET', 'get', 4);
session('another origin', 'cross', 24);
session('another path', 'path', 24);

# no id of anybody, and the zero of the vendor's collector instead
session('anonymous', 'anonymous', 24, rows => [
    ['duid', undef],
    ['uid', undef],
]);
is_deeply([ map { @{ $_->{event} }{qw(anonymousId userId)} }
            ($redis->events())[0] ],
          ['00000000-0000-0000-0000-000000000000', undef],
          'anonymous: nobody is known');


# ---- 503 for five seconds ----

{
    $redis->call('flushall');

    my $client = Martech::Client->start($t, 'snowplow_browser', 'outage',
                                        $port);

    outage($redis, $t->dir() . '/same.log', $client, 5);
    same_events('outage', [ $client->events() ], [ $redis->events() ],
                sent_id => sub { $_[0]{eid} });
}

$t->done();
