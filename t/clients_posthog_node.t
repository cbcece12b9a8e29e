#!/usr/bin/perl

# posthog-node: what it believes to have sent is what is stored.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Client qw(same_events outage at_time page_url);
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=300ms connect_timeout=300ms;
    martech_source  shop key=phc_wk kind=server;

    log_format  answers  '$status $request_method $uri';

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
            martech_dialect posthog;
            access_log %%PREFIX%%/answers.log answers;
        }
    }
END

my $port = $t->port(8080);

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
    ['properties.$screen_name', sub { { name => $_[0],
                                        'context.screen.name' => $_[0] } }],
    ['properties.alias', 'previousId'],
    ['properties.distinct_id', 'userId'],
    ['properties.*', 'properties.*'],
);

# How an event of the client is stored.
my @ROWS = (
    ['event', \&type_of],
    ['uuid', 'messageId'],
    ['timestamp', 'timestamp', \&at_time],

    # who has no other id than this is somebody that the server knows
    ['distinct_id', 'userId'],
    @PROPERTIES,
);

my @COMPARED = (rows => \@ROWS, exact => [qw(properties traits)],
                sent_id => sub { $_[0]{uuid} });


# Its newer protocol takes some properties out, which it marks with "$".
my @ROWS_V1 = (
    ['properties.$session_id', 'context.posthog.session_id'],
);

for my $run (['gzip', 'session'], ['plain', 'plain'], ['v1', 'v1', @ROWS_V1]) {
    my ($what, $mode, @rows) = @$run;

    $redis->call('flushall');

    my $client = Martech::Client->run($t, 'posthog_node', $mode, $port);
    my @sent = $client->events();

    is(scalar @sent, 40, "$what: the client says that all events are sent");
    is(join(' ', $client->said('error')), '', "$what: and knows of no failure");
    same_events($what, \@sent, [ $redis->events() ], @COMPARED,
                rows => [@rows, @ROWS]);
}


# ---- 503 for five seconds ----

{
    my $client = Martech::Client->start($t, 'posthog_node', 'outage', $port);

    $redis->call('flushall');
    outage($redis, $t->dir() . '/answers.log', $client, 5);
    is(join(' ', $client->said('error')), '', 'outage: it loses nothing');
    is(scalar $client->events(), 7, 'outage: all is sent in the end');
    same_events('outage', [ $client->events() ], [ $redis->events() ],
                sent_id => sub { $_[0]{uuid} });
}

$t->done();
