#!/usr/bin/perl

# Secrets that others keep: Vault by AppRole and by a token, its renewals, a
# value that is rotated, files that change; and where a secret may not be.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;
use Martech::Vault;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $receiver = $t->receiver();
my $folder = $t->dir() . '/destinations';

my $vault = Martech::Vault->new(
    role => ['role-secret-id', 'approle-secret'], ttl => 4,
    namespace => 'team', root => 'root-secret-token',
    kv => { 'secret/app/hook' => { key => 'vault-secret-one', other => 'x' },
            'secret/app/two' => { key => 'vault-secret-two' } });

mkdir $folder;
mkdir "$folder/keyed";
$t->file('destinations/keyed/destination.yaml', <<'END');
name: keyed
kind: http
settings:
  url: { type: url, required: true }
  key: { secret: true, required: true }
request:
  url: "{url}"
auth: { kind: header, name: X-Key, value: "{key}" }
END

my $key_file = $t->file('key', "file-secret-one\n");
my %env = (ROLE => 'role-secret-id', SECRET => 'approle-secret',
           TOKEN => 'root-secret-token', PLAIN => 'plain-env-secret');


sub conf {
    my (%arg) = @_;
    my $login = $arg{login}
        // "role_id: env:ROLE\n  secret_id: env:SECRET";
    my $dests = $arg{dests} // [
        [vaulted => 'vault:secret/app/hook#key'],
        [filed => "file:$key_file"], [plain => 'env:PLAIN'] ];

    return <<"END" . join '', map { <<"DEST" } @$dests;
