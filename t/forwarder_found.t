#!/usr/bin/perl

# Things that go wrong half way: a route step that could write only some
# pointers, a server that repeats a password, two destinations in one folder.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Http qw(to_json);
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 90);
my $receiver = $t->receiver();


sub add {
    my ($redis, $id) = @_;

    return $redis->call('xadd', '{mt:00}:in', '*', v => 1, id => $id,
                        src => 'test', e => to_json({
                            type => 'track', event => 'E', messageId => $id,
                        }));
}


# ---- a route step that fails half way ----

my $redis = $t->redis();

$redis->call('set', '{mt:00}:q:hook', 'not a stream');

my $forwarder = $t->forwarder(forwarder_conf(hook => $receiver->url('/hook')));

add($redis, 'm1');

ok(becomes(sub { $forwarder->log_text() =~ /refused a step/ }, 20),
   'a key of the wrong type is reported');

$redis->call('del', '{mt:00}:q:hook');
add($redis, 'm2');

ok(becomes(sub { drained($redis, qw(archive hook))
                 && (ledger($redis)->{'done:hook'} // 0) == 2
                 && (ledger($redis)->{'done:archive'} // 0) == 2 }, 20),
   'once it is mended every destination has every event');

$forwarder->stop();


# ---- a server that does not know AUTH repeats what it was given ----

my $other = $t->redis(options => ['--rename-command', 'AUTH', '']);
my $secret = $t->file('redis.pass', "S3cretPassw0rd\n");
my $conf = forwarder_conf(hook => $receiver->url('/hook'));

$conf =~ s/^(redis:\n)/$1  password: "file:$secret"\n/m;
$conf =~ s/^(  address: ).*$/$1unix:@{[ $other->socket() ]}/m;

my $second = $t->forwarder($conf);

ok(becomes(sub { $second->log_text() =~ /unknown command/ }, 20),
   'the refusal is logged');
unlike($second->log_text(), qr/S3cret/, 'without the password');

$second->kill_now();


# ---- two destinations in one folder ----

my $twice = forwarder_conf(hook => $receiver->url('/hook'));

$twice .= "  again:\n    use: file\n"
          . "    settings: { path: %%PREFIX%%/archive }\n";

my ($accepted, $output) = $second->check($t->fill($twice));

ok(!$accepted, 'two destinations in one folder are refused');
like($output, qr/write to one folder/, 'with the reason');

$t->done();
