#!/usr/bin/perl

# Commands about destinations: "test", "new", "send", "explain".  No Redis is
# asked and no forwarder runs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();

use Martech::Command;
use Martech::Test;

my $t = Martech::Test->new();
my $receiver = $t->receiver();
my $dests = $t->dir() . '/destinations';
my $secret = 'sec"ret/+1';

sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh $text;
    close $fh or die "$file: $!\n";

    return $file;
}

sub text_of { Martech::Forwarder::slurp($_[0]) }

# changes a file, and dies if there is nothing to change
sub change {
    my ($file, $from, $to) = @_;
    my $text = text_of($file);

    $text =~ s/\Q$from\E/$to/ or die "$file: no \"$from\"\n";
    put($file, $text);
}

mkdir $dests;
symlink $t->root() . "/destinations/$_", "$dests/$_" for qw(file webhook);
mkdir "$dests/acme";

put("$dests/acme/destination.yaml", <<'END');
name: acme
kind: http
settings:
  url: { type: url, required: true }
  token: { secret: true, required: true }
auth: { kind: bearer, token: "{token}" }
consent: [analytics]
omit: "null"
endpoints:
  events:
    url: "{url}/events"
    query: { key: "{token}" }
    framing: body
    body: { api_key: "{token}", group: "@group", inputs: "@records" }
    batch: { count: 7, bytes: 4k, record: 300 }
    compress: gzip
    validate: { url: "{url}/check" }
  forms:
    url: "{url}/forms"
    framing: form
    body: { data: "@records" }
END

put("$dests/acme/map.jq", <<'END');
if .event.event == "Nothing" then drop("unmapped")
elif .event.event == "Form" then { "@endpoint": "forms", n: .event.event }
else { "@group": "g1", name: .event.event, mail: sha256(email; ["lower"]),
       s: { "@secret": "token" } }
end
END

put("$dests/acme/answer.jq", <<'END');
if .status == 409 then
  { outcome: "reject", reason: .body.why }
else null end
END

my $cli = Martech::Command->new($t, <<"END", env => { SECRET => $secret });
redis: { address: "127.0.0.1:1" }
destinations_path: $dests
allow_private: [127.0.0.1]
destinations:
  shop:
    use: acme
    settings: { url: "@{[$receiver->url()]}api", token: "env:SECRET" }
    events: ["Order *", "Form", "Nothing"]
  log:
    use: file
    settings: { path: "@{[$t->dir()]}/log" }
  hook:
    use: webhook
    settings: { url: "@{[$receiver->url()]}hook" }
END

sub event {
    my (%more) = @_;

    return put($t->dir() . '/event.json', JSON::PP->new()->canonical()
        ->encode({ type => 'track', messageId => 'm-1',
                   event => 'Order Completed',
                   context => { traits => { email => 'Ada@example.com' } },
                   %more }));
}

my $denied = { martech => { consent => { granted => ['necessary'] } } };


# ---- new, and test of what it has made ----

my $made = $t->dir() . '/made';
my $r = $cli->plain('new', 'fresh', '--dir', $made);

is($r->{status}, 0, 'new') or diag($r->{err});

$r = $cli->plain('test', "$made/fresh");
is($r->{status}, 0, 'a scaffold passes') or diag($r->{out}, $r->{err});
like($r->{out}, qr/^fresh: 2 goldens ok$/m, 'both goldens were looked at');
unlike($r->{out}, qr/\e/, 'no colours in a file');

my $kept = text_of("$made/fresh/map.jq");

put("$made/fresh/map.jq", "$kept# mine\n");
$r = $cli->plain('new', 'fresh', '--dir', $made);
is($r->{status}, 1, 'new does not write over a folder');
is(text_of("$made/fresh/map.jq"), "$kept# mine\n", 'it is as it was');

is($cli->plain('new', '../x', '--dir', $made)->{status}, 2, 'no name');
is($cli->plain('new')->{status}, 2, 'new without a name');


# ---- a golden that is broken shows the path ----

sub broken {
    my ($what, $file, $from, $to, $wanted) = @_;
    my $path = "$made/fresh/$file";
    my $before = text_of($path);

    change($path, $from, $to);

    my $r = $cli->plain('test', "$made/fresh");

    is($r->{status}, 1, "$what: exit 1");
    like($r->{out} . $r->{err}, $wanted, "$what: is said")
        or diag($r->{out}, $r->{err});
    put($path, $before);
}

my $event = 'golden/event-01-track.json';
my $answer = 'golden/answer-01-throttled.json';

broken('a value', $event, '29.9 } }' . "\n" . '      ] }', '30 } }] }',
       qr/^\s+requests\[0\]\.body\.events\[0\]\.properties\.total:
          [ ]got[ ]29\.9[ ]\/[ ]want[ ]30$/mx);
