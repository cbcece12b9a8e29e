#!/usr/bin/perl

# Inbound webhooks: what a vendor has signed becomes an event, each scheme from
# its header to the stream; what nobody has signed is answered 401, counted by
# its reason, and leaves nothing behind.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha1 hmac_sha1_hex hmac_sha256 hmac_sha256_hex
                   sha256_hex);
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(decode_base64 encode_base64);

use Martech::Test;

my $SECRET = 'demo-secret-7f3a';
my $RAW = '0123456789abcdef01234567';
my $PUBLIC = 'https://hooks.example/in';
my $FORM = 'application/x-www-form-urlencoded';
my $MARK = 'nothing-of-this-is-kept';

my $t = Martech::Test->new();
my $redis = $t->redis();

sub b64 { encode_base64($_[0], '') }


# ---- a key pair of P-256 and one of ed25519, by openssl ----

sub openssl {
    my ($command) = @_;

    system("cd " . $t->dir() . " && openssl $command 2>/dev/null") == 0
        or die "openssl $command failed\n";
}

sub slurp {
    my ($name) = @_;

    open my $fh, '<:raw', $t->dir() . "/$name" or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}

openssl('ecparam -name prime256v1 -genkey -noout -out p256.key');
openssl('ec -in p256.key -pubout -outform DER -out p256.der');
openssl('genpkey -algorithm ed25519 -out ed.key');
openssl('pkey -in ed.key -pubout -outform DER -out ed.der');

$t->define(
    SECRET => $t->file('secret', "$SECRET\n"),
    WHSEC => $t->file('whsec', "whsec_" . b64($RAW) . "\n"
             . 'whpk_' . b64(substr slurp('ed.der'), -32) . "\n"),
    SPKI => $t->file('spki', b64(slurp('p256.der')) . "\n"),
    EIGHT => $t->file('eight', "# rotated\n\n"
             . join('', map { "other-$_\n" } 1 .. 7) . "$SECRET\r\n"),
    ROTATE => $t->file('rotate', "former\n"),
    PUBLIC => $PUBLIC,
);

my @PLAIN = qw(stripe shopify github slack intercom calendly typeform paddle
               woocommerce zendesk segment hubspot_v1 mailchimp);

