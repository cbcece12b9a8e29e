#!/usr/bin/perl

# What a person has denied is nowhere, whatever wire format it came in: each
# dialect has ids, addresses and click ids in places of its own.  The same
# search as for Segment's format: Redis and its file, the spool, logs, the
# status page, and the answer's own cookies.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(hmac_sha256_hex);
use File::Find ();
use MIME::Base64 qw(encode_base64 encode_base64url);

use Martech::Spool qw(books);
use Martech::Test;

my $t = Martech::Test->new(timeout => 240);
my $redis = $t->redis();

$t->file('hook.key', "a secret of a webhook\n");

my $DIALECTS = 'segment rudderstack ga4 posthog matomo plausible'
    . ' umami cloudevents reporting pixel';

my $nginx = $t->nginx(<<"END", workers => 2);
    log_format  everything '\$remote_addr \$http_user_agent \$request '
                           '\$http_referer \$http_cookie \$martech_verdict '
                           '\$martech_message_id \$martech_source '
                           '\$martech_events [\$martech_consent]';

    set_real_ip_from  127.0.0.1;
    real_ip_header    X-Client;

    martech_redis   %%REDIS%% timeout=3s;
    martech_spool   %%PREFIX%%/spool after=50ms;
    martech_source  website key=wk;

    martech_cookie    visit;
    martech_campaign  on cookie=came;

    client_body_buffer_size 1k;

    server {
        listen 127.0.0.1:8080;
        access_log %%PREFIX%%/access.log everything;

        location /drop/ {
            martech_consent policy=drop gpc=all;
            martech_dialect $DIALECTS;
            martech_dialect snowplow redirect=target.example;
            martech_collect;
        }

        location /anonymous/ {
            martech_consent policy=anonymize gpc=all;
            martech_dialect $DIALECTS;
            martech_dialect snowplow redirect=target.example;
            martech_collect;
        }

        location /drop/rudder/ {
            martech_consent policy=drop gpc=all;
            martech_dialect rudderstack;
            martech_collect;
        }

        location /anonymous/rudder/ {
            martech_consent policy=anonymize gpc=all;
            martech_dialect rudderstack;
            martech_collect;
        }

        location = /drop/hook {
            martech_consent policy=drop gpc=all;
            martech_webhook github secret_file=%%PREFIX%%/hook.key;
        }

        location = /anonymous/hook {
            martech_consent policy=anonymize gpc=all;
            martech_webhook github secret_file=%%PREFIX%%/hook.key
                            id=/order user=/customer/login;
        }

        location /status {
            martech_status;
        }
    }
END

my $port = $t->port(8080);
my $number = 0;


# ---- a person ----

# Words that nobody else uses, for one request.
sub person {
    my $n = ++$number;

    return {
        message => "message-$n-zq", anonymous => "anonymous-$n-zq",
        user => "user-$n-zq", session => "session-$n-zq",
        device => "device-$n-zq", view => sprintf('zq%04d', $n),
        hex => sprintf('5eed%012x', 0xabcdef00 + $n),
        email => "person$n\@zq.example", click => "click-$n-zq",
        agent => "Mozilla/5.0 (X11; zq$n) Gecko",
        ip => '198.51.100.' . (100 + $n), override => '203.0.113.' . (100 + $n),
        cookie => sprintf('019aa600-0000-7000-8000-%012x', 0xfeed0000 + $n),
    };
}


sub url { "https://a.example/page?gclid=$_[0]{click}&mail=$_[0]{email}" }

sub query {
    my @pairs;

    while (my ($name, $value) = splice @_, 0, 2) {
        $value =~ s/([^A-Za-z0-9._-])/sprintf '%%%02X', ord $1/ge;
        push @pairs, "$name=$value";
    }

    return join '&', @pairs;
}


# ---- the wire formats: path, media type, body ----

sub snowplow {
    my ($p) = @_;

    return (e => 'se', se_ca => 'shop', se_ac => 'bought', eid => $p->{message},
            duid => $p->{anonymous}, uid => $p->{user}, nuid => $p->{device},
            tnuid => $p->{device}, sid => $p->{session}, ip => $p->{override},
            ua => $p->{agent}, url => url($p), refr => url($p),
            aid => 'wk', fp => $p->{hex}, mac => $p->{view},
            co => to_json({ data => [ { schema => 'iglu:a.b/client_session/'
                . 'jsonschema/1-0-0', data => {
                    userId => $p->{device}, sessionId => $p->{session},
                    previousSessionId => $p->{view} } } ] }));
}

