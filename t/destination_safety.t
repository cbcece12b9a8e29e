#!/usr/bin/perl

# Where requests may not go: by name, by address, by an address that changes
# after it was looked at, by a redirect; and a proxy.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Socket qw(inet_aton);

use Martech::Dns;
use Martech::Path;
use Martech::Service;
use Martech::Test;

# The C library asks the name server that /etc/resolv.conf names, at port 53:
# this test has a file of its own there, in a mount namespace of its own.

BEGIN {
    if (!$ENV{MARTECH_OWN_MOUNTS}) {
        if ($> == 0 && system('unshare -m true 2>/dev/null') == 0) {
            $ENV{MARTECH_OWN_MOUNTS} = 1;
            exec 'unshare', '-m', $^X, '-I', "$FindBin::Bin/lib", $0;
        }

        require Test::More;
        Test::More::plan(skip_all => 'needs root and a mount namespace');
    }
}

my $DNS = '127.0.0.53';

my $t = Martech::Test->new();
my $redis = $t->redis();
my $receiver = $t->receiver();
my $port = $receiver->port();
my $resolv = $t->file('resolv.conf', "nameserver $DNS\noptions timeout:1\n");
my $dns = eval { own_dns() };

$t->file('nsswitch.conf', "hosts: dns\n");

for my $name (qw(resolv.conf nsswitch.conf)) {
    system('mount', '--bind', $t->dir() . "/$name", "/etc/$name") == 0
        or die "cannot mount $name\n" if -e "/etc/$name";
}

# what must not be reached: the same port of another address of this machine
my $canary = Martech::Service->new(name => 'canary', address => '127.0.0.2',
    port => $port, state => { count => 0 },
    answer => sub { $_[0]{count}++; return [200, {}] },
    order => sub { return { count => $_[0]{count} } });


sub own_dns {
    my $dns = bless { table => {}, ttl => 0 }, 'Martech::Dns';
    my $socket = IO::Socket::INET->new(LocalAddr => $DNS, LocalPort => 53,
                                       Proto => 'udp')
        or die "no name server\n";

    $dns->{control} = Martech::Control->start(
        name => 'dns', closes => [$socket],
        code => sub { $dns->serve($socket, $_[0]) });

    return $dns;
}


die "port 53 of $DNS cannot be had\n" unless $dns;

$dns->set('moving.example' => '127.0.0.1',
          'inside.example' => '127.0.0.2',
          'cloud.example' => '169.254.169.254',
          'both.example' => ['127.0.0.2', '127.0.0.1'],
          'six.example' => '::ffff:127.0.0.2',
          'steady.example' => '127.0.0.1');


sub conf {
    my (%dests) = @_;
    my $top = delete $dests{top} // '';

    return <<"END" . join '', map { <<"DEST" } sort keys %dests;
redis: { address: "%%REDIS%%" }
owner: { name: tester, lease: 1s }
loops: 1
destinations_path: %%ROOT%%/destinations
allow_private: [127.0.0.1]
$top
destinations:
END
  $_:
    use: webhook
    settings: { url: "http://$dests{$_}" }
    retry: { base: 50ms, factor: 1, cap: 100ms, attempts: 1000 }
    breaker: { count: 1000, in_a_row: 1000, open: 100ms }
    connect_timeout: 1s
DEST
}


my $forwarder = $t->forwarder(conf(
    moving => "moving.example:$port/moving",
    inside => "inside.example:$port/inside",
    cloud => "cloud.example:$port/cloud",
    both => "both.example:$port/both",
    six => "six.example:$port/six",
    turned => "steady.example:$port/turned"));


sub canaries { $canary->ask()->{count} }

sub came {
    my ($path) = @_;

    return map { from_json($_->{body})->{messageId} }
        grep { $_->{path} eq $path } $receiver->requests();
}

