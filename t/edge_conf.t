#!/usr/bin/perl

# "nginx -t" is the gate: a bad configuration is refused by a message that
# quotes the value, and testing one leaves no trace.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

# no name below it exists (RFC 6761), and asking for it costs no time
my $NO_HOST = 'redis.invalid';

my $t = Martech::Test->new();
my $redis = $t->redis();
my $nginx = $t->nginx('', run => 0);

$t->expect(qr/\[emerg\]/);
$t->define(EMPTY => $t->file('empty', ''), KEYS => $t->file('keys', "k1\nk2\n"),
           BIG => $t->file('big', 'k' x 70_000));


my $SERVER = 'server { listen 127.0.0.1:8080; '
    . 'location / { martech_collect; } }';


# [http block, what the message must contain, name]
sub refused {
    my ($conf, $says, $name) = @_;
    my ($accepted, $output) = $nginx->test_conf($t->fill($conf));

    ok(!$accepted, "refused: $name");
    like($output, $says, "the message names it: $name");
}


# a self-signed certificate NAME.pem with its NAME.key
sub certificate {
    my ($name) = @_;
    my $file = $t->dir() . "/$name";

    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
           . "-nodes -days 2 -subj /CN=$name -keyout $file.key "
           . "-out $file.pem 2>/dev/null") == 0 or die "openssl failed\n";
}


sub accepted {
    my ($conf, $name) = @_;
    my ($accepted, $output) = $nginx->test_conf($t->fill($conf));

    ok($accepted, "accepted: $name") or diag($output);
}


# ---- what is right ----

accepted("martech_redis %%REDIS%%; $SERVER", 'the least');
accepted('', 'the module without a directive');
accepted('martech_redis 127.0.0.1:6379;', 'redis, but no location');
accepted("martech_redis 127.0.0.1; $SERVER", 'a host without port');
accepted("martech_redis [::1]:6379; $SERVER", 'IPv6');
accepted("martech_redis localhost:6379 db=0; $SERVER", 'a name')
    if gethostbyname 'localhost';
accepted("martech_redis %%REDIS%% connect_timeout=1s timeout=10s; $SERVER",
         'timeouts');
accepted("martech_redis %%REDIS%%; martech_stream events shards=1024; $SERVER",
         'the most shards');
accepted("martech_redis %%REDIS%%; martech_buffer 128k; $SERVER",
         'the smallest buffer');
accepted("martech_redis %%REDIS%%; martech_source a key=1 key=2 kind=server;"
         . "martech_source b key_file=%%KEYS%%; $SERVER", 'several sources');
accepted("martech_redis %%REDIS%%; martech_ack memory; martech_limits "
         . "event=64k batch=1m events=10 depth=8 message_id=64; $SERVER",
         'limits for all servers');


# ---- sentinels, clusters, TLS ----

certificate('edge');
$t->define(TLS => $t->dir() . '/edge');

accepted("martech_redis 127.0.0.1 127.0.0.2:26380 sentinel=my.Master_1-a "
         . "sentinel_user=s sentinel_password_file=%%KEYS%% db=2 user=u "
         . "password_file=%%KEYS%%; $SERVER", 'sentinels');
accepted("martech_redis 127.0.0.1:7000 [::1]:7001 127.0.0.1:7002 cluster db=0; "
         . $SERVER, 'a cluster');
accepted("martech_redis 127.0.0.1 wait_replicas=1:10ms; $SERVER",
         'one replica, a short time');
accepted("martech_redis 127.0.0.1 wait_replicas=16:59s timeout=60s; $SERVER",
         'many replicas, a long time');
accepted("martech_redis 127.0.0.1 tls; $SERVER", 'tls as the system trusts');
accepted("martech_redis 127.0.0.1 tls tls_ca=%%TLS%%.pem "
         . "tls_name=redis.internal tls_certificate=%%TLS%%.pem "
         . "tls_key=%%TLS%%.key; $SERVER",
         'all of tls');
accepted("martech_redis $NO_HOST sentinel=m tls; resolver 127.0.0.1; $SERVER",
         'a name that only the resolver may know');
accepted("martech_redis 127.0.0.1 $NO_HOST:7000 cluster; "
         . "resolver 127.0.0.1:53 ipv6=off; $SERVER",
         'one of the names only the resolver may know');

