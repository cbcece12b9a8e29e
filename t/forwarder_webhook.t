#!/usr/bin/perl

# The webhook: what a request looks like, how it is signed, and what every
# kind of answer leads to.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(hmac_sha256_base64);
use MIME::Base64 qw(encode_base64);

use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $receiver = $t->receiver();
my $secret = 'k' x 32;
my $number = 0;

my $forwarder = $t->forwarder(
    forwarder_conf(without => 'archive', hook => $receiver->url('/hook?a=b'),
        hook_settings => 'secret: env:HOOK_SECRET',
        hook_limits => "retry: { base: 30ms, factor: 2, cap: 200ms, "
            . "attempts: 4, age: 1s }\n"
            . "timeout: 1s\nconnect_timeout: 500ms\n"

            # all these failures are no reason to rest: t/forwarder_breaker.t
            . "breaker: { count: 1000, in_a_row: 1000 }"),
    env => { HOOK_SECRET => 'whsec_' . encode_base64($secret, '') });


# Sends one event that meets these answers; the requests it caused.
sub meets {
    my ($count, @answers) = @_;
    my $before = () = $receiver->requests();

    $receiver->answer(answers => \@answers, always => { status => 200 });
    add_events($redis, 1, prefix => 'w' . ++$number);
    $receiver->wait_requests($before + $count);
    ok(becomes(sub { drained($redis, 'hook') }, 20),
       "w$number: it is finished");

    my @requests = $receiver->requests();

    return splice @requests, $before;
}


sub dead {
    my @dead;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        push @dead, map { { @{ $_->[1] } } }
            @{ $redis->call('xrange', "$tag:dead:hook", '-', '+') };
    }

    return @dead;
}


# ---- one request ----

my ($request) = meets(1);
my $headers = $request->{headers};

is($request->{method}, 'POST', 'the request is a POST');
is($request->{path}, '/hook?a=b', 'to the URL with its query');
is($headers->{'content-type'}, 'application/json', 'of JSON');
is($headers->{'idempotency-key'}, 'w1-1',
   'the idempotency key is the messageId');
is(from_json($request->{body})->{messageId}, 'w1-1', 'the body is the event');


# ---- Standard Webhooks 1.0.0 ----

my $id = $headers->{'webhook-id'};
my $stamp = $headers->{'webhook-timestamp'};
my $digest = hmac_sha256_base64("$id.$stamp.$request->{body}", $secret);

$digest .= '=' while length($digest) % 4;

ok($id, 'the request has an id');
cmp_ok(abs($stamp - time()), '<', 10, 'the time of signing is now');
is($headers->{'webhook-signature'}, "v1,$digest", 'the signature is right');


# ---- answers ----

for my $status (200, 201, 202, 204) {
    is(scalar(() = meets(1, { status => $status })), 1,
       "$status: it is delivered");
}

for my $status (500, 502, 504, 408, 425) {
    my @requests = meets(2, { status => $status });

    is(@requests, 2, "$status: it is tried again");
    is($requests[1]{headers}{'webhook-id'}, $requests[0]{headers}{'webhook-id'},
       "$status: under the same id");
}

is(scalar(() = meets(2, { cut => 1 })), 2,
   'a cut connection: it is tried again');
is(scalar(() = meets(2, { status => 200, delay => 3 })), 2,
   'no answer in time: it is tried again');
is(scalar(() = meets(3, ({ status => 500 }) x 2)), 3,
   'two failures: it is tried twice again');

for my $status (429, 503) {
    my @requests = meets(2, { status => $status,
                              headers => ['Retry-After' => 1] });

    cmp_ok($requests[1]{at} - $requests[0]{at}, '>=', 0.9,
           "$status: Retry-After is obeyed");
}

is(scalar(dead()), 0, 'none of these is dead');

my $dead = 0;

for my $status (400, 405, 409, 413, 415, 422, 301) {
    my $answer = { status => $status, body => 'no',
                   headers => [Location => $receiver->url('/elsewhere')] };

    is(scalar(() = meets(1, $answer)), 1, "$status: it is tried once");
    is(scalar(dead()), ++$dead, "$status: it is a dead letter");
}

my @letters = dead();
my ($letter) = grep { $_->{status} == 400 } @letters;

is($letter->{src}, 'test', 'a dead letter tells the source');
is($letter->{attempts}, 1, 'a dead letter tells the attempts');
ok($letter->{reason}, 'a dead letter tells the reason');
is(from_json($letter->{e})->{messageId}, $letter->{id},
   'a dead letter holds the event');

# until attempts and age are both used up
is(scalar(meets(4, ({ status => 500 }) x 100)) >= 4, 1,
   'failures without end: it is tried so many times');
is(scalar(dead()), $dead + 1, 'and then dead');

for my $dest ('hook') {
    ok(ledger_holds($redis, $dest), 'the ledger holds');
}


# ---- one that is down hinders nobody for ever ----

$receiver->stop();

my @ids = add_events($redis, 10, prefix => 'down');

wait_until(sub { (ledger($redis)->{'retry:hook'} // 0) > 20 }, 20,
           'attempts fail');
$receiver->start();
ok(becomes(sub { drained($redis, 'hook') }, 20),
   'a receiver that is back gets what waits');


# ---- secrets ----

unlike($forwarder->log_text(), qr/k{32}|a2tra2tr/, 'no secret in the log');

$t->done();