my $CONF = <<'END' . join('', map { <<"END" } @PLAIN) . "    }\n";
    log_format  all '$request_method $status $martech_message_id';

    martech_redis    %%REDIS%%;
    martech_consent  policy=drop default=denied;

    server {
        listen 127.0.0.1:8080;
        access_log %%PREFIX%%/access.log all;

        location = /status { martech_status; }
        location = /metrics { martech_status prometheus; }

        location = /standard {
            martech_webhook standard secret_file=%%WHSEC%%;
        }
        location = /svix {
            martech_webhook svix secret_file=%%WHSEC%%;
        }
        location = /sendgrid {
            martech_webhook sendgrid secret_file=%%SPKI%%;
        }
        location = /hubspot {
            martech_webhook hubspot url=%%PUBLIC%%/ secret_file=%%SECRET%%;
        }
        location = /hubspot_v2 {
            martech_webhook hubspot_v2 url=%%PUBLIC%% secret_file=%%SECRET%%;
        }
        location = /twilio {
            martech_webhook twilio url=%%PUBLIC%% secret_file=%%SECRET%%;
        }
        location = /mandrill {
            martech_webhook mandrill url=%%PUBLIC%% secret_file=%%SECRET%%;
        }
        location = /direct {
            martech_webhook hubspot_v2 url=$scheme://$host$request_uri
                            secret_file=%%SECRET%%;
        }
        location = /eight {
            martech_webhook github secret_file=%%EIGHT%%;
        }
        location = /rotate {
            martech_webhook github secret_file=%%ROTATE%%;
        }
        location = /dropped {
            martech_drop if=$arg_bot reason=bot;
            martech_webhook github secret_file=%%SECRET%%;
        }
        location = /consent {
            martech_consent policy=drop default=denied;
            martech_webhook github secret_file=%%SECRET%%;
        }
        location = /nested {
            if ($arg_x) {
                set $nested 1;
            }
            limit_except POST {
                deny all;
            }
            martech_webhook github secret_file=%%SECRET%%;
        }
        location = /private {
            martech_redact name=email mask;
            martech_webhook github secret_file=%%SECRET%%;
        }
        location = /hmac {
            martech_webhook hmac header=X-Sign encoding=base64url
                            algorithm=sha1 prefix=v9: separator=,
                            timestamp_header=X-Time unit=ms tolerance=1m
                            "template={header:X-Id}|{time}|{sha256}"
                            "event=Paid {/kind} {header:X-Id}"
                            source=billing user=/who/id anonymous=/who/device
                            id=$http_x_id time=/when each=/list
                            secret_file=%%SECRET%%;
        }
END
        location = /$_ {
            martech_webhook $_ secret_file=%%SECRET%%;
        }
END

my $nginx = $t->nginx($CONF);
my $port = $t->port(8080);
my $now = time;


sub status { get($port, '/status')->{json} }


# Sends a delivery: the response and what is new in the stream.
sub deliver {
    my ($path, $body, $headers, %arg) = @_;

    $redis->call('flushall');

    my $response = http($port, $arg{method} // 'POST', $path,
                        type => $arg{type} // 'application/json',
                        headers => $headers, body => $body);

    return ($response, map { $_->{event} } $redis->events());
}


sub standard {
    my ($prefix, $body, $id, $time) = @_;

    $id //= 'msg_1';
    $time //= $now;

    return ["$prefix-id" => $id, "$prefix-timestamp" => $time,
            "$prefix-signature" => 'v1,AAAA v1,'
                . b64(hmac_sha256("$id.$time.$body", $RAW))];
}


sub ed25519 {
    my ($body) = @_;

    $t->file('message', "msg_2.$now.$body");
    openssl('pkeyutl -sign -inkey ed.key -rawin -in message -out signature');

    return ['webhook-id' => 'msg_2', 'webhook-timestamp' => $now,
            'webhook-signature' => 'v1a,' . b64(slurp('signature'))];
}


sub ecdsa {
    my ($body) = @_;
    my $name = 'X-Twilio-Email-Event-Webhook';

    $t->file('message', $now . $body);
    openssl('dgst -sha256 -sign p256.key -out signature message');

    return ["$name-Signature" => b64(slurp('signature')),
            "$name-Timestamp" => $now];
}


sub github {
    my ($body, $secret) = @_;

    return ['X-Hub-Signature-256' => 'sha256='
                . hmac_sha256_hex($body, $secret // $SECRET),
            'X-GitHub-Event' => 'push', 'X-GitHub-Delivery' => 'guid-1'];
}


sub rfc3339 {
    my @at = gmtime $_[0];

    return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $at[5] + 1900,
        $at[4] + 1, @at[3, 2, 1, 0];
}


# ---- each scheme, end to end ----

my $object = '{"id":"evt_1","type":"order.paid","event":"order.paid",'
    . '"event_type":"order.paid","topic":"order.paid","event_id":"eid_1",'
    . '"n":1.50}';
my $list = '[{"eventId":7,"portalId":5,"subscriptionType":"order.paid",'
    . '"objectId":42,"occurredAt":1750000000123,"n":1.50}]';
my $mails = '[{"event":"order.paid","sg_event_id":"sg_1",'
    . '"timestamp":1750000000,"n":1.50},{"event":"open","sg_event_id":"sg_2"}]'
    . "\r\n";
my $calls = 'Digits=12&EventType=order.paid&AccountSid=AC1&n=1.50&B%20=%2B4';
my $events = '[{"event":"order.paid","ts":1750000000,"n":1.50}]';
my $mandrill = 'mandrill_events=%5B%7B%22event%22%3A%22order.paid%22%2C%22ts'
    . '%22%3A1750000000%2C%22n%22%3A1.50%7D%5D';
my $stamp = rfc3339($now);

# path, body, headers, type, messageId or pattern, more that the event has
my @schemes = (
    [standard => $object, standard('webhook', $object), undef, 'msg_1'],
    [standard => $object, ed25519($object), undef, 'msg_2'],
    [svix => $object, standard('svix', $object), undef, 'msg_1'],
    [svix => $object, standard('webhook', $object), undef, 'msg_1'],
    [stripe => $object, ['Stripe-Signature' => "t=$now,v1="
        . hmac_sha256_hex("$now.$object", $SECRET)], undef, 'evt_1'],
    [shopify => $object, ['X-Shopify-Hmac-SHA256'
            => b64(hmac_sha256($object, $SECRET)),
        'X-Shopify-Topic' => 'order.paid', 'X-Shopify-Webhook-Id' => 'wid-1',
        'X-Shopify-Shop-Domain' => 'shop.example'], undef, 'wid-1'],
    [slack => $object, ['X-Slack-Request-Timestamp' => $now,
        'X-Slack-Signature' => 'v0='
            . hmac_sha256_hex("v0:$now:$object", $SECRET)], undef, 'eid_1'],
    [intercom => $object, ['X-Hub-Signature' => 'sha1='
        . hmac_sha1_hex($object, $SECRET)], undef, 'evt_1'],
    [calendly => $object, ['Calendly-Webhook-Signature' => "t=$now,v1="
        . hmac_sha256_hex("$now.$object", $SECRET)], undef, qr/^\w{8}-/],
    [typeform => $object, ['Typeform-Signature' => 'sha256='
        . b64(hmac_sha256($object, $SECRET))], undef, 'eid_1'],
    [paddle => $object, ['Paddle-Signature' => "ts=$now;h1="
        . hmac_sha256_hex("$now:$object", $SECRET)], undef, 'eid_1'],
    [woocommerce => $object, ['X-WC-Webhook-Topic' => 'order.paid',
        'X-WC-Webhook-Delivery-ID' => 9, 'X-WC-Webhook-Signature'
            => b64(hmac_sha256($object, $SECRET))], undef, qr/^\w{8}-/],
    [zendesk => $object, ['X-Zendesk-Webhook-Signature'
            => b64(hmac_sha256($stamp . $object, $SECRET)),
        'X-Zendesk-Webhook-Invocation-Id' => 'inv-1',
        'X-Zendesk-Webhook-Signature-Timestamp' => $stamp], undef, 'inv-1'],
    [hubspot_v1 => $list, ['X-HubSpot-Signature'
        => sha256_hex($SECRET . $list)], undef, qr/^\w{8}-/],
    [hubspot_v2 => $list, ['X-HubSpot-Signature' => sha256_hex($SECRET
        . "POST$PUBLIC/hubspot_v2$list")], undef, qr/^\w{8}-/],
    [hubspot => $list, ['X-HubSpot-Request-Timestamp' => $now . '000',
        'X-HubSpot-Signature-v3' => b64(hmac_sha256("POST$PUBLIC/hubspot$list"
            . $now . '000', $SECRET))], undef, qr/^\w{8}-/],
    [direct => $list, ['X-HubSpot-Signature' => sha256_hex($SECRET
        . "POSThttp://localhost/direct$list")], undef, qr/^\w{8}-/],
    [sendgrid => $mails, ecdsa($mails), undef, 'sg_1'],
    [twilio => $calls, ['X-Twilio-Signature' => b64(hmac_sha1(
            "$PUBLIC/twilioAccountSidAC1B +4Digits12EventTypeorder.paidn1.50",
            $SECRET))], $FORM, qr/^\w{8}-/],
    ['twilio?bodySHA256=' . sha256_hex($object) => $object,
        ['X-Twilio-Signature' => b64(hmac_sha1("https://hooks.example:443/in/"
            . 'twilio?bodySHA256=' . sha256_hex($object), $SECRET)),
         'I-Twilio-Idempotency-Token' => 'token-1'], undef, 'token-1'],
    [mandrill => $mandrill, ['X-Mandrill-Signature' => b64(hmac_sha1(
            "$PUBLIC/mandrillmandrill_events$events", $SECRET))], $FORM,
        qr/^\w{8}-/],
    ["mailchimp?secret=$SECRET" => 'type=order.paid&data%5Blist_id%5D=l1'
        . '&n=1.50', [], $FORM, qr/^\w{8}-/],
);

for (@schemes) {
    my ($path, $body, $headers, $type, $id) = @$_;
    my ($name) = $path =~ /^(\w+)/;
    my ($response, @events) = deliver("/$path", $body, $headers,
                                      type => $type);
    my ($event) = grep { ($_->{properties}{n} // '') eq '1.5'
                         || ($_->{properties}{n} // '') eq '1.50' } @events;

    is($response->{status}, 200, "$name: a good signature is answered 200")
        or diag($response->{body});
    ok($event, "$name: its payload is stored") or next;
    is($event->{type}, 'track', "$name: as a track event");

    # one scheme has no type in a body that is not its own
    is($event->{event}, $path =~ /bodySHA256/ ? 'twilio webhook' : 'order.paid',
       "$name: with the name that its payload has");
    like($event->{messageId}, ref $id ? $id : qr/^\Q$id\E$/,
         "$name: under the id of the delivery");
    ok($event->{userId} // $event->{anonymousId}, "$name: it is somebody's");
    is($event->{context}{martech}{dialect}, 'webhook', "$name: by its dialect");

    $name = 'hubspot_v2' if $name eq 'direct';
    is($event->{context}{webhook}{scheme}, $name, "$name: and its scheme");
    is($event->{context}{martech}{source}, $name, "$name: is its source");
    ok(!exists $event->{context}{ip}, "$name: the vendor's address is not");
}

my ($response, @events) = deliver('/segment',
    '[{"type":"track","event":"A","userId":"u","messageId":"m1"},'
    . '{"type":"page","userId":"u","messageId":"m2"}]',
    ['X-Signature' => hmac_sha1_hex(
        '{"type":"track","event":"A","userId":"u","messageId":"m1"}',
        $SECRET)]);

is(join(' ', sort map { "$_->{type}:$_->{messageId}" } @events),
   'page:m2 track:m1', 'events of a batch stay what they are');


# ---- what a delivery becomes ----

my $when = $now . '123';
my $pay = '{"list":[{"kind":"a","who":{"id":5,"device":"d1"},"when":'
    . '1750000000},{"who":{"device":"d2"},"when":'
    . '"2025-06-15T15:06:41Z"}],"kind":"outer"}';
my $sign = b64(hmac_sha1("del-1|$when|" . sha256_hex($pay), $SECRET));

$sign =~ tr{+/}{-_};
$sign =~ s/=+$//;

($response, @events) = deliver('/hmac', $pay,
    ['X-Sign' => "v8:x, v9:$sign", 'X-Time' => $when, 'X-Id' => 'del-1']);
@events = sort { $a->{messageId} cmp $b->{messageId} } @events;

is($response->{body}, '{"success":true}', 'all is spelled out, and works');
is(@events, 2, 'an element of a list is an event');
is($events[0]{event}, 'Paid a del-1', 'names come from a template');
is($events[1]{event}, 'Paid outer del-1',
   'what an element has not may stand around it');
is($events[0]{userId}, '5', 'a number is an id');
is($events[0]{anonymousId}, 'd1', 'and a device');
is($events[1]{anonymousId}, 'd2', 'a device is enough');
ok(!exists $events[1]{userId}, 'without a user');
is("$events[0]{messageId} $events[1]{messageId}", 'del-1-0 del-1-1',
   'the id of a delivery is one of each');
is($events[0]{timestamp}, '2025-06-15T15:06:40.000Z', 'seconds are a time');
is($events[1]{timestamp}, '2025-06-15T15:06:41.000Z', 'a date is one');
is($events[0]{context}{martech}{source}, 'billing', 'the source is named');

my $again = '{"a":1}';
my $first = (deliver('/calendly', $again, ['Calendly-Webhook-Signature'
    => "t=$now,v1=" . hmac_sha256_hex("$now.$again", $SECRET)]))[1];
my $later = $now + 1;
my $second = (deliver('/calendly', $again, ['Calendly-Webhook-Signature'
    => "t=$later,v1=" . hmac_sha256_hex("$later.$again", $SECRET)]))[1];

is($second->{messageId}, $first->{messageId},
   'without an id the payload is it, whenever it is sent again');
is($second->{event}, 'calendly webhook', 'without a type the scheme is named');

($response, @events) = deliver('/private', '{"email":"a@b.example"}',
    github('{"email":"a@b.example"}'));
unlike(to_json(\@events), qr/a\@b\.example/, 'privacy applies');

for my $path ('/nested', '/nested?x=1') {
    ($response, @events) = deliver($path, '{}', github('{}'));
    is("$response->{status} " . @events, '200 1', "$path takes deliveries");
    ($response, @events) = deliver($path, '{}', github('{}', 'wrong'));
    is("$response->{status} " . @events, '401 0', "$path only signed ones");
}

($response, @events) = deliver('/dropped?bot=1', '{}', github('{}'));
is("$response->{status} " . @events, '200 0', 'rules of the location apply');

($response, @events) = deliver('/consent', '{}', github('{}'));
is("$response->{status} " . @events, '200 0', 'consent does where it is asked');

($response, @events) = deliver('/github', 'payload=%7B%22a%22%3A%22b+c%22%7D',
    github('payload=%7B%22a%22%3A%22b+c%22%7D'), type => $FORM);
is($events[0]{properties}{a}, 'b c', 'JSON may stand in a form');

($response, @events) = deliver('/github', 'no json', github('no json'));
is($response->{status} . ' ' . @events, '400 0', 'a payload must be one');


# ---- somebody is there ----

my $challenge = '{"type":"url_verification","challenge":"3eZbrw1a<b>"}';

sub slack {
    my ($body, $secret) = @_;

    return ['X-Slack-Request-Timestamp' => $now, 'X-Slack-Signature' => 'v0='
        . hmac_sha256_hex("v0:$now:$body", $secret // $SECRET)];
}

($response, @events) = deliver('/slack', $challenge, slack($challenge));
is($response->{body}, '3eZbrw1a<b>', 'a challenge is echoed');
is($response->{headers}{'content-type'}, 'text/plain', 'as text');
is(@events, 0, 'and is no event');

($response) = deliver('/slack', $challenge, slack($challenge, 'wrong'));
is($response->{status}, 401, 'but not to anybody');
unlike($response->{body}, qr/3eZbrw1a/, 'nothing of it');

($response) = deliver('/slack', '{"a":1}', slack('{"a":1}'));
is($response->{status} . $response->{body}, '200', 'nothing is said to users');

($response) = deliver('/twilio', $calls, $schemes[-4][2], type => $FORM);
is($response->{body}, '<Response></Response>', 'nor told to a telephone');

for (['/mailchimp?secret=' . $SECRET, GET => 200],
     ['/mailchimp?secret=x', GET => 401], ['/mailchimp', GET => 401],
     ['/mandrill', HEAD => 200], ['/intercom', HEAD => 200],
     ['/stripe', GET => 405], ['/stripe', PUT => 405],
     ['/mandrill', GET => 405])
{
    my ($path, $method, $expected) = @$_;

    is(http($port, $method, $path)->{status}, $expected, "$method $path");
}

($response, @events) = deliver('/mandrill', 'mandrill_events=%5B%5D',
    ['X-Mandrill-Signature' => b64(hmac_sha1(
        "$PUBLIC/mandrillmandrill_events[]", 'test-webhook'))], type => $FORM);
is($response->{status} . ' ' . @events, '200 0', 'a known key tests');

($response, @events) = deliver('/mandrill', $mandrill,
    ['X-Mandrill-Signature' => b64(hmac_sha1(
        "$PUBLIC/mandrillmandrill_events$events", 'test-webhook'))],
    type => $FORM);
is($response->{status} . ' ' . @events, '200 0', 'and stores nothing');

($response, @events) = deliver('/woocommerce', 'webhook_id=12', [],
                               type => $FORM);
is($response->{status} . ' ' . @events, '200 0', 'the ping of a new webhook');

($response, @events) = deliver('/woocommerce', 'webhook_id=12&a=b', [],
                               type => $FORM);
is($response->{status} . ' ' . @events, '401 0', 'is nothing else');

my @ping = @{ github('{}') };
$ping[3] = 'ping';
($response, @events) = deliver('/github', '{}', \@ping);
is($response->{status} . ' ' . @events, '200 0', 'a ping is no event');


# ---- what nobody has signed ----

my $before = status();
my $old = $now - 400;
my $new = $now + 400;
my $body = "{\"x\":\"$MARK\"}";

for ([stripe => [], 'signature_missing'],
     [stripe => ['Stripe-Signature' => "$MARK"], 'signature_malformed'],
     [stripe => ['Stripe-Signature' => "v1=" . '0' x 64], 'signature_no_time'],
     [stripe => ['Stripe-Signature' => "t=$now,v1=" . '0' x 64],
         'signature_bad'],
     [stripe => ['Stripe-Signature' => "t=$old,v1="
         . hmac_sha256_hex("$old.$body", $SECRET)], 'signature_old'],
     [stripe => ['Stripe-Signature' => "t=$old,v1="
         . hmac_sha256_hex("$old.$body", 'wrong')], 'signature_bad'],
     [standard => standard('webhook', $body, 'msg_1', $new), 'signature_new'],
     [github => [@{ github($body) }, 'X-Hub-Signature-256' => 'sha256='
         . '0' x 64], 'signature_malformed'],
     [hubspot => ['X-HubSpot-Signature-v3' => $MARK,
         'X-HubSpot-Request-Timestamp' => $now], 'signature_malformed'])
{
    my ($name, $headers, $reason) = @$_;
    my ($response, @events) = deliver("/$name?$MARK=1", $body, $headers);

    is($response->{status}, 401, "$name: $reason is answered 401");
    is($response->{json}{code}, $reason, "$name: by its name");
    is(@events, 0, "$name: and not stored");
    is($response->{headers}{'www-authenticate'}, 'Signature',
       "$name: what is wanted is a signature");
    unlike($response->{body}, qr/\Q$MARK\E|\Q$SECRET\E/, "$name: nothing more");
}

my $after = status();

for (['signature_missing', 1], ['signature_bad', 2], ['signature_old', 1],
     ['signature_new', 1], ['signature_malformed', 3],
     ['signature_no_time', 1])
{
    my ($reason, $count) = @$_;

    is(($after->{refused}{$reason} // 0) - ($before->{refused}{$reason} // 0),
       $count, "$reason is counted");
    like(get($port, '/metrics')->{body},
         qr/^martech_requests_refused_total\{reason="$reason"\} [1-9]/m,
         "$reason is a metric");
}

is($after->{events_received}, $before->{events_received},
   'no event was received');


# ---- secrets ----

($response, @events) = deliver('/eight', '{}', github('{}'));
is($response->{status}, 200, 'the last of eight secrets signs');
($response, @events) = deliver('/eight', '{}', github('{}', 'other-1'));
is($response->{status}, 200, 'so does the first');
($response, @events) = deliver('/eight', '{}', github('{}', '# rotated'));
is($response->{status}, 401, 'a comment does not');

($response) = deliver('/rotate', '{}', github('{}', 'former'));
is($response->{status}, 200, 'before a secret is changed');

$t->file('rotate', "latest\nformer\n");
$nginx->reload();

ok(becomes(sub {
    (deliver('/rotate', '{}', github('{}', 'latest')))[0]{status} == 200;
}, 20), 'a new one is known after a reload');
is((deliver('/rotate', '{}', github('{}', 'former')))[0]{status}, 200,
   'beside the former');

$t->file('rotate', "latest\n");
$nginx->reload();

ok(becomes(sub {
    (deliver('/rotate', '{}', github('{}', 'former')))[0]{status} == 401;
}, 20), 'which ends with the next');

unlike($nginx->log_text() . slurp('access.log'),
       qr/\Q$MARK\E|\Q$SECRET\E|latest|former/, 'nothing of it is logged');


# ---- nowhere to store it ----

$redis->stop();

ok(becomes(sub {
    (http($port, 'POST', '/github', headers => github('{}'),
          body => '{}'))->{status} == 503;
}, 20), 'what is not safe is not taken');
is(http($port, 'POST', '/github', headers => github('{}'), body => '{}')
       ->{headers}{'retry-after'}, 5, 'but asked for later');


# ---- the configuration ----

$t->expect(qr/\[emerg\]/);
$t->define(NOTHING => $t->file('nothing', "# none\n"),
           SHORT => $t->file('short', "whsec_AAAA\n"),
           NINE => $t->file('nine', join '', map { "s$_\n" } 1 .. 9));

for (['', qr/invalid number of arguments/, 'a scheme is needed'],
     ['acme secret_file=%%SECRET%%', qr/"acme", .* standard, svix, stripe/,
      'an unknown one'],
     ['stripe', qr/needs secret_file=/, 'a secret is needed'],
     ['stripe secret_file=%%PREFIX%%/gone', qr/gone" failed/, 'that is there'],
     ['stripe secret_file=%%NOTHING%%', qr/nothing" has no secret/,
      'and not empty'],
     ['stripe secret_file=%%NINE%%', qr/line 9: there can be 8 secrets/,
      'nine of them'],
     ['standard secret_file=%%SHORT%%', qr/short", line 1: .* 24 to 64 bytes/,
      'a short key'],
     ['sendgrid secret_file=%%SECRET%%', qr/base64 of a P-256 key/,
      'a secret for a public key'],
     ['hubspot secret_file=%%SECRET%%', qr/needs url=/, 'a URL is needed'],
     ['hubspot url=hooks.example secret_file=%%SECRET%%',
      qr/"url=hooks.example", it must be http/, 'with its scheme'],
     ['stripe secret_file=%%SECRET%% tolerance=2d',
      qr/"tolerance=2d", it must be a time of at most 1d/, 'a long tolerance'],
     ['github secret_file=%%SECRET%% tolerance=5m',
      qr/"tolerance=5m", this scheme signs no time/, 'one without a time'],
     ['stripe secret_file=%%SECRET%% header=x', qr/the scheme "hmac" only/,
      'a header where it is known'],
     ['stripe secret_file=%%SECRET%% user=id', qr/"user=id", .* JSON pointers/,
      'a name for a pointer'],
     ['stripe secret_file=%%SECRET%% user=/a user=/b', qr/given already/,
      'two users'],
     ['stripe secret_file=%%SECRET%% "event=Paid {type}"',
      qr/a name has \{topic\}/, 'a name for a pointer in a name'],
     ['stripe secret_file=%%SECRET%% each=list', qr/it must be a JSON pointer/,
      'a list by name'],
     ['stripe secret_file=%%SECRET%% source=a/b', qr/invalid source name/,
      'a source that is none'],
     ['stripe secret_file=%%SECRET%% whatever=1', qr/the parameters are/,
      'an unknown parameter'],
     ['hmac secret_file=%%SECRET%%', qr/needs header=/, 'hmac of no header'],
     ['hmac secret_file=%%SECRET%% header=x timestamp_header=y',
      qr/needs both \{time\}/, 'a time that is not signed'],
     ['hmac secret_file=%%SECRET%% header=x template=a', qr/needs \{body\}/,
      'a body that is not signed'],
     ['hmac secret_file=%%SECRET%% header=x "template={time}{body}"',
      qr/needs both \{time\}/, 'a time from nowhere'],
     ['hmac secret_file=%%SECRET%% header=x "template={what}"',
      qr/a template has \{body\}/, 'a template of what'],
     ['hmac secret_file=%%SECRET%% header=x algorithm=md5',
      qr/"algorithm=md5", it must be sha1/, 'an algorithm of old'],
     ['hmac secret_file=%%SECRET%% header=x key=hex', qr/must be hex digits/,
      'a secret that is not hex'],
     ['stripe secret_file=%%SECRET%%; martech_collect', qr/is duplicate/,
      'both in one location'])
{
    my ($conf, $says, $name) = @$_;
    my ($accepted, $output) = $nginx->test_conf($t->fill(
        "martech_redis 127.0.0.1:6379; server { listen 127.0.0.1:8080;"
        . "location / { martech_webhook $conf; } }"));

    ok(!$accepted, "refused: $name");
    like($output, $says, "the message names it: $name");
    unlike($output, qr/\Q$SECRET\E/, "and no secret: $name");
}

$t->done();