{
    my ($ok, $output) = $nginx->test_conf(
        $t->fill("martech_redis %%REDIS%%; $SERVER"));

    is($output =~ tr/\n//, 2, 'a good configuration is praised, not commented');
}


# ---- what is wrong ----

refused($SERVER, qr/martech_redis/, 'a location without redis');

refused("martech_redis; $SERVER", qr/invalid number of arguments/,
        'redis without address');
refused('martech_redis 127.0.0.1:6379; martech_redis 127.0.0.1:6380;',
        qr/"martech_redis" directive is duplicate/, 'redis twice');
refused('martech_redis 127.0.0.1:99999;', qr/invalid port.*127\.0\.0\.1:99999/,
        'a wrong port');
refused('martech_redis unix:;', qr/unix:/, 'an empty path');
refused('martech_redis 127.0.0.1:6379 db=x;', qr/"db=x"/, 'a wrong database');
refused('martech_redis 127.0.0.1:6379 db=-1;', qr/"db=-1"/,
        'a negative database');
refused('martech_redis 127.0.0.1:6379 timeout=0;', qr/"timeout=0"/,
        'no timeout at all');
refused('martech_redis 127.0.0.1:6379 timeout=2h;', qr/"timeout=2h"/,
        'a timeout of hours');
refused('martech_redis 127.0.0.1:6379 color=red;', qr/"color=red"/,
        'an unknown parameter');
refused('martech_redis 127.0.0.1:6379 password_file=/nowhere/file;',
        qr{/nowhere/file.*No such file}, 'a missing password file');
refused('martech_redis 127.0.0.1:6379 password_file=%%EMPTY%%;', qr/empty/,
        'an empty password file');
refused('martech_redis 127.0.0.1:6379 user=edge;', qr/password_file/,
        'a user without password');

refused('martech_redis 127.0.0.1 timeout=1s timeout=2s;',
        qr/"timeout=2s".*once/, 'a parameter twice');
refused('martech_redis db=1 127.0.0.1;',
        qr/"db=1", an address must stand first/, 'an address last');
refused('martech_redis *:6379;', qr/"\*:6379".*host:port/, 'any address');
refused('martech_redis 127.0.0.1 127.0.0.2;', qr/"127\.0\.0\.2".*sentinel=/,
        'several addresses of one redis');
refused('martech_redis 127.0.0.1 clutser;', qr/"clutser".*cluster/,
        'a word that is none of ours');
refused('martech_redis ' . join(' ', map { "127.0.0.$_" } 1 .. 33)
        . ' cluster;', qr/"127\.0\.0\.33".*32/, 'too many addresses');
refused("martech_redis $NO_HOST; $SERVER", qr/"\Q$NO_HOST\E:6379".*resolver/,
        'a name that nobody knows');
refused("martech_redis $NO_HOST sentinel=m; $SERVER", qr/"\Q$NO_HOST\E:26379"/,
        'a sentinel that nobody knows');
refused("martech_redis $NO_HOST; server { resolver 127.0.0.1; "
        . 'listen 127.0.0.1:8080; location / { martech_collect; } }',
        qr/"\Q$NO_HOST\E:6379".*resolver.*http/, 'the resolver of a server');

refused('martech_redis 127.0.0.1 sentinel=;', qr/"sentinel="/,
        'a master without a name');
refused('martech_redis 127.0.0.1 sentinel=a/b;', qr{"sentinel=a/b".*letters},
        'a master with a slash');
refused('martech_redis 127.0.0.1 sentinel=m cluster;', qr/"cluster".*exclude/,
        'sentinels of a cluster');
refused('martech_redis 127.0.0.1 cluster sentinel=m;',
        qr/"sentinel=m".*exclude/, 'a cluster of sentinels');
refused('martech_redis 127.0.0.1 sentinel=m sentinel_user=s;',
        qr/sentinel_user=s.*sentinel_password_file=/,
        'a user of sentinels without password');
refused('martech_redis 127.0.0.1 sentinel_password_file=%%KEYS%%;',
        qr/sentinel_password_file=.*sentinel=/, 'a password for no sentinel');
refused('martech_redis 127.0.0.1 cluster db=1;', qr/"db=1".*0/,
        'a database of a cluster');
refused('martech_redis 127.0.0.1 unix:/run/redis.sock cluster;',
        qr{"unix:/run/redis\.sock".*host:port}, 'a cluster on a socket');
refused('martech_redis 127.0.0.1 password_file=/dev/null;',
        qr{/dev/null.*regular file}, 'a password file that is no file');
refused('martech_redis 127.0.0.1 password_file=%%BIG%%;', qr/big.*65536/,
        'a huge password file');

refused("martech_redis 127.0.0.1 $_;", qr/"\Q$_\E".*1 to 16.*10ms to 60s/,
        "replicas: $_")
    for qw(wait_replicas=1 wait_replicas=0:1s wait_replicas=17:1s
           wait_replicas=1:9ms wait_replicas=1:61s wait_replicas=1:
           wait_replicas=:1s wait_replicas=x:1s);

refused('martech_redis %%REDIS%% tls;', qr/"unix:.*tls/, 'tls on a socket');
refused("martech_redis 127.0.0.1 $_;", qr/\Q$_\E needs tls/, "$_ without tls")
    for qw(tls_ca=a.pem tls_name=n tls_certificate=c.pem tls_key=k.pem);
refused('martech_redis 127.0.0.1 tls=on;', qr/"tls=on"/, 'tls with a value');
refused('martech_redis 127.0.0.1 tls tls_ca=;', qr/"tls_ca="/, 'no CA');
refused('martech_redis 127.0.0.1 tls tls_name=' . 'n' x 256 . ';',
        qr/"tls_name=n{256}".*255/, 'a long name');
refused('martech_redis 127.0.0.1 tls tls_ca=/nowhere/ca.pem;',
        qr{/nowhere/ca\.pem}, 'a missing CA');
refused('martech_redis 127.0.0.1 tls tls_ca=%%KEYS%%;', qr/keys/,
        'a CA that is no certificate');
refused('martech_redis 127.0.0.1 tls tls_certificate=%%TLS%%.pem;',
        qr/edge\.pem needs a tls_key=/, 'a certificate without its key');
refused('martech_redis 127.0.0.1 tls tls_key=%%TLS%%.key;',
        qr/edge\.key needs a tls_certificate=/, 'a key without certificate');
certificate('other');
refused('martech_redis 127.0.0.1 tls tls_certificate=%%TLS%%.pem '
        . 'tls_key=%%PREFIX%%/other.key;', qr/other\.key.*mismatch/i,
        'the key of another certificate');

refused('martech_stream a/b;', qr{"a/b"}, 'a prefix with a slash');
refused('martech_stream ' . 'p' x 33 . ';', qr/"p{33}"/, 'a long prefix');
refused('martech_stream mt shards=0;', qr/"shards=0"/, 'no shard');
refused('martech_stream mt shards=1025;', qr/"shards=1025"/, 'too many shards');
refused('martech_stream mt 16;', qr/"16"/, 'shards without their name');
refused('martech_stream a; martech_stream b;', qr/is duplicate/,
        'the stream twice');

refused('martech_buffer 64k;', qr/"64k"/, 'a small buffer');
refused('martech_buffer lots;', qr/"lots"/, 'a buffer that is no size');
refused('martech_buffer 1m; martech_buffer 2m;', qr/is duplicate/,
        'the buffer twice');

refused('martech_source web;', qr/invalid number of arguments/,
        'a source without key');
refused('martech_source web kind=client;', qr/web/,
        'a source with a kind but no key');
refused('martech_source "a b" key=k;', qr/"a b"/, 'a source with a blank');
refused('martech_source ' . 's' x 65 . ' key=k;', qr/"s{65}"/, 'a long name');
refused('martech_source web key=k kind=both;', qr/"kind=both"/,
        'an unknown kind');
refused('martech_source web key=;', qr/"web" has 0 bytes/, 'an empty key');
refused('martech_source web lock=k;', qr/parameter "lock",/,
    'an unknown parameter, without what may be a key');
refused('martech_source web key_file=/nowhere/keys;', qr{/nowhere/keys},
        'a missing key file');
refused('martech_source web key_file=%%EMPTY%%;', qr/empty/,
        'no key in a file');
refused('martech_source web key_file=%%BIG%%;', qr/big/, 'a huge key file');

for my $twice ('martech_source a key=secret1; martech_source b key=secret1;',
               'martech_source a key=secret1 key=secret1;')
{
    my ($accepted, $output) = $nginx->test_conf($t->fill($twice));

    ok(!$accepted, 'refused: a key that stands twice');
    unlike($output, qr/secret1/, 'the message does not show the key');
}

refused('martech_source a key=k1; martech_source a key=k2;', qr/"a"/,
        'a source twice');

refused('martech_ack disk;', qr/"disk"/, 'an unknown level');
refused('martech_ack redis; martech_ack memory;', qr/is duplicate/,
        'the level twice');
refused('martech_ack redis retry_after=0;', qr/"retry_after=0"/,
        'no time to try again');

refused('martech_limits event=1;', qr/"event=1"/, 'a tiny event');
refused('martech_limits depth=1000;', qr/"depth=1000"/, 'a huge depth');
refused('martech_limits width=3;', qr/"width=3"/, 'an unknown limit');
refused('martech_limits event;', qr/"event"/, 'a limit without value');
refused('martech_limits event=1k event=2k;', qr/"event=2k"/, 'a limit twice');

refused('server { listen 127.0.0.1:8080; martech_collect; }',
        qr/"martech_collect" directive is not allowed here/,
        'collecting in a server');
refused('server { listen 127.0.0.1:8080; martech_redis 127.0.0.1:6379; }',
        qr/"martech_redis" directive is not allowed here/,
        'redis in a server');
refused('server { listen 127.0.0.1:8080; location / { martech_collect on; } }',
        qr/invalid number of arguments/, 'collecting with an argument');
refused('server { listen 127.0.0.1:8080; location / { martech_status xml; } }',
        qr/"xml"/, 'an unknown format');


# ---- the spool ----

my $SPOOL = 'martech_redis %%REDIS%%; martech_spool %%PREFIX%%/spool';

for my $more ('', 'max_size=2m segment=1m', 'sync=always', 'sync=interval',
              'sync=interval:10ms', 'sync=interval:1m', 'after=10ms',
              'after=5s', 'segment=1g max_size=2g', 'threads=default')
{
    accepted("$SPOOL $more; $SERVER", "a spool, $more");
}

accepted("martech_redis %%REDIS%%; martech_spool spool/; $SERVER",
         'a spool below the prefix');

refused("martech_spool; $SERVER", qr/invalid number of arguments/,
        'a spool without a folder');
refused("$SPOOL; martech_spool %%PREFIX%%/other; $SERVER",
        qr/"martech_spool" directive is duplicate/, 'the spool twice');
refused("$SPOOL threads=none; $SERVER", qr/unknown thread pool "none"/,
        'a pool of threads that is none');
refused("$SPOOL after=6s; $SERVER", qr/after=.*timeout=/,
        'more patience than Redis has');
refused("$SPOOL max_size=8m segment=5m; $SERVER", qr/at least twice segment=/,
        'a spool with room for one segment');
refused("martech_redis %%REDIS%%; martech_spool %%PREFIX%%/" . 'p' x 400
        . "; $SERVER", qr/path that is too long/, 'a long path');
refused("martech_redis %%REDIS%%; martech_spool %%PREFIX%%/no/parent; $SERVER",
        qr{no/parent" failed \(2:}, 'a folder without its parent');
refused('server { listen 127.0.0.1:8080; martech_spool %%PREFIX%%/spool; }',
        qr/"martech_spool" directive is not allowed here/,
        'a spool in a server');

for my $wrong ('max_size=1m', 'max_size=lots', 'max_size=', 'segment=100k',
               'segment=2g', 'sync=never', 'sync=interval:',
               'sync=interval:5ms', 'sync=interval:2m', 'sync=always:1s',
               'after=5ms', 'after=2m', 'after=', 'threads=', 'color=red',
               'max_size')
{
    refused("$SPOOL $wrong; $SERVER", qr/"$wrong"/, "a spool, $wrong");
}


# ---- no trace ----

my $connections = $redis->info('total_connections_received');

sub files {
    my ($dir) = @_;
    my @files;

    for my $file (glob "$dir/*") {
        push @files, $file, -d $file ? files($file) : ();
    }

    return grep { !m{/(?:error\.log|test\.log|nginx\.conf)$} } @files;
}

accepted("martech_redis %%REDIS%%; $SERVER", 'the least, once more');

my $before = join "\n", files($nginx->dir());

accepted("martech_redis %%REDIS%%; $SERVER", 'the least, for the last time');
is(join("\n", files($nginx->dir())), $before, 'a test leaves no file');
is($redis->info('total_connections_received'), $connections,
   'a test does not connect to redis');
is($redis->call('dbsize'), 0, 'a test writes nothing');


# ---- without an http block ----

{
    my $bare = Martech::Nginx->new(dir => $t->dir() . '/bare',
        module => $nginx->{module}, asan => $nginx->{asan}, whole =>
        "load_module $nginx->{module};\npid nginx.pid;\n"
        . "error_log error.log notice;\nevents {}\n");

    my ($accepted) = $bare->test_conf();

    ok($accepted, 'accepted: the module without an http block');
    $bare->start();
    ok($bare->stop(), 'and it starts and stops');
    is($bare->logged(qr/\[(?:alert|emerg|crit)\]/), 0, 'without a word');
}


# ---- a module that collects for nobody makes no connection ----

{
    my $idle = $t->nginx('martech_redis %%REDIS%%; server { '
                         . 'listen 127.0.0.1:8082; return 204; }');

    is(get($t->port(8082), '/')->{status}, 204, 'other locations are served');
    is($redis->info('total_connections_received'), $connections,
       'without a collecting location there is no connection to redis');
}

$t->done();