sub reasons {
    my ($dest) = @_;

    return map { $_->{reason} // '' }
        grep { ($_->{destination} // '') eq $dest
               && ($_->{msg} // '') eq 'attempt' } $forwarder->log_lines();
}


# ---- a name that is moved ----

my @first = add_events($redis, 5, prefix => 'a');

ok(becomes(sub { !missing(\@first, came('/moving')) }, 20),
   'a name with an allowed address is sent to');

$dns->set('moving.example' => '127.0.0.2');

# what was looked up is forgotten at once with the loops that know it
$forwarder->signal('HUP');
ok(becomes(sub { $forwarder->logged(qr/"msg":"configuration loaded"/) > 1 },
           20), 'new loops look it up again');

my @second = add_events($redis, 5, prefix => 'b');

ok(becomes(sub { grep { /refused: loopback/ } reasons('moving') }, 20),
   'it is moved to another address: that is refused');

is(canaries(), 0, 'and nothing has arrived there');

# ---- names of what is inside ----

for my $case ([ inside => 'loopback' ], [ cloud => 'metadata' ],
              [ six => 'loopback' ])
{
    my ($dest, $why) = @$case;

    ok(becomes(sub { grep { /refused: $why/ } reasons($dest) }, 20),
       "$dest: refused as $why");
    is(scalar(came("/$dest")), 0, "$dest: nothing is sent");
}

ok(becomes(sub { !missing(\@first, came('/both')) }, 20),
   'of two addresses the one that is allowed is used');
is(canaries(), 0, 'the other one is not');

$dns->set('moving.example' => '127.0.0.1');
$forwarder->signal('HUP');
ok(becomes(sub { !missing([@first, @second], came('/moving')) }, 60),
   'it is moved back: nothing was lost');

# ---- a redirect ----

my $turns = 0;

for my $to ("http://127.0.0.2:$port/elsewhere", 'file:///etc/passwd',
            "//127.0.0.2:$port/elsewhere")
{
    $receiver->answer(always => { status => 302 + 5 * ($turns % 2),
                                  headers => [ Location => $to ] });
    add_events($redis, 1, prefix => 'turned' . ++$turns);
    ok(becomes(sub { (ledger($redis)->{'dead:turned'} // 0) >= $turns }, 20),
       "a redirect to $to is a refusal");
}

is(canaries(), 0, 'and nobody goes there');
is(scalar(came('/elsewhere')), 0, 'nor to its path');
$receiver->answer(always => { status => 200 });

# ---- what check says ----

for my $case ([ '127.0.0.2/', 'loopback' ], [ '2130706434/', 'loopback' ],
              [ '0x7f.2/', 'loopback' ], [ '10.1.2.3/', 'private' ],
              [ '[::1]/', 'loopback' ], [ '[fd00::1]/', 'private' ],
              [ '[::ffff:10.0.0.1]/', 'private' ],
              [ '127.0.0.2./', 'loopback' ], [ '0177.0.0.2/', 'loopback' ],
              [ '[64:ff9b::a9fe:a9fe]/', 'metadata' ],
              [ '[fe80::1]/', 'link-local' ],
              [ '[::ffff:a9fe:a9fe]/', 'metadata' ],
              [ '[2002:7f00:2::]/', 'loopback' ],
              [ '1.2.3.4.5/', 'no address' ],
              [ '169.254.169.254/latest/', 'metadata' ],
              [ 'user:word@steady.example/', 'a login in the URL' ])
{
    my ($accepted, $output) = $forwarder->check($t->fill(
        conf(a => $case->[0])));

    ok(!$accepted, "refused: $case->[0]");
    like($output, qr/^\S+:\d+: .*refused: $case->[1]/m, "as $case->[1]");
}

for my $name (qw(localhost db.internal printer.local intranet)) {
    my ($accepted, $output) = $forwarder->check($t->fill(
        conf(a => $name) =~ s/^allow_private.*\n//mr));

    ok(!$accepted, "refused: $name");
    like($output, qr/a local name/, 'as a local name');
}

my ($accepted, $output) = $forwarder->check($t->fill(
    conf(a => 'steady.example/') =~ s/127\.0\.0\.1\]/127.0.0.1, nowhere]/r));

ok(!$accepted, 'refused: a network that is none');
like($output, qr/nowhere/, 'it says which');

# ---- a proxy ----

$forwarder->stop();

my $proxy = Martech::Service->new(name => 'proxy', state => { asked => [] },
    answer => sub {
        my ($s, $request) = @_;

        push @{ $s->{asked} }, "$request->{method} $request->{path} "
            . ($request->{headers}{'proxy-authorization'} // '-');
        return [502, 'no way'];
    }, order => sub { return { asked => $_[0]{asked} } });

my $through = $t->forwarder(
    conf(out => 'vendor.example/x', top => 'proxy: ' . $proxy->url('')
        . "\nproxy_login: env:LOGIN"),
    env => { LOGIN => 'us:proxy-secret',
             http_proxy => 'http://127.0.0.2:' . $port });

add_events($redis, 1, prefix => 'out');
ok(becomes(sub { @{ $proxy->ask()->{asked} } }, 20), 'the proxy is asked');

my ($line) = @{ $proxy->ask()->{asked} };

is($line, 'CONNECT vendor.example:80 Basic dXM6cHJveHktc2VjcmV0',
   'for a tunnel to the host, with our login');
is(canaries(), 0, 'the proxy of the environment is not');
unlike($through->log_text(), qr/proxy-secret|dXM6cHJ/,
       'the login is not in the log');

$_->stop() for $canary, $proxy, $dns;
$t->done();
