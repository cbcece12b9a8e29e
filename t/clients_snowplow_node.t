#!/usr/bin/perl

# @snowplow/node-tracker: what it believes to have sent is what is stored.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Client qw(same_events outage at_time number text page_url
                       screen_size);
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=300ms connect_timeout=300ms;
    martech_source  shop key=wk kind=server;

    large_client_header_buffers 4 32k;
    log_format  answers  '$status $request_method $uri';

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
            martech_dialect snowplow;
            access_log %%PREFIX%%/answers.log answers;
        }
    }
END

my $port = $t->port(8080);


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

    # page ping, transaction and item of a transaction
    [qr/^(pp_.*)$/, 'properties.$1', \&number],
    [qr/^t[ri]_id$/, 'properties.order_id'],
    ['tr_af', 'properties.affiliation'],
    ['tr_tt', 'properties.total', \&number],
    ['tr_tx', 'properties.tax', \&number],
    ['tr_sh', 'properties.shipping', \&number],
    ['tr_ci', 'properties.city'],
    ['tr_co', 'properties.country'],
    [qr/^t[ri]_cu$/, 'properties.currency'],
    ['ti_sk', 'properties.sku'],
    ['ti_nm', 'properties.name'],
    ['ti_ca', 'properties.category'],
    ['ti_pr', 'properties.price', \&number],
    ['ti_qu', 'properties.quantity', \&number],

    # what has no other place; the wire has texts only
    [qr/^(p|tna|vp|cd|cs|ds|cookie)$/, 'context.snowplow.$1', \&text],
);


for my $run (['base64', 'session'], ['no base64', 'plain'], ['GET', 'get']) {
    my ($what, $mode) = @$run;

    $redis->call('flushall');

    my $client = Martech::Client->run($t, 'snowplow_node', $mode, $port);
    my @sent = $client->events();

    is(scalar @sent, 28, "$what: the client says that all events are sent");
    is(scalar $client->said('failure'), 0, "$what: and knows of no failure");
    same_events($what, \@sent, [ $redis->events() ], rows => \@ROWS,
                sent_id => sub { $_[0]{eid} });
}


# ---- 503 for five seconds ----

{
    my $client = Martech::Client->start($t, 'snowplow_node', 'outage', $port);

    $redis->call('flushall');
    outage($redis, $t->dir() . '/answers.log', $client, 5);

    my @failures = $client->said('failure');

    cmp_ok(scalar @failures, '>', 0, 'outage: the client is told 503');
    is((grep { !$_->{willRetry} } @failures), 0,
       'outage: and keeps the events each time');
    is(scalar $client->events(), 8, 'outage: all is sent in the end');
    same_events('outage', [ $client->events() ], [ $redis->events() ],
                sent_id => sub { $_[0]{eid} });
}

$t->done();