redis: { address: "%%REDIS%%" }
owner: { name: tester, lease: 1s }
loops: 1
metrics: unix:%%PREFIX%%/status.sock
destinations_path: $folder
allow_private: [127.0.0.1]
vault:
  address: @{[ $vault->url() ]}
  $login
  namespace: @{[ $arg{namespace} // 'team' ]}
  refresh: 1s
destinations:
END
  $_->[0]:
    use: keyed
    settings: { url: "@{[ $receiver->url("/$_->[0]") ]}", key: $_->[1] }
    retry: { base: 100ms, factor: 2, cap: 1s }
DEST
}


my $forwarder = $t->forwarder(conf(), env => \%env);
my $pid = $forwarder->pid();
my $number = 0;
my @ids;


# the key that a destination shows with an event of now
sub key_of {
    my ($dest) = @_;
    my @found;
    my ($id) = add_events($redis, 1, prefix => 'v' . ++$number);

    push @ids, $id;
    wait_until(sub {
        @found = grep { $_->{path} eq "/$dest" && $_->{body} =~ /"$id"/ }
            $receiver->requests();
    }, 20, "event $id arrives at $dest");

    return $found[-1]{headers}{'x-key'};
}


# ---- read ----

is(key_of('vaulted'), 'vault-secret-one', 'a secret of vault is used');
is(key_of('filed'), 'file-secret-one', 'that of a file is');
is(key_of('plain'), 'plain-env-secret', 'and that of the environment');
is($vault->seen()->{logins}, 1, 'there was one login');

# ---- vault is away, and a file changes ----

# what is waited for together happens together
$vault->away(1);
$t->file('key.next', "file-secret-new\n");
rename $t->dir() . '/key.next', $key_file;
ok(becomes(sub { $forwarder->logged(qr/vault failed/) }, 20),
   'vault is away: it is said');
ok(becomes(sub { key_of('filed') eq 'file-secret-new' }, 20),
   'a file that is another one is read');
is(key_of('vaulted'), 'vault-secret-one', 'what vault gave stays');
$vault->away(0);

# ---- rotated ----

$vault->put('secret/app/hook', { key => 'vault-secret-new', other => 'x' });
$t->file('key', "file-secret-last\n");
ok(becomes(sub { key_of('vaulted') eq 'vault-secret-new' }, 20),
   'a rotated secret of vault is used');
ok(becomes(sub { key_of('filed') eq 'file-secret-last' }, 20),
   'and a file that was written to');
is($forwarder->pid(), $pid, 'the process is the same');
ok($forwarder->running(), 'and runs');

# ---- renewed ----

ok(becomes(sub { $vault->seen()->{renewed} >= 2 }, 20),
   'the token is renewed, again and again');
is($vault->seen()->{logins}, 1, 'there was no login but the first');
is($vault->seen()->{refused}, 0, 'nothing was refused');

# ---- a person who asks for it: everything but the login ----

my $reads = $vault->seen()->{reads};
my $loaded = $forwarder->logged(qr/"msg":"configuration loaded"/);

$forwarder->signal('HUP');
ok(becomes(sub { $vault->seen()->{reads} > $reads
                 && $forwarder->logged(qr/"msg":"configuration loaded"/)
                    > $loaded }, 20),
   'SIGHUP asks vault anew');
is($vault->seen()->{logins}, 1, 'with the token that there is');

# ---- a policy that lacks a path costs no login ----

my $forbidden = $vault->seen()->{refused};

$vault->forbid('secret/app/hook');
ok(becomes(sub { $vault->seen()->{refused} >= $forbidden + 2 }, 20),
   'a path is forbidden, again and again');
is($vault->seen()->{logins}, 1, 'and nobody logs in for it');
is(key_of('vaulted'), 'vault-secret-new', 'what it gave stays');
$vault->forbid('');

# ---- a token that is taken back; a file that is empty for a moment ----

my $refused = $forwarder->logged(qr/configuration refused/);

$vault->revoke();
$t->file('key', '');
ok(becomes(sub { $vault->seen()->{logins} >= 2 }, 40),
   'a token that was taken back: a new login');
ok(becomes(sub { $forwarder->logged(qr/configuration refused/) > $refused },
           20), 'an empty file is refused');
is(key_of('filed'), 'file-secret-last', 'the value before it stays');
$t->file('key', "file-secret-back\n");
ok(becomes(sub { key_of('filed') eq 'file-secret-back' }, 20),
   'until there is a good one');
$vault->put('secret/app/hook', { key => 'vault-secret-third' });
ok(becomes(sub { key_of('vaulted') eq 'vault-secret-third' }, 40),
   'and new values of vault are found');

# ---- a lease ----

$forwarder->write_conf($t->fill(conf(
    login => "token: env:TOKEN\n  kv: 1",
    dests => [ [leased => 'vault:made/app#key'] ])));
$forwarder->signal('HUP');
ok(becomes(sub { $vault->seen()->{leased} >= 1 }, 40), 'a lease is renewed');
like(key_of('leased'), qr/^made-secret-\d+$/, 'its value is used');
is($vault->seen()->{made}, 1, 'and it is the one of the start');

my $first = key_of('leased');

$refused = $vault->seen()->{refused};
$vault->lease_until(3.9);
ok(becomes(sub { key_of('leased') ne $first }, 20),
   'one that is not made longer any more is replaced');
is($vault->seen()->{refused}, $refused, 'nothing was refused');
is($vault->seen()->{gaps}, 0, 'and it was good until then');

# ---- nobody sees them ----

my $secrets = qr/(?:vault|file|role|approle|root|made|env)-secret
                 |secret-(?:token|id|one|two)|hvs\./x;

unlike($forwarder->log_text(), $secrets, 'no secret in the log');
unlike(`curl -s --unix-socket @{[ $t->dir() ]}/status.sock http://x/metrics`,
       $secrets, 'nor in the metrics');

$receiver->answer(always => { status => 422, body => 'no' });
push @ids, add_events($redis, 3, prefix => 'dead');
ok(becomes(sub { (ledger($redis)->{'dead:leased'} // 0) >= 3 }, 20),
   'some become dead letters');

my @found;

for my $tag (Martech::Redis::tags('mt', 16)) {
    for my $key (@{ $redis->call('keys', "$tag:*") }) {
        my $dump = $redis->call('dump', $key) // '';

        push @found, $key if $dump =~ $secrets;
    }
}

is(join(' ', @found), '', 'no secret in Redis');

for my $one ($forwarder->pid(), $forwarder->loops()) {
    open my $fh, '<', "/proc/$one/environ" or next;
    local $/;
    unlike(scalar <$fh> // '', $secrets, "nor in the environment of $one");
    close $fh;

    open $fh, '<', "/proc/$one/limits" or next;
    like(scalar <$fh>, qr/^Max core file size\s+0\s/m, 'and there is no core');
}

# ---- check ----

sub refused {
    my ($text, $pattern, $what) = @_;
    my ($accepted, $output) = $forwarder->check($t->fill($text));

    ok(!$accepted, "refused: $what");
    like($output, $pattern, "$what: it says why");
    unlike($output, $secrets, "$what: without a secret");
}


my ($accepted, $output) = $forwarder->check($t->fill(conf()));

ok($accepted, 'check reads vault too') or diag($output);

refused(conf(dests => [ [a => 'vault:secret/app/none#key'] ]),
        qr{vault:secret/app/none#key.*status 404}, 'a path that is not there');
refused(conf(dests => [ [a => 'vault:secret/app/two#none'] ]),
        qr/no such field/, 'a field that is not there');
refused(conf(namespace => 'others'), qr/cannot be read/,
        'a namespace of others');
refused(conf(login => 'token: env:PLAIN'), qr/status 403/,
        'a token that is none');
refused(conf() =~ s/^vault:\n(?:  .*\n)+//mr, qr/no section "vault"/,
        'a reference without vault');
refused(conf(login => 'token: vault:a/b#c'), qr/is kept by the server/,
        'a key of vault in vault');

my @mixed = ([a => "{ value: 'env:PLAIN', environment: staging }"]);

refused(conf(dests => \@mixed), qr/secret of staging, but .* of production/,
        'a secret of another environment');

my $staging = conf(dests => \@mixed)
    =~ s/use: keyed/use: keyed\n    environment: staging/r;

($accepted, $output) = $forwarder->check($t->fill($staging));
ok($accepted, 'one of the same environment is accepted') or diag($output);

refused(conf(dests => [ [a => 'env:PLAIN'], [b => 'env:PLAIN'] ])
            =~ s/use: keyed/use: keyed\n    environment: sandbox/r,
        qr/the secret "env:PLAIN" is used by/, 'one secret in two of them');

$vault->stop();
$t->done();
