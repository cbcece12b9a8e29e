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

my $forwarder = $t->forwarder(forwarder_conf(hook => $receiver->url('/hook'),
                                             top => 'loops: 1'));

add($redis, 'm1');

ok(becomes(sub { $forwarder->log_text() =~ /refused a step/ }, 20),
   'a key of the wrong type is reported');

$redis->call('del', '{mt:00}:q:hook');
add($redis, 'm2');

ok(becomes(sub { drained($redis, qw(archive hook))
                 && (ledger($redis)->{'done:hook'} // 0) == 2
                 && (ledger($redis)->{'done:archive'} // 0) == 2 }, 20),
   'once it is mended every destination has every event');


# ---- an entry that was read in our name, and nobody knows of it ----

{
    my $client = $redis->client();
    my ($name) = $redis->call('get', '{mt:05}:owner') =~ / (.*)/;
    my @replies;

    $client->__std_cmd('multi', sub {});
    $client->__std_cmd(xadd => '{mt:05}:in', '*', v => 1, id => 'm3',
        src => 'test', e => to_json({ type => 'track', event => 'E',
                                      messageId => 'm3' }), sub {});
    $client->__std_cmd(xreadgroup => 'GROUP', 'forwarder', $name,
        'STREAMS', '{mt:05}:in', '>', sub {});
    $client->__std_cmd('exec', sub { push @replies, $_[0] });
    $client->wait_all_responses();

    like(to_json(\@replies), qr/"m3"/, 'it was read');
    ok(becomes(sub { (ledger($redis)->{'done:hook'} // 0) == 3 }, 30),
       'it is found, and delivered');
}


# ---- a dead letter that cannot be written ----

{
    $redis->call('set', '{mt:05}:dead:hook', 'not a stream');
    $receiver->answer(always => { status => 400 });
    $redis->call('xadd', '{mt:05}:in', '*', v => 1, id => 'm4',
        src => 'test', to => 'hook', e => to_json({
            type => 'track', event => 'E', messageId => 'm4' }));
    ok(becomes(sub { $forwarder->logged(qr/refused a step.*"step":"dead"/) },
               20), 'the refusal is logged');
    $redis->call('del', '{mt:05}:dead:hook');
    ok(becomes(sub { $redis->call('xlen', '{mt:05}:dead:hook') }, 20),
       'the event was kept until it could');
    ok(becomes(sub { drained($redis, qw(hook)) }, 10), 'nothing waits');
    ok(ledger_holds($redis, 'hook'), 'the ledger holds');
    $receiver->answer(always => { status => 200 });
}

$forwarder->stop();


# ---- attempts of what order kept in place, when there is order no more ----

{
    my $conf = sub {
        return $t->fill(forwarder_conf(hook => $receiver->url('/hook'),
            top => 'loops: 1', hook_limits => "$_[0]\n"
            . 'retry: { base: 100ms, factor: 2, cap: 1m }'));
    };

    $receiver->answer(always => { status => 500 });
    $forwarder->write_conf($conf->('order: person'));
    $forwarder->start();
    add($redis, 'm5');
    ok(becomes(sub { $redis->call('exists', '{mt:00}:try:hook') }, 20),
       'an attempt is written down');
    $forwarder->stop();
    $receiver->answer(always => { status => 200 });
    $forwarder->write_conf($conf->('order: none'));
    $forwarder->start();
    ok(becomes(sub { drained($redis, qw(hook)) }, 20), 'the event ends');
    ok(!$redis->call('exists', '{mt:00}:try:hook'), 'and so do its attempts');
    $forwarder->stop();
}


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
