#!/usr/bin/perl

# What docs/FORWARDER.md promises can be used as it stands there: the example
# configuration, the rights in Redis, the names of keys and metrics.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 120);
my $root = Martech::Test->root();


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;

    return scalar <$fh>;
}


my $docs = slurp("$root/docs/FORWARDER.md")
           . slurp("$root/docs/FORWARDER-COMMANDS.md");


# The rights of an indented block that begins so.
sub rights {
    my ($begin) = @_;
    my ($block) = $docs =~ /^(\x20{4}\Q$begin\E.*\n(?:\x20{4,}\+.*\n)*)/m;

    return $block =~ /(\+[a-z|]+)/g;
}


# ---- the example configuration ----

my $example = slurp("$root/lua-free-conf/forwarder.yaml");
my $dir = $t->dir();

$t->file('redis-password', "secret\n");
$t->file('suppress.txt', "# nobody\nuser-1\n");
$example =~ s{/etc/martech/}{$dir/}g;
$example =~ s{/var/lib/martech/}{$dir/}g;
$example =~ s{/usr/share/martech/}{$root/};

my $check = $t->forwarder('', run => 0,
    env => { CRM_SECRET => 'whsec_' . 'A' x 44 });
my ($fine, $said) = $check->check($example);

ok($fine, 'the example configuration is accepted') or diag($said);
like($said, qr/^\S+: ok, 6 destinations\n\z/, 'without a warning');

my ($bad) = $check->check(
    $example =~ s{rollout: 25}{rollout: 101}r);

ok(!$bad, 'and it is really looked at');


# ---- every key stands in the table ----

my %keys = map { $_ => 1 } $example =~ /^ *#? *([a-z_]+):/mg;

delete @keys{ qw(archive crm ads survey path url secret framing
                 rotate_every) };

is_deeply([ sort grep { $docs !~ /`[a-z_.]*\.?\b$_\b[^`]*`/ } keys %keys ],
          [], 'its keys are in the documentation');


# ---- the messages of the first tables ----

my ($night) = $docs =~ /^## At 3 a\.m\.\n(.*?)^## /ms;
my @said = $night =~ /^\| [^`|]*`([a-z]+ [a-z]+ [^`]*)`/mg;
my $code = join '', map { slurp($_) } glob "$root/forwarder/*.c";

$code =~ s/"\s+"//g;

cmp_ok(scalar @said, '>', 20, 'there are messages');
is_deeply([ grep { index($code, qq("$_)) < 0 } @said ], [],
          'each message is one of the program');


# ---- the rights ----

my @rights = rights('user forwarder on');
my @more = rights('user operator on');
my %has = map { (split /\|/, substr $_, 1)[0] => 1 } @rights;
my %lua = map { lc $_ => 1 }
    slurp("$root/forwarder/fwd_lua.c") =~ /redis\.p?call\('([A-Z]+)'/g;

cmp_ok(scalar keys %lua, '>', 30, 'commands of the scripts are found');
is_deeply([ sort grep { !$has{$_} } keys %lua ], [],
          'the user of the documentation may run all of the scripts');

my $redis = $t->redis();
my $receiver = $t->receiver();

$redis->call('acl', 'setuser', 'fwd', 'on', '>pw', '~{mt:*', @rights);
$redis->call('acl', 'setuser', 'cli', 'on', '>pw', '~{mt:*', @rights, @more);

my $conf = forwarder_conf(
    hook => $receiver->url('/hook'),
    hook_limits => "retry: { base: 50ms, factor: 1, cap: 1s, attempts: 2, "
                   . "age: 0 }\nrate: [ { count: 1000, per: 1s } ]",
    top => "metrics: 127.0.0.1:9464\nloops: 2\n") . <<"END";
  ordered:
    use: webhook
    settings: { url: @{[ $receiver->url('/ordered') ]} }
    order: person
    when: '.person != null'
    retry: { base: 50ms, factor: 1, cap: 1s, attempts: 3, age: 0 }
    breaker: { in_a_row: 1000, count: 1000 }
  down:
    use: webhook
    settings: { url: 'http://127.0.0.1:1/' }
    retry: { base: 50ms, factor: 1, cap: 1s, attempts: 100 }
    breaker: { in_a_row: 1, row_time: 0 }
    fallback: archive
    fallback_after: 100ms
END

sub as {
    my ($user) = @_;

    return $conf =~ s/^redis:\n/redis:\n  user: $user\n  password: env:PW\n/r;
}

my $forwarder = $t->forwarder(as('fwd'), env => { PW => 'pw' });
my @ids = add_events($redis, 32);

ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
   'events are delivered with these rights');

# refused for a while, so that there are retries, waits and dead letters
$receiver->answer(answers => [
    { status => 429, headers => [ 'Retry-After' => 1 ] },
    map { { status => 500 } } 1 .. 8 ]);
push @ids, add_events($redis, 16, prefix => 'later');
ok(becomes(sub { drained($redis, qw(hook ordered)) }, 30),
   'failures come to an end');
ok(becomes(sub { drained($redis, 'down') }, 30),
   'and what is down hands its events over');

$forwarder->kill_now();
$forwarder->start();
@ids = add_events($redis, 16, prefix => 'again');
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
   'another owner goes on');


# ---- metrics ----

my $page = get($t->port(9464), '/metrics')->{body};
my @names = $page =~ /^# TYPE martech_forwarder_(\S+)/mg;

cmp_ok(scalar @names, '>', 20, 'there are metrics');
is_deeply([ grep { $docs !~ /\b$_\b/ } @names ], [],
          'each metric is in the documentation');


# ---- commands ----

my $cli = Martech::Command->new($t, as('cli'), env => { PW => 'pw' });

for my $command ([qw(status)], [qw(top --once --ages)], [qw(pause hook)],
                 [qw(resume hook)], [qw(dead ls)], [qw(dead stats)],
                 [qw(dead export)], [qw(dead replay)],
                 [qw(dead drop --yes)], [qw(identity show --user u)],
                 [qw(identity forget --user u --yes)],
                 [qw(plan quarantine ls)], [qw(plan quarantine export)],
                 [qw(plan quarantine drop --yes)],
                 [qw(plan replay --unchecked)], [qw(ledger --accept)])
{
    my $r = $cli->run(@$command);

    unlike($r->{err}, qr/NOPERM/, "@$command: has its rights");
    like($docs, qr/\b$command->[0]\b/, "@$command: is in the documentation");
}

$forwarder->stop();
is_deeply([ map { { @$_ }->{object} } @{ $redis->call('acl', 'log') } ], [],
          'Redis has refused nothing');

$t->done();
