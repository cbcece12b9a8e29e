#!/usr/bin/perl

# Tokens: one-time refresh tokens that two forwarders share, one of them with a
# clock that is wrong; a signed assertion, a login of a client, a server that is
# away, one that refuses, one that is slow while we stop; Redis that loses all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(decode_base64);
use Time::HiRes qw(time);

use Martech::Path;
use Martech::Service;
use Martech::Test;

my $LIFE = 2;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $folder = $t->dir() . '/destinations';
my $pem = $t->dir() . '/key.pem';
my $public = $t->dir() . '/key.pub';

system("openssl genrsa -out $pem 2048 2>/dev/null") == 0
    && system("openssl rsa -in $pem -pubout -out $public 2>/dev/null") == 0
    or die "no keys\n";

my %settings = (
    refresh_token => 'client_id: app, refresh_token: env:FIRST_TOKEN, '
                     . 'client_secret: env:CLIENT_SECRET',
    client_credentials => 'client_id: app, client_secret: env:CLIENT_SECRET',
    jwt_bearer => "key: file:$pem",
);


# ---- a token server, which is the vendor too ----

my $service = Martech::Service->new(name => 'vendor', state => {
    refresh => { first => 1 }, tokens => {}, number => 0, events => {},
    log => [], bad => [], slow => 0, away => 0, refuse => 0,
}, answer => sub {
    my ($s, $request) = @_;

    return $request->{path} =~ m{^/token/(\w+)}
        ? token($s, $1, $request) : events($s, $request);
}, order => sub {
    my ($s, $order) = @_;

    $s->{$_} = $order->{$_} for keys %$order;
    $s->{tokens} = {} if $order->{revoke};
    $s->{stale} = { %{ $s->{tokens} } } if $order->{stale};

    return { map { $_ => $s->{$_} } qw(events log bad number) };
});


sub token {
    my ($s, $grant, $request) = @_;
    my %form = Martech::Service::form($request->{body});

    return [503, 'later'] if $s->{away};
    return [400, { error => 'invalid_grant' }] if $s->{refuse};

    if ($grant eq 'refresh_token') {
        my $token = $form{refresh_token};

        # one that was used is refused, and a mistake of ours
        if (!delete $s->{refresh}{$token}) {
            push @{ $s->{bad} }, 'a refresh token came twice';
            return [400, { error => 'invalid_grant' }];
        }

    } elsif ($grant eq 'jwt_bearer') {
        my $why = assertion($form{assertion});

        push @{ $s->{bad} }, $why if $why;
        return [400, { error => 'invalid_grant' }] if $why;

    } elsif ($request->{headers}{authorization}
             !~ m{^Basic \QYXBwOnB1enpsZSUyQmJveA==\E$})
    {
        push @{ $s->{bad} }, 'the login of the client is wrong';
        return [401, { error => 'invalid_client' }];
    }

    my $number = ++$s->{number};

    push @{ $s->{log} }, { grant => $grant, at => time() };
    $s->{tokens}{"access-secret-$number"} = time() + $LIFE;
    $s->{refresh}{"refresh-secret-$number"} = 1;

    # the old token is of no use any more, and the new one is not here yet
    if ($s->{slow}) {
        $t->file('asked', $number);
        select undef, undef, undef, $s->{slow};
    }

    return [200, { access_token => "access-secret-$number",
                   token_type => 'Bearer', expires_in => $LIFE,
                   $grant eq 'refresh_token'
                   ? (refresh_token => "refresh-secret-$number") : () }];
}


sub assertion {
    my ($jwt) = @_;
    my ($head, $claims, $signature) = split /\./, $jwt;
    my ($data, $file) = ($t->dir() . '/signed', $t->dir() . '/signature');
    my $decode = sub { decode_base64($_[0] =~ tr{-_}{+/}r . '===') };

    $t->file('signed', "$head.$claims");
    $t->file('signature', $decode->($signature));

    return 'the signature is wrong'
        if system("openssl dgst -sha256 -verify $public -signature $file "
                  . "$data >/dev/null 2>&1") != 0;

    my $said = from_json($decode->($claims));

    return from_json($decode->($head))->{alg} ne 'RS256' ? 'the algorithm'
        : $said->{iss} ne 'us' || $said->{sub} ne 'person' ? 'the names'
        : $said->{aud} ne 'https://vendor.example' ? 'the audience'
        : $said->{exp} <= time() || $said->{exp} > time() + 600 ? 'the end'
        : undef;
}


