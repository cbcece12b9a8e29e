#!/usr/bin/perl

# TLS to Redis: the server must show a good certificate with its name in it, and
# gets ours if it asks.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 120);
my $tls = $t->tls();
my $receiver = $t->receiver();
my $redis = $t->redis(options => [
    $tls->redis_options(port => $t->port(6301))]);
my $strict = $t->redis(options => [
    $tls->redis_options(port => $t->port(6302), clients => 'yes')]);
my $wrong = $t->redis(options => [
    $tls->redis_options(port => $t->port(6303), server => 'server-other')]);

# a forwarder of its own name; tls => YAML
sub loop {
    my ($port, $params) = @_;
    my $conf = forwarder_conf(hook => $receiver->url('/hook'),
                              without => 'archive');

    $conf =~ s/  address: .*/  address: 127.0.0.1:$port\n  tls: { $params }/;

    return $t->forwarder($conf, run => 0);
}

my $ca = 'ca: "' . $tls->cert('ca') . '"';
my $name = 'server_name: redis.test';
my $good = loop(6301, "$ca, $name");
my ($accepted, $output) = $good->check();

if (!$accepted && $output =~ /hiredis/) {
    like($output, qr/:\d+: .*tls/, 'TLS that cannot be spoken is refused');
    $t->done();
    exit;
}

ok($accepted, 'a configuration with TLS is accepted') or diag($output);
$good->start();

my @ids = add_events($redis, 500, prefix => 'tls');

ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 10),
   'events arrive over TLS');

# more than a record of TLS
$redis->call('xadd', '{mt:01}:in', '*', 'v', 1, 'id', 'large', 'src', 'test',
             'e', to_json({ messageId => 'large', text => 'x' x 300_000 }));
ok(becomes(sub { !missing(['large'], hook_ids($receiver)) }, 10),
   'a large one as well');
ok($good->stop(), 'it ends');

# [port, parameters, works?, name]
for (
    [6301, $ca, 1, 'the address stands in the certificate'],
    [6301, "$ca, server_name: elsewhere.test", 0, 'a name that does not'],
    [6301, 'ca: "' . $tls->cert('ca-other') . '"', 0, 'an unknown authority'],
    [6303, "$ca, $name", 0, 'a server with a foreign certificate'],
    [6302, "$ca, $name", 0, 'a server that wants to know us'],
    [6302, "$ca, $name, cert: \"" . $tls->cert('client') . '", key: "'
           . $tls->key('client') . '"', 1, 'and is told'],
) {
    my ($port, $params, $works, $what) = @$_;
    my $forwarder = loop($port, $params);

    $forwarder->start();

    ok(becomes(sub { $forwarder->logged($works ? qr/redis connected/
                                               : qr/connection failed/) }, 10),
       $what) or diag($forwarder->log_text());
    is(!!$forwarder->logged(qr/redis connected/), !!$works, "$what: $works");
    $forwarder->stop();
}

$t->done();