sub ga4 {
    my ($p) = @_;

    return (v => 2, tid => 'wk', cid => $p->{anonymous}, uid => $p->{user},
            sid => $p->{session}, _p => $p->{view}, _uip => $p->{override},
            uip => $p->{override}, _fid => $p->{device}, ua => $p->{agent},
            ecid => $p->{hex}, dl => url($p), dr => url($p), _gid => $p->{hex},
            gclid => $p->{click}, en => 'bought', 'up.mail' => $p->{email},
            'ep.email' => $p->{email}, 'ep.transaction_id' => $p->{message});
}

sub posthog {
    my ($p) = @_;

    return { event => 'bought', uuid => $p->{message}, properties => {
        distinct_id => $p->{user}, '$device_id' => $p->{device},
        '$anon_distinct_id' => $p->{anonymous}, '$user_id' => $p->{user},
        '$session_id' => $p->{session}, '$window_id' => $p->{view},
        '$pageview_id' => $p->{view}, '$ip' => $p->{override},
        '$insert_id' => $p->{hex}, '$raw_user_agent' => $p->{agent},
        '$current_url' => url($p), '$referrer' => url($p), gclid => $p->{click},
        '$set' => { email => $p->{email} }, token => 'wk',
        '$groups' => { company => $p->{device} } } };
}

sub matomo {
    my ($p) = @_;

    return (idsite => 'wk', rec => 1, e_c => 'shop', e_a => 'bought',
            _id => $p->{hex}, cid => $p->{hex}, uid => $p->{user},
            cip => $p->{override}, pv_id => $p->{view}, ua => $p->{agent},
            url => url($p), urlref => url($p), _idts => $p->{session},
            token_auth => $p->{device}, _ref => url($p),
            cvar => to_json({ 1 => [ 'email', $p->{email} ] }));
}

sub cloudevent {
    my ($p) = @_;

    return { specversion => '1.0', type => 'bought', source => '/shop',
             id => $p->{message}, subject => $p->{user},
             userid => $p->{user}, anonymousid => $p->{anonymous},
             ip => $p->{override}, sessionid => $p->{session},
             partitionkey => $p->{device},
             data => { email => $p->{email}, url => url($p) } };
}

my $JSON = 'application/json';
my $FORM = 'application/x-www-form-urlencoded';