sub events {
    my ($s, $request) = @_;
    my ($token) = ($request->{headers}{authorization} // '') =~ /^Bearer (.*)/;
    my $ends = $s->{tokens}{$token // ''};

    return [401, { error => 'expired' }] if !$ends || $ends < time();
    return [200, { error => 'stale' }] if $s->{stale}{$token};

    $s->{events}{$_->{messageId}}++ for @{ from_json($request->{body}) };

    return [200, {}];
}


# ---- the destinations ----

mkdir $folder;

for my $grant (sort keys %settings) {
    mkdir "$folder/$grant";

    my @names = $settings{$grant} =~ /(\w+): (?:env|file|app)/g;
    my $members = join '', map { "  $_: \"{$_}\"\n" } @names;

    $members .= "  issuer: us\n  subject: person\n"
        . "  audience: https://vendor.example\n" if $grant eq 'jwt_bearer';
    $members .= "  client: basic\n" if $grant eq 'client_credentials';

    $t->file("destinations/$grant/answer.jq", 'if .body.error? == "stale" '
             . 'then { outcome: "refresh" } else null end');
    $t->file("destinations/$grant/destination.yaml", <<"END");
name: $grant
kind: http
settings:
  url: { type: url, required: true }
@{[ join '', map { "  $_: { secret: " . ($_ eq 'client_id' ? 'false' : 'true')
                   . " }\n" } @names ]}
request:
  url: "{url}/events"
  framing: array
auth:
  kind: oauth2
  grant: $grant
  token_url: "{url}/token/$grant"
$members
END
}


sub conf {
    my ($name, @grants) = @_;
    my $url = $service->url('');

    return <<"END" . join '', map { <<"DEST" } @grants;
redis: { address: "%%REDIS%%" }
owner: { name: $name, lease: 1s }
loops: 2
metrics: unix:%%PREFIX%%/$name.sock
destinations_path: $folder
allow_private: [127.0.0.1]
credentials_key: env:TOKEN_KEY
destinations:
END
  $_:
    use: $_
    settings: { url: "$url", $settings{$_} }
    batch: { count: 5 }
    retry: { base: 100ms, factor: 2, cap: 1s }
    breaker: { count: 1000, in_a_row: 1000 }
DEST
}


my %env = (FIRST_TOKEN => 'first', CLIENT_SECRET => 'puzzle+box',
           TOKEN_KEY => '0123456789abcdef' x 4);
my @ids;
my $number = 0;


sub add {
    my ($count) = @_;

    push @ids, add_events($redis, $count, prefix => 'a' . ++$number);
}


sub arrived {
    my $events = $service->ask()->{events};

    return !grep { !$events->{$_} } @ids;
}


# ---- one-time refresh tokens, two forwarders ----

# the second one is of a machine whose clock is wrong by minutes
my $shim = $t->shim(folder => $t->dir() . '/none');

# the shim must come behind what a sanitized program wants to be first
my $preload = $t->{asan} ? `gcc -print-file-name=libasan.so` : '';

chomp $preload;

my @forwarders = map {
    $t->forwarder(conf($_, 'refresh_token'), env => {
        %env, $_ eq 'two' ? (%{ $shim->environment() },
            LD_PRELOAD => join ' ', grep { length } $preload,
                          $shim->library()) : () })
} qw(one two);

$shim->clock(300);

my $until = time() + 2.5 * $LIFE;

while (time() < $until) {
    add(20);
    select undef, undef, undef, 0.1;     # a steady stream, not a wait
}

ok(becomes(\&arrived, 20), 'all events arrive');

my $said = $service->ask();
my @times = map { $_->{at} } @{ $said->{log} };
my @gaps = map { $times[$_] - $times[$_ - 1] } 1 .. $#times;

is_deeply($said->{bad}, [], 'no refresh token is used twice');
cmp_ok(scalar(@times), '>=', 3, 'the token is refreshed as it ends');
cmp_ok(scalar(@times), '<=', 5, 'and not more often');
is(scalar(grep { $_ < $LIFE / 2 } @gaps), 0,
   'never twice for one end of a token');
is(scalar(grep { $_ > 1 } values %{ $said->{events} }), 0,
   'no event comes twice');
is($redis->call('hget', '{mt:00}:token:refresh_token', 'generation'),
   scalar(@times), 'each is a generation in Redis');

my $refreshed = 0;

for my $forwarder (@forwarders) {
    $refreshed += $forwarder->logged(qr/"msg":"token refreshed"/);
}

is($refreshed, scalar(@times), 'the log tells of each');

# ---- refused before its time ----

my $before = @times;

$service->ask(revoke => 1);
add(200);
ok(becomes(\&arrived, 20), 'a token is taken back: all events arrive');
$said = $service->ask();
cmp_ok($said->{number} - $before, '<=', 2, 'one new one is enough');
is_deeply($said->{bad}, [], 'again none is used twice');

# ---- a vendor that says it in its own words ----

$before = $said->{number};
$service->ask(stale => 1);
add(50);
ok(becomes(\&arrived, 20), 'answer.jq says refresh: all events arrive');
cmp_ok($service->ask()->{number}, '>', $before, 'with a new token');

# ---- Redis has lost what it had ----

$before = $service->ask()->{number};
$redis->call('del', '{mt:00}:token:refresh_token',
             '{mt:00}:token:refresh_token:lock');
$service->ask(revoke => 1);
add(50);
ok(becomes(\&arrived, 20), 'Redis has lost the token: all events arrive');
$said = $service->ask();
is_deeply($said->{bad}, [], 'by the refresh token that we remember');
cmp_ok($said->{number} - $before, '<=', 3, 'and a few new ones are enough');

# ---- a stop while the server thinks about it ----

sub asked { -e $t->dir() . '/asked' }

unlink $t->dir() . '/asked';
$service->ask(slow => 1);
$number++;

# one event at a time, so that a token is refreshed which is still good
for ( ; !asked() && time() < $until + 60; select undef, undef, undef, 0.02) {
    push @ids, add_events($redis, 1, prefix => 'slow' . ++$number);
}

$_->signal('TERM') for @forwarders;
$_->{process}->wait_end(20) for @forwarders;

my $token = Martech::Forwarder::slurp($t->dir() . '/asked');

$service->ask(slow => 0);
$said = $service->ask();
is($said->{number}, $token, 'a stop waits for the token that was asked for');
delete $_->{process} for @forwarders;
$_->start() for @forwarders;
add(20);
ok(becomes(\&arrived, 20), 'after a start all events arrive');
is_deeply($service->ask()->{bad}, [], 'with the refresh token of that time');

# ---- the server is away ----

$service->ask(away => 1, revoke => 1);
add(20);
ok(becomes(sub { grep { $_->logged(qr/token server is away/) } @forwarders },
           20), 'the token server is away: it is said');
$service->ask(away => 0);
ok(becomes(\&arrived, 60), 'when it is back all events arrive');

# ---- refused ----

$service->ask(refuse => 1, revoke => 1);
add(5);
ok(becomes(sub { grep { $_->logged(qr/"to":"credentials"/) } @forwarders },
           30), 'refused for good: the destination is parked');
ok(!arrived(), 'its events wait');
$service->ask(refuse => 0);

# the next one goes on with the refresh token that is in Redis
$_->stop() for @forwarders;
delete $_->{process} for @forwarders;
push @forwarders, $t->forwarder(conf('three', 'refresh_token'), env => \%env);
ok(becomes(\&arrived, 30), 'a start lifts that, with the token from Redis');
is_deeply($service->ask()->{bad}, [], 'which nobody has used');

# ---- what nobody may see ----

my $secrets = qr/access-secret|refresh-secret|puzzle|0123456789abcdef01234/;

for my $tag (Martech::Redis::tags('mt', 16)) {
    for my $key (@{ $redis->call('keys', "$tag:*") }) {
        next if $key =~ /:in$/;

        my $dump = $redis->call('dump', $key) // '';

        ok(0, "a secret in $key") if $dump =~ $secrets;
    }
}

unlike($_->log_text(), $secrets, 'no secret in the log') for @forwarders;

my $metrics = $t->dir() . '/three.sock';

unlike(`curl -s --unix-socket $metrics http://x/metrics`, $secrets,
       'nor in the metrics');

for my $pid ($forwarders[2]->pid(), $forwarders[2]->loops()) {
    open my $fh, '<', "/proc/$pid/environ" or next;
    local $/;
    unlike(scalar <$fh> // '', $secrets, 'nor in the environment');
}

$forwarders[2]->stop();
delete $forwarders[2]{process};

# ---- the other grants ----

my $last = $t->forwarder(conf('four', 'jwt_bearer', 'client_credentials'),
                         env => \%env);

add(50);
ok(becomes(sub {
    my %given = map { $_->{grant} => 1 } @{ $service->ask()->{log} };

    return $given{jwt_bearer} && $given{client_credentials}
        && drained($redis, 'jwt_bearer', 'client_credentials');
}, 30),
   'events go out with both');
is_deeply($service->ask()->{bad}, [], 'the assertion and the login are right');

for my $grant (qw(jwt_bearer client_credentials)) {
    cmp_ok(scalar(grep { $_->{grant} eq $grant } @{ $service->ask()->{log} }),
           '>=', 1, "$grant: a token was given");
}

# ---- check ----

my ($accepted, $output) = $last->check(
    $t->fill(conf('five', 'jwt_bearer') =~ s/^credentials_key.*\n//mr));

ok(!$accepted, 'refused: tokens without a key for them');
like($output, qr/credentials_key/, 'it says which');

$service->stop();
$t->done();
