#!/usr/bin/perl

# The counters of the status page, and the variables of the log.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

my $nginx = $t->nginx(<<'END', workers => 2);
    martech_redis   %%REDIS%% timeout=500ms;
    martech_source  website key=wk;

    log_format  events  '$status verdict=$martech_verdict '
                        'events=$martech_events source=$martech_source '
                        'id=$martech_message_id';

    server {
        listen 127.0.0.1:8080;
        access_log %%PREFIX%%/access.log events;

        location / {
            martech_collect;
        }

        location /small/ {
            client_max_body_size 10;
            martech_collect;
        }

        location /other/ {
            return 200;
        }
    }

    server {
        listen 127.0.0.1:8081;

        location = /json {
            martech_status;
        }

        location = /prometheus {
            martech_status prometheus;
        }
    }
END

my $port = $t->port(8080);
my $pages = $t->port(8081);


sub status {
    my ($page) = @_;

    return get($pages, $page // '/json')->{json};
}


# ---- variables ----

# the line that a request leaves in the log
sub line_of {
    my ($path, $payload, %arg) = @_;
    my $log = $t->dir() . '/access.log';
    my $before = -s $log // 0;

    post($port, $path, $payload, key => 'wk', %arg);
    wait_until(sub { -s $log > $before }, 5, 'the log grows');

    open my $fh, '<', $log or die "$log: $!\n";
    seek $fh, $before, 0;
    chomp(my $line = <$fh>);

    return $line;
}


my %event = (event => 'E', userId => 'u', messageId => 'm1');

is(line_of('/v1/track', \%event),
   '200 verdict=stored events=1 source=website id=m1', 'log: stored');
is(line_of('/v1/batch', { batch => [ { type => 'track', %event },
                                     { type => 'track', event => 'E' } ] }),
   '200 verdict=partial events=2 source=website id=m1', 'log: partly stored');
is(line_of('/v1/track', { event => 'E', messageId => 'm2' }),
   '400 verdict=rejected events=1 source=website id=m2', 'log: rejected');
like(line_of('/v1/track', '{'),
     qr/^400 verdict=refused events=0 source=website id=-$/, 'log: refused');
like(line_of('/v1/track', \%event, key => 'nope'),
     qr/^401 verdict=refused events=0 source=- id=-$/, 'log: a wrong key');
is(line_of('/other/', \%event), '200 verdict=- events=- source=- id=-',
   'log: another location');
is(line_of('/small/v1/track', \%event),
   '413 verdict=- events=- source=- id=-', 'log: a 413 before us');
like(line_of('/v1/track', { %event, messageId => "a\"b c" }),
     qr/id=a\\x22b c$/, 'log: a messageId is escaped');


# ---- counters ----

my $json = status();

is($json->{workers}, 2, 'the page counts the workers');
is($json->{events_received}, 5, 'events received');
is($json->{events_stored}, 3, 'events stored');
is($json->{events_rejected}, 2, 'events rejected');
is($json->{events_dropped}, 0, 'events unavailable');
is($json->{requests_parked}, 0, 'requests that wait now');
is($json->{redis_ready}, 2, 'connections that are ready');
is_deeply($json->{rejected}, { no_user_anon_id => 2 },
          'rejected events by reason');
is($json->{refused}{json_invalid}, 1, 'refused requests by reason');
is($json->{refused}{key_unknown}, 1, 'refused keys');

is(status('/prometheus?format=json')->{events_stored}, 3,
   'the query chooses JSON');
is(http($pages, 'POST', '/json')->{status}, 405, 'the page is read only');
is(http($pages, 'HEAD', '/json')->{status}, 200, 'HEAD is answered');

my $response = get($pages, '/prometheus');

like($response->{headers}{'content-type'}, qr{^text/plain; version=0\.0\.4},
     'Prometheus text has its content type');
is(get($pages, '/json?format=prometheus')->{body}, $response->{body},
   'the query chooses Prometheus');

# every line is one of the exposition format, and names are announced
my (%type, @wrong, %value);

for (split /\n/, $response->{body}) {
    if (/^# TYPE (\w+) (counter|gauge|histogram)$/) {
        $type{$1} = $2;

    } elsif (/^([a-z_]+)(\{[a-z]+="[^"]*"\})? (\d+(?:\.\d+)?)$/) {
        my ($name, $label, $value) = ($1, $2 // '', $3);
        my $family = $name =~ s/_(?:bucket|sum|count)$//r;

        $value{"$name$label"} = $value;
        push @wrong, $_ unless $type{$name} || $type{$family};

    } elsif (!/^# HELP \w+ \S/) {
        push @wrong, $_;
    }
}

is("@wrong", '', 'every line is of the exposition format');
is((grep { $type{$_} eq 'counter' && !/_total$/ } keys %type), 0,
   'counters end in _total');
is($value{martech_events_stored_total}, 3,
   'the same numbers in both formats');


# ---- with Redis away ----

$redis->freeze();
is(line_of('/v1/track', \%event),
   '503 verdict=unavailable events=1 source=website id=m1',
   'log: unavailable');
$redis->thaw();

ok(becomes(sub {
    my $now = status();

    $now->{events_received} == $now->{events_stored} + $now->{events_rejected}
                               + $now->{events_dropped}
        && $now->{events_dropped} == 1;
}, 5), 'every event is accounted for');


# ---- over the life of workers ----

my $before = status()->{events_stored};

$nginx->reload();
post($port, '/v1/track', \%event, key => 'wk');
ok(becomes(sub { status()->{events_stored} == $before + 1 }, 5),
   'counters survive a reload');

ok(becomes(sub { status()->{workers} == 2 }, 10),
   'old workers are not counted for long');

$t->expect(qr/exited on signal 9/);
$nginx->kill_worker();
post($port, '/v1/track', \%event, key => 'wk');
ok(becomes(sub { status()->{events_stored} >= $before + 1 }, 5),
   'counters survive a killed worker');
ok(becomes(sub { status()->{requests_parked} == 0 && status()->{workers} == 2 },
           10), 'a killed worker leaves no phantom');

$t->done();
