#!/usr/bin/perl

# posthog-js in Chromium, in a page of the same origin and of another one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Client qw(same_events outage at_time page_url);
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();

$t->define(SHOP => 'http://shop.example:' . $t->port(8080));
$t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=300ms connect_timeout=300ms;
    martech_source  shop key=phc_wk kind=client;

    types { text/html html; text/javascript js mjs; }
    log_format  answers  '$status $request_method $content_type $uri';

    server {
        listen 127.0.0.1:8080;

        location /page/ { alias %%ROOT%%/t/clients/pages/; }
        location /sdk/ { alias %%ROOT%%/build/clients/node_modules/; }

        location / {
            martech_collect;
            martech_dialect posthog;
            access_log %%PREFIX%%/same.log answers;
        }
    }

    server {
        listen 127.0.0.1:8081;

        location /collect/ {
            martech_collect;
            martech_dialect posthog;
            martech_cors %%SHOP%%;
            access_log %%PREFIX%%/cross.log answers;
        }
    }
END

my ($port, $other) = map { $t->port($_) } 8080, 8081;

my %TYPE = ('$pageview' => 'page', '$screen' => 'screen', '$set' => 'identify',
            '$identify' => 'identify', '$groupidentify' => 'group',
            '$create_alias' => 'alias');


# the type of an event by its name, which is kept where it says more
sub type_of {
    my ($name) = @_;
    my $type = $TYPE{$name} // 'track';

    return { type => $type, $type eq 'track' ? (event => $name) : () };
}


# What is known of a person: of an identify event its traits.
sub person {
    my ($value, $event, $name) = @_;
    my $where = ($TYPE{ $event->{event} } // '') eq 'identify'
        ? 'traits' : 'context.traits';

    return { "$where.$name" => $value };
}


# What was set once does not replace what is set.
sub person_once {
    my ($value, $event, $name) = @_;
    my $set = $event->{'$set'} // $event->{properties}{'$set'};
    my ($first) = split /\./, $name;

    return $set && exists $set->{$first} ? {} : person(@_);
}


# Properties that the client has set itself, with "$" in front.
my @PROPERTIES = (
    ['properties.$current_url', \&page_url],
    ['properties.$referrer', 'context.page.referrer'],
    ['properties.title', sub {
        my ($title, $event) = @_;

        return { $event->{event} eq '$pageview'
                 ? 'context.page.title' : 'properties.title', $title };
    }],
    ['properties.$lib', 'context.library.name'],
    ['properties.$lib_version', 'context.library.version'],
    ['properties.$os', 'context.os.name'],
    ['properties.$os_version', 'context.os.version'],
    ['properties.$browser', 'context.browser.name'],
    ['properties.$browser_version', 'context.browser.version'],
    ['properties.$browser_language', 'context.locale'],
    ['properties.$device_type', 'context.device.type'],
    ['properties.$timezone', 'context.timezone'],
    ['properties.$raw_user_agent', 'context.userAgent'],
    ['properties.$screen_width', 'context.screen.width'],
    ['properties.$screen_height', 'context.screen.height'],
    ['properties.$group_key', 'groupId'],
    [qr/^properties\.\$group_set\.(.*)$/, 'traits.$1'],
    [qr/^(?:properties\.)?\$set\.(.*)$/, \&person],
    [qr/^(?:properties\.)?\$set_once\.(.*)$/, \&person_once],
    [qr/^(?:properties\.)?\$set_once$/, sub { {} }],
    ['properties.alias', 'previousId'],

    # the key, and what tells an id of a device from one of a person
    ['properties.token', undef],
    ['properties.$is_identified', undef],
    ['properties.$process_person_profile', undef],
    ['properties.*', 'properties.*'],
);

# How an event of the client is stored.
my @ROWS = (
    ['event', \&type_of],
    ['uuid', 'messageId'],
    ['timestamp', 'timestamp', \&at_time],

    ['properties.distinct_id', sub {
        my ($id, $event) = @_;

        return { $event->{properties}{'$is_identified'}
                 ? 'userId' : 'anonymousId', $id };
    }],
    ['properties.$user_id', 'userId'],
    ['properties.$device_id', 'anonymousId'],
    ['properties.$anon_distinct_id', 'anonymousId'],
    @PROPERTIES,
);

my @COMPARED = (rows => \@ROWS, exact => [qw(properties traits)],
                sent_id => sub { $_[0]{uuid} });


# the requests in a log, by a pattern
sub logged {
    my ($log, $pattern) = @_;

    open my $fh, '<', $t->dir() . "/$log.log" or die "$log.log: $!\n";

    return scalar grep { /$pattern/ } <$fh>;
}


sub session {
    my ($what, $mode) = @_;

    $redis->call('flushall');

    my $client = Martech::Client->visit($redis, $t, 'posthog_browser', $mode,
                                        $port, $other);
    my @sent = $client->events();

    # and one that says that the page is left, each time
    is(scalar @sent, 19, "$what: seven calls, ten that were queued, two ends");
    same_events($what, \@sent, [ $redis->events() ], @COMPARED);
    is(join(' ', $client->said('pageerror'), $client->said('console')), '',
       "$what: the page has no errors");
}


session('same origin', 'same');
cmp_ok(logged('same', qr{^200 POST text/plain /e/$}), '>', 0,
       'same origin: bodies are compressed, and said to be text');

session('another origin', 'cross');
session('not compressed, another origin', 'plain');
cmp_ok(logged('cross', qr{^200 POST application/json /collect/e/$}), '>', 0,
       'not compressed: as JSON');
cmp_ok(logged('cross', qr{^200 POST application/x-www-form-urlencoded\S* /co}),
       '>', 0, 'and beacons as forms');


# ---- 503 for five seconds ----

{
    $redis->call('flushall');

    my $client = Martech::Client->start($t, 'posthog_browser', 'outage', $port);

    outage($redis, $t->dir() . '/same.log', $client, 5);
    same_events('outage', [ $client->events() ], [ $redis->events() ],
                sent_id => sub { $_[0]{uuid} });
}

$t->done();