my @formats = (
    [ 'segment, pixel', sub { my $p = shift;
        '/v1/pixel/track?' . query(data => encode_base64(to_json({
            event => 'bought', anonymousId => $p->{anonymous},
            userId => $p->{user}, messageId => $p->{message}, context => {
                ip => $p->{override}, page => { url => url($p) } } }), '')) } ],
    [ 'rudderstack, header', sub { my $p = shift;
        ('/rudder/v1/track', $JSON, to_json({ event => 'bought', context => {
            sessionId => $p->{session}, traits => { email => $p->{email} },
            page => { url => url($p) } }, messageId => $p->{message} }),
         AnonymousId => encode_base64($p->{anonymous}, '')) } ],
    [ 'rudderstack, pixel', sub { my $p = shift;
        '/pixel/v1/track?' . query(event => 'bought',
            anonymousId => $p->{anonymous}, userId => $p->{user},
            'context.ip' => $p->{override},
            'context.page.url' => url($p)) } ],
    [ 'rudderstack, beacon', sub { my $p = shift;
        ('/beacon/v1/batch', 'text/plain', to_json({ batch => [ {
            type => 'track', event => 'bought', userId => $p->{user},
            anonymousId => $p->{anonymous}, messageId => $p->{message},
            context => { ip => $p->{override}, userAgent => $p->{agent},
                         page => { url => url($p) } } } ] })) } ],
    [ 'snowplow, pixel', sub { '/i?' . query(snowplow($_[0])) } ],
    [ 'snowplow, post', sub {
        ('/com.snowplowanalytics.snowplow/tp2', $JSON,
         to_json({ schema => 'iglu:com.snowplowanalytics.snowplow/'
                       . 'payload_data/jsonschema/1-0-4',
                   data => [ { snowplow($_[0]) } ] })) } ],
    [ 'snowplow, base64', sub { my %sp = snowplow($_[0]);
        $sp{cx} = encode_base64url(delete $sp{co});
        '/i?' . query(%sp) } ],
    [ 'snowplow, redirect', sub { '/r/tp2?' . query(
        u => "https://target.example/?gclid=$_[0]{click}&i=\${SP_NUID}",
        snowplow($_[0])) } ],
    [ 'ga4, query', sub { '/g/collect?' . query(ga4($_[0])) } ],
    [ 'ga4, lines', sub { my %ga = ga4($_[0]); my $en = delete $ga{en};
        ('/g/collect?' . query(%ga), 'text/plain', "en=$en\r\nen=other") } ],
    [ 'ga4, server', sub { my $p = shift;
        ('/mp/collect?measurement_id=wk&api_secret=' . $p->{device}, $JSON,
         to_json({ client_id => $p->{anonymous}, user_id => $p->{user},
             ip_override => $p->{override}, user_agent => $p->{agent},
             user_data => { sha256_email_address => $p->{hex} },
             user_location => { city => $p->{view} },
             device => { model => $p->{device} },
             user_properties => { mail => { value => $p->{email} } },
             events => [ { name => 'bought', params => {
                 session_id => $p->{session}, page_location => url($p),
                 ga_session_id => $p->{session}, gclid => $p->{click},
                 transaction_id => $p->{message} } } ] })) } ],
    [ 'posthog', sub { ('/e/', $JSON, to_json(posthog($_[0]))) } ],
    [ 'posthog, form', sub {
        ('/capture/?compression=base64&ip=1', $FORM,
         query(data => encode_base64(to_json(posthog($_[0])), ''))) } ],
    [ 'posthog, batch', sub {
        ('/batch/', $JSON, to_json({ api_key => 'wk', padding => 'x' x 3000,
                                     batch => [ posthog($_[0]) ] })) } ],
    [ 'posthog, identify', sub { my $p = shift; my $event = posthog($p);
        $event->{event} = '$identify';
        ('/i/v0/e/', $JSON, to_json($event)) } ],
    [ 'matomo, query', sub { '/matomo.php?' . query(matomo($_[0])) } ],
    [ 'matomo, form', sub {
        ('/matomo.php', $FORM, query(matomo($_[0]))) } ],
    [ 'matomo, bulk', sub {
        ('/matomo.php', $JSON, to_json({
            requests => [ '?' . query(matomo($_[0])) ],
            token_auth => $_[0]{device} })) } ],
    [ 'plausible', sub { my $p = shift;
        ('/api/event', 'text/plain', to_json({
            n => 'bought', u => url($p), d => 'wk', r => url($p),
            p => { email => $p->{email}, sessionId => $p->{session} } })) } ],
    [ 'umami', sub { my $p = shift;
        ('/api/send', $JSON, to_json({ type => 'event', payload => {
            website => 'wk', hostname => 'a.example', name => 'bought',
            url => url($p), referrer => url($p), id => $p->{user},
            ip => $p->{override}, userAgent => $p->{agent},
            data => { email => $p->{email} } } }),
         'X-Umami-Cache' => $p->{session}) } ],
    [ 'cloudevents', sub {
        ('/cloudevents', 'application/cloudevents+json',
         to_json(cloudevent($_[0]))) } ],
    [ 'cloudevents, headers', sub { my %ce = %{ cloudevent($_[0]) };
        my $data = delete $ce{data};
        ('/cloudevents', $JSON, to_json($data),
         map { ("ce-$_" => $ce{$_}) } sort keys %ce) } ],
    [ 'reports', sub { my $p = shift;
        ('/reports', 'application/reports+json', to_json([ {
            type => 'network-error', age => 1, url => url($p),
            user_agent => $p->{agent}, body => {
                referrer => url($p), server_ip => '192.0.2.1',
                phase => 'connection', type => 'tcp.reset' } } ])) } ],
    [ 'reports of CSP', sub { my $p = shift;
        ('/reports', 'application/csp-report', to_json({ 'csp-report' => {
            'document-uri' => url($p), referrer => url($p),
            'blocked-uri' => url($p), 'script-sample' => $p->{email} } })) } ],
    [ 'pixel', sub { my $p = shift;
        '/p.gif?' . query(event => 'bought', userId => $p->{user},
            anonymousId => $p->{anonymous}, messageId => $p->{message},
            ip => $p->{override}, userAgent => $p->{agent}, url => url($p),
            'user.email' => $p->{email}, gclid => $p->{click}) } ],
);


# ---- helpers ----

sub status { get($port, '/status')->{json} }


sub send_format {
    my ($folder, $make, $p, @signal) = @_;
    my ($path, $type, $body, @headers) = $make->($p);

    return http($port, defined $body ? 'POST' : 'GET', "$folder$path",
                defined $body ? (body => $body) : (),
                headers => [
                    Authorization => 'Basic ' . encode_base64('wk:', ''),
                    $type ? ('Content-Type' => $type) : (),
                    'User-Agent' => $p->{agent}, 'X-Client' => $p->{ip},
                    Referer => url($p),
                    Cookie => "visit=$p->{cookie}; sp=$p->{device}; "
                        . "came=gclid=$p->{click}", @headers, @signal ]);
}


# a cookie in an answer may only end one
sub kept {
    my ($r) = @_;
    my $cookies = $r->{headers}{'set-cookie'} // '';

    return join ' ', grep { !/=;/ || !/Max-Age=0/i }
        grep { length } split /\n/, $cookies;
}