broken('a missing member', $event, '"user": "u-1",' . "\n          \"email",
       "\"email", qr/body\.events\[0\]\.user: got "u-1" \/ want nothing$/m);
broken('a url', $event, 'v1/events', 'v2/events',
       qr/requests\[0\]\.url: got https\S+v1\/events \/ want https\S+v2/);
broken('a method', $event, 'POST', 'PUT',
       qr/requests\[0\]\.method: got POST \/ want PUT$/m);
broken('a header', $event, 'Bearer t-1', 'Bearer t-2',
       qr/requests\[0\]\.headers\.Authorization: got Bearer t-1 \//);
broken('a header too many', $event, '"Content-Type"', '"X-Not": "1", "C"',
       qr/headers\.X-Not:[ ]got[ ]nothing.*
          headers\.Content-Type:[ ]got[ ]\S+[ ]\/[ ]want[ ]nothing/sx);
broken('a reason', $event, '"unsupported_type"', '"other"',
       qr/dropped: event 1: got unsupported_type \/ want other$/m);
broken('an event that is not dropped', $event, '"event": 1, "reason"',
       '"event": 0, "reason"',
       qr/dropped: event 0: got nothing .*dropped: event 1: got unsu/s);
broken('a dead letter', $event, '"event": "Order Completed",', '',
       qr/dead: event 0: got no_event_name \/ want nothing/);
broken('an outcome', $answer, '"throttled"', '"ok"',
       qr/outcome: got throttled \/ want ok$/m);
broken('a status', $answer, '429', '200',
       qr/outcome: got ok \/ want throttled$/m);
broken('a wait of the table', $answer, '"outcome": "throttled"',
       '"outcome": "throttled", "wait": 8', qr/wait: got 7 \/ want 8$/m);
broken('a word that nobody knows', $answer, '"sent"', '"send"',
       qr/"send" is not known/);
broken('JSON', $answer, '"sent": 2,', '"sent": 2',
       qr/answer-01-throttled\.json:5: /);
broken('a program', 'map.jq', 'then', 'than', qr/map\.jq:\d+: /);
broken('a program of answers', 'answer.jq', 'then', 'than',
       qr/answer\.jq:\d+: /);
broken('a description', 'destination.yaml', 'method: POST', 'methud: POST',
       qr/destination\.yaml:30: .*methud/);
broken('a setting', $event, '"region": "eu"', '"region": "mars"',
       qr/mars/);
broken('now', $event, '"2026-11-20T19:36:05Z"', '"noon"', qr/now: a time/);

is($cli->plain('test', "$made/fresh")->{status}, 0, 'and it passes again');


# ---- which destinations ----

$r = $cli->plain('test', $dests);
is($r->{status}, 1, 'a destination without goldens has not passed');
like($r->{out}, qr/^acme: there is nothing to test/m, 'and is named');
$r = $cli->plain('test', "$made/none");
is($r->{status}, 1, 'no such destination');
like($r->{err}, qr/"\Q$made\E\/none": there is no destination/, 'is said');
is($cli->plain('test', '--json')->{status}, 2, 'an unknown option');

mkdir "$dests/acme/golden";
put("$dests/acme/golden/event-01.json", JSON::PP->new()->encode({
    settings => { url => 'https://acme.example', token => 'T' },
    now => '2026-11-20T19:36:00Z',
    events => [
        { type => 'track', event => 'Denied', context => $denied },
        { type => 'track', event => { '@repeat' => 'xy', times => 300 } },
        { type => 'track', event => 'Form', messageId => 'm-3' },
    ],
    requests => [
        { endpoint => 'forms', method => 'POST',
          url => 'https://acme.example/forms',
          headers => { 'content-type' => '*', Authorization => 'Bearer T' },
          text => 'data=%5B%7B%22n%22%3A%22Form%22%7D%5D' } ],
    dropped => [{ event => 0, reason => 'consent' }],
    dead => [{ event => 1, reason => 'record_too_large' }],
}));

$r = $cli->plain('test', "$dests/acme", "$made/fresh");
is($r->{status}, 0, 'two destinations, consent, size, form')
    or diag($r->{out}, $r->{err});
like($r->{out}, qr/^2 destinations, 3 goldens, 0 failed$/m, 'their sum');


# ---- explain ----

my $masked = qr/\Q$secret\E|sec\\"ret|sec%22ret/;

$r = $cli->run('explain', 'shop', '--event', event());
is($r->{status}, 0, 'explain') or diag($r->{err});
like($r->{out}, qr/^  events +passes +Order \*, Form, Nothing$/m, 'rules');
like($r->{out}, qr/^  consent +passes +needs analytics; nobody was asked$/m,
     'consent');
like($r->{out}, qr/\@endpoint events\n +\@group "g1"/, 'what steers');
like($r->{out}, qr/"mail": "b5fc85e5/, 'a marker was computed');
like($r->{out}, qr/up to 7 records and 4096 bytes/, 'what shares a request');
like($r->{out}, qr/^  POST http:\S+\/api\/events\?key=\*\*\*$/m, 'the URL');
like($r->{out}, qr/^  Authorization: \*\*\*$/m, 'a header is masked');
like($r->{out}, qr/"api_key": "\*\*\*"/, 'the body too');
unlike($r->{out} . $r->{err}, $masked, 'no secret');
unlike($r->{out}, qr/[ \t]$/m, 'no blanks at the end of a line');

$r = $cli->run('explain', 'shop', '--event', event(context => $denied));
like($r->{out}, qr/^  consent +refuses +needs analytics; granted are \["nece/m,
     'consent refuses');
like($r->{out}, qr/^  -> not sent: consent$/m, 'so it is not sent');
like($r->{out}, qr/were it wanted:/, 'what would be is shown');

$r = $cli->run('explain', 'shop', '--event', event(event => 'Cart'));
like($r->{out}, qr/^  events +refuses.*^  consent +not asked/ms,
     'a rule behind the one that refuses is not asked');

$r = $cli->run('explain', 'shop', '--event', event(event => 'Nothing'));
like($r->{out}, qr/the event is dropped: unmapped/, 'dropped by the map');

$r = $cli->run('explain', 'log', '--event', event());
like($r->{out}, qr/^written to \S+\/log/m, 'a file');


# ---- send ----

$r = $cli->run('send', 'shop', '--event', event());
is($r->{status}, 0, 'send, dry') or diag($r->{err});
like($r->{out}, qr/nothing was sent/, 'says so');
unlike($r->{out} . $r->{err}, $masked, 'no secret');
is(scalar @{[$receiver->requests()]}, 0, 'and nothing was');

$r = $cli->run('send', 'shop', '--live', '--event', event());
is($r->{status}, 0, 'send --live') or diag($r->{out}, $r->{err});
like($r->{out}, qr/^answer 200$/m, 'the answer');
like($r->{out}, qr/^record 1: ok$/m, 'what it means');
unlike($r->{out} . $r->{err}, $masked, 'no secret');

my @got = $receiver->requests();

is(scalar @got, 1, 'one request');
like($got[0]{path}, qr{^/api/events\?key=sec%22ret}, 'to the endpoint')
    or diag(explain(\@got));

$r = $cli->run('send', 'shop', '--validate', '--event', event());
is($r->{status}, 0, 'send --validate') or diag($r->{out}, $r->{err});
@got = $receiver->requests();
like($got[-1]{path}, qr{^/api/check}, 'to where it is only checked');

$r = $cli->run('send', 'shop', '--validate', '--event',
               event(event => 'Form'));
is($r->{status}, 1, 'an endpoint that cannot check');
like($r->{err}, qr/endpoint "forms" has no "validate"/, 'is said');

$receiver->answer(always => { status => 409,
                              body => to_json({ why => "$secret twice" }) });
$r = $cli->run('send', 'hook', '--live', '--event', event());
is($r->{status}, 1, 'refused: exit 1');
like($r->{out}, qr/^answer 409$/m, 'the answer');

$r = $cli->run('send', 'shop', '--live', '--event', event());
is($r->{status}, 1, 'refused by answer.jq');
like($r->{out}, qr/^record 1: reject, \*\*\* twice$/m,
     'with the reason, in which a secret is masked');
unlike($r->{out} . $r->{err}, $masked, 'nor is it in the answer');

my $before = scalar @{[$receiver->requests()]};

# a command for people goes nowhere else than the forwarder

put("$dests/acme/destination.yaml",
    text_of("$dests/acme/destination.yaml") . <<'END');
  groups:
    url: "{url}/groups"
    auth: none
  elsewhere:
    url: "http://{group.host|raw}/x"
    auth: { kind: header, name: X-Key, value: "{token}" }
END
change("$dests/acme/map.jq", 'elif .event.event == "Form"',
       'elif .event.event == "Order Placed" then { "@endpoint": "groups", '
       . 'g: 1 } elif .event.event == "Order Lost" then { "@endpoint": '
       . '"elsewhere", "@group": { host: .event.properties.host } } '
       . 'elif .event.event == "Form"');

for my $host ('127.0.0.2:' . $receiver->port(), '169.254.169.254',
              'a@127.0.0.1:' . $receiver->port(), 'evil.example')
{
    $r = $cli->run('send', 'shop', '--live', '--event',
                   event(event => 'Order Lost',
                         properties => { host => $host }));
    is($r->{status}, 1, "$host: is not sent to");
    like($r->{err}, qr/not sent: the host of the URL is refused/, 'is said');
}

is(scalar @{[$receiver->requests()]}, $before, 'indeed');

# ---- "auth" of an endpoint ----

$receiver->answer(always => { status => 200 });
$r = $cli->run('send', 'shop', '--live', '--event',
               event(event => 'Order Placed'));
is($r->{status}, 0, 'an endpoint without credentials')
    or diag($r->{out}, $r->{err});
@got = $receiver->requests();
is($got[-1]{path}, '/api/groups', 'is sent to');
is($got[-1]{headers}{authorization}, undef, 'and shows none');

my $own = $receiver->url() =~ m{//([^/]+)} ? $1 : '';

$r = $cli->run('send', 'shop', '--live', '--event',
               event(event => 'Order Lost', properties => { host => $own }));
@got = $receiver->requests();
is($got[-1]{headers}{'x-key'}, $secret, 'another one has its own')
    or diag($r->{out}, $r->{err});
is($got[-1]{headers}{authorization}, undef, 'instead of the destination\'s');
unlike($r->{out} . $r->{err}, $masked, 'no secret');

$before = scalar @got;

$r = $cli->run('send', 'shop', '--live', '--event',
               event(context => $denied));
is($r->{status}, 1, 'denied is not sent');
like($r->{err}, qr/the rule "consent" of "shop" refuses/, 'is said');
$r = $cli->run('send', 'shop', '--live', '--event',
               event(event => 'Nothing'));
like($r->{err}, qr/the map drops the event: unmapped/, 'dropped is not sent');
is(scalar @{[$receiver->requests()]}, $before, 'indeed');


# ---- wrong usage ----

for my $case (
    [['send', 'shop'], qr/--event FILE is missing/],
    [['explain', 'nobody', '--event', 'x'], qr/no destination "nobody"/],
    [['send', '--event', 'x'], qr/NAME is missing/],
    [['send', 'log', '--event', event()], qr/"log" sends no requests/],
    [['send', 'shop', '--live', '--validate', '--event', 'x'],
     qr/exclude each other/],
) {
    my ($words, $wanted) = @$case;

    $r = $cli->run(@$words);
    is($r->{status}, 2, "@$words: exit 2");
    like($r->{err}, $wanted, 'is said');
}

$r = $cli->run('explain', 'shop', '--event', $t->dir() . '/absent');
is($r->{status}, 1, 'no file');
like($r->{err}, qr/absent: No such file/, 'is said');

put($t->dir() . '/bad.json', "{\n\"type\": ,\n}\n");
$r = $cli->run('explain', 'shop', '--event', $t->dir() . '/bad.json');
is($r->{status}, 1, 'no JSON');
like($r->{err}, qr/bad\.json:2: /, 'with its line');

# ---- where a token leads ----

mkdir "$dests/tokened";
put("$dests/tokened/destination.yaml", <<'END');
name: tokened
kind: http
settings:
  secret: { secret: true, required: true }
hosts: ["*.vendor.example"]
auth: { kind: oauth2, grant: client_credentials, client_id: us,
        client_secret: "{secret}", token_url: "https://login.vendor.example/" }
request:
  url: "{auth.instance_url|raw}/events"
END

my $tokens = Martech::Command->new($t, <<"END",
redis: { address: "127.0.0.1:1" }
destinations_path: $dests
credentials_key: env:SEAL
destinations:
  crm: { use: tokened, settings: { secret: "env:SECRET" } }
END
    env => { SECRET => $secret, SEAL => '0123456789abcdef' x 4 });

for my $case (
    [ 'http://eu.vendor.example', 'http, where https is expected' ],
    [ 'https://vendor.example.evil.example', 'not an allowed host' ],
    [ 'https://eu.vendor.example@evil.example', 'a login in the URL' ],
    [ 'file:///etc', 'no http:// or https:// URL' ],
    [ 'https://169.254.169.254', 'metadata' ])
{
    my ($url, $why) = @$case;
    my $token = put($t->dir() . '/token.json', to_json({
        access_token => 'token-secret', instance_url => $url }));

    $r = $tokens->run('send', 'crm', '--live', '--event', event(),
                      '--token', $token);
    is($r->{status}, 1, "a token leads to $url: not sent");
    like($r->{err}, qr/refused: \Q$why\E/, "for it is $why");
    unlike($r->{out} . $r->{err}, qr/token-secret/, 'without the token');
}

$t->done();
