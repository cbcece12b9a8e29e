#!/usr/bin/perl

# From a request to both destinations: an event arrives as it was stored, once,
# and every counter on the way agrees.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $receiver = $t->receiver();

$t->nginx(<<'END');
    martech_redis   %%REDIS%%;
    martech_source  website key=wk;

    server {
        listen 127.0.0.1:8080;

        location /collect/ {
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

my $forwarder = $t->forwarder(forwarder_conf(hook => $receiver->url('/hook')));
my $port = $t->port(8080);

# ---- one event ----

my $response = post($port, '/collect/v1/track', {
    event => 'Order Completed', userId => 'u1', anonymousId => 'a1',
    messageId => 'one', properties => { total => 12.50, text => "\x{e9}\n" },
}, key => 'wk');

is($response->{status}, 200, 'the event is taken');

my ($request) = $receiver->wait_requests(1);

is($request->{method}, 'POST', 'the webhook is a POST');
is($request->{path}, '/hook', 'to the path that was configured');
like($request->{headers}{'content-type'}, qr{^application/json},
     'of JSON');

my ($hooked) = $receiver->events();

ok(becomes(sub { file_ids($t) == 1 }, 10), 'the file has it');

my ($filed) = file_lines($t);

is_deeply($filed, $hooked, 'both destinations have the same event');
is($filed->{event}, 'Order Completed', 'with its name');
is($filed->{messageId}, 'one', 'its messageId');
is($filed->{properties}{text}, "\x{e9}\n", 'its properties');
is($filed->{context}{martech}{source}, 'website', 'its source');
like($filed->{context}{martech}{requestId}, qr/^[0-9a-f]{32}$/,
     'and the id of its request');


# ---- many ----

my @wanted = ('one');

for my $n (1 .. 20) {
    my @ids = map { "many-$n-$_" } 1 .. 50;

    push @wanted, @ids;
    post($port, '/collect/v1/batch', { batch => [ map { {
        type => 'track', event => 'Many', userId => "u$_", messageId => $_,
    } } @ids ] }, key => 'wk');
}

ok(becomes(sub { !missing(\@wanted, hook_ids($receiver)) }, 30),
   'the webhook gets all of many events');
ok(becomes(sub { !missing(\@wanted, file_ids($t)) }, 30),
   'the file gets all of many events');
ok(becomes(sub { drained($redis, 'archive', 'hook') }, 10),
   'nothing waits any more');
is(scalar(() = hook_ids($receiver)), 1001, 'the webhook got each once');
is(scalar(() = file_ids($t)), 1001, 'the file got each once');


# ---- the ledger ----

my $ledger = ledger($redis);

is($ledger->{in}, 1001, 'ledger: what came in');
is($ledger->{"done:$_"}, 1001, "ledger: done for $_") for qw(archive hook);
ok(ledger_holds($redis, $_), "ledger: it holds for $_") for qw(archive hook);
is(get($port, '/status')->{json}{events_stored}, $ledger->{in},
   'edge and forwarder agree');

ok(becomes(sub { $redis->count() < 100 }, 15), 'the stream is trimmed');


# ---- no person in a log ----

unlike($forwarder->log_text(), qr/Order Completed|(?<![:\d])12\.5|u1\b/,
       'the forwarder logs nothing of a person');

$t->done();