sub everything {
    my @bytes = to_json(status());

    File::Find::find({ no_chdir => 1, wanted => sub {
        push @bytes, "$_\n" . Martech::Nginx::slurp($_) if -f && -r _;
    } }, $t->dir());

    for my $key (@{ $redis->call('keys', '*') }) {
        push @bytes, $key, $redis->call('dump', $key);
    }

    return @bytes;
}


# the words of a person that stand somewhere
sub found {
    my ($p, $bytes) = @_;

    return join ' ', grep {
        my $word = $p->{$_};
        grep { index($_, $word) >= 0 } @$bytes;
    } sort keys %$p;
}


my @people;             # [ what was sent, person ]

sub denied {
    my ($folder, $name, $make, $status) = @_;
    my $p = person();
    my $r = send_format($folder, $make, $p, 'Sec-GPC' => 1);

    push @people, [ "$folder, $name", $p ];
    like($r->{status}, $status // qr/^(20[024]|302)$/,
         "$folder, $name: answered as always");
    is(kept($r), '', "$folder, $name: no cookie");
    is(join(' ', grep { index($r->{headers}{location} // '', $p->{$_}) >= 0 }
                 qw(device anonymous user cookie)), '',
       "$folder, $name: a redirect names nobody");
}


# ---- each format, denied by a header ----

for my $folder ('/drop', '/anonymous') {
    for my $format (@formats) {
        my $stored = $redis->count();

        denied($folder, @$format);
        is($redis->count(), $stored, "$folder, $format->[0]: stored nothing")
            if $folder eq '/drop';
    }
}

my $stored = $redis->count();
cmp_ok($stored, '>=', @formats - 4, 'the anonymous ones are in Redis');


# ---- webhooks, where consent is configured ----

sub delivery {
    my ($p) = @_;
    my $body = to_json({ action => 'bought', order => $p->{message},
                         sender => { login => $p->{user}, id => $p->{hex} },
                         customer => { login => $p->{user} },
                         email => $p->{email}, padding => 'x' x 3000 });

    return ('/hook', $JSON, $body, 'X-GitHub-Event' => 'order',
            'X-GitHub-Delivery' => $p->{device},
            'X-Hub-Signature-256' => 'sha256='
                . hmac_sha256_hex($body, 'a secret of a webhook'));
}

denied($_, 'a webhook', \&delivery) for '/drop', '/anonymous';
is($redis->count(), $stored + 1, 'one of two webhooks is stored');


# ---- what is refused ----

denied('/drop', 'a path of nobody', sub { '/nowhere?' . query(ga4($_[0])) },
       qr/^404$/);
denied('/drop', 'a pixel of nothing', sub { '/p.gif?type=' . $_[0]{user} },
       qr/^400$/);
denied('/anonymous', 'a body of nothing', sub {
    ('/e/', $JSON, '{"event":"' . $_[0]{email}) }, qr/^400$/);


# ---- Redis is away ----

$redis->freeze();
denied('/anonymous', "$_->[0], spooled", $_->[1])
    for grep { $_->[0] =~ /^(snowplow, post|ga4, query|matomo, form|umami)$/ }
        @formats;

my $granted = person();

is(send_format('/anonymous', $formats[4][1], $granted)->{status}, 200,
   'one who grants it');
cmp_ok(status()->{events_spooled}, '>', 0, 'there is something in the spool');

{
    my @bytes;

    File::Find::find({ no_chdir => 1, wanted => sub {
        push @bytes, Martech::Nginx::slurp($_) if -f && -r _;
    } }, $t->dir() . '/spool');

    is(found($_->[1], \@bytes), '', "not in the spool: $_->[0]")
        for @people[-4 .. -1];
    isnt(found($granted, \@bytes), '', '... but who has granted it');
}

$redis->thaw();
ok(becomes(sub { my $s = status();
                 $s->{spool_waiting} == 0 && $s->{events_waiting} == 0 }, 20),
   'the spool is replayed');


# ---- the search ----

$redis->call('config', 'set', 'save', '');
$redis->call('config', 'set', 'rdbcompression', 'no');
$redis->call('save');

ok(becomes(sub { index(Martech::Nginx::slurp($t->dir() . '/access.log'),
                       $granted->{agent}) >= 0 }, 5), 'who grants is logged');

my @bytes = everything();

is(found($_->[1], \@bytes), '', "nothing of: $_->[0]") for @people;

my $all = found($granted, \@bytes);

like($all, qr/\b$_\b/, "the search finds what was granted: $_")
    for qw(agent anonymous click device email ip message session user);

is($nginx->logged(qr/temporary file/), 0, 'no body was written to disk');
is(books(status()), '', 'the books close');

$t->done();
