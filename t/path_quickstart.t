#!/usr/bin/perl

# The example configurations are what they say: NGINX accepts them, and
# "./build.sh run --once" takes three events all the way, twice at a time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Process;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $root = Martech::Test->root();


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;

    return scalar <$fh>;
}


# ---- the configuration as it is ----

my $redis = $t->redis();
my $conf = slurp("$root/lua-free-conf/quickstart.conf");

$conf =~ s/127\.0\.0\.1:6379/unix:@{[ $redis->socket() ]}/;
$conf = $t->fill($conf);

my $dir = $t->dir() . '/nginx0';

mkdir $dir;
mkdir "$dir/temp";
symlink "$root/build/" . ($t->{asan} ? 'nginx-asan' : 'nginx'),
    "$dir/modules";

my $nginx = $t->nginx('', whole => $conf);
my $port = $t->port(8080);

is(post($port, '/collect/v1/track', { event => 'E', userId => 'u' },
        key => 'quickstart')->{status}, 200, 'the example collects');
is($redis->count(), 1, 'and stores');
is(post($port, '/collect/v1/track', { event => 'E', userId => 'u' })->{status},
   401, 'the example asks for a key');
is(get($port, '/status')->{json}{events_stored}, 1, 'the example counts');

# the log phase comes after the answer

ok(becomes(sub { slurp("$dir/access.log") =~ / 200 website stored 1 / }, 5),
   'the example logs verdicts');

is(post($t->port(8081), '/webhook', { a => "b\n" })->{status}, 204,
   'its receiver takes a webhook');
ok(becomes(sub { slurp("$dir/webhook.log") =~ /\n/ }, 5)
   && from_json(slurp("$dir/webhook.log"))->{body} eq '{"a":"b\n"}',
   'and writes it down');


# ---- the whole path ----

my @runs = map {
    Martech::Process->start(
        name => "run $_", output => $t->dir() . "/run$_.log",
        env => { PORT => $port }, argv => ["$root/tools/run", '--once'])
} 1 .. 2;

for my $n (1 .. 2) {
    my $log = $t->dir() . "/run$n.log";

    ok($runs[$n - 1]->wait_end(60), "run $n ends");
    is($runs[$n - 1]->status(), 0, "run $n succeeds") or diag(slurp($log));
    like(slurp($log), qr/^delivered 3 of 3$/m, "run $n delivers 3 of 3");
    like(slurp($log), qr/^port $port is taken, using \d+$/m,
         "run $n takes another port");
}


# ---- until Ctrl-C ----

my $show = Martech::Process->start(
    name => 'run', output => $t->dir() . '/show.log',
    env => { PORT => $t->port(8090) }, argv => ["$root/tools/run"]);
my $log = $t->dir() . '/show.log';

wait_until(sub { -e $log && slurp($log) =~ /Ctrl-C stops/ }, 30, 'it is ready');

my $shown = slurp($log);
my ($curl) = $shown =~ /^  (curl (?:.*\\\n)*.*)$/m;

ok($curl, 'a curl line is shown');

my $answer = `$curl 2>/dev/null`;

is($answer, '{"success":true}', 'the curl line works as it is shown');
ok(becomes(sub {
    my $text = slurp($log);

    $text =~ /^file +track +Signed Up/m
        && $text =~ /^webhook +track +Signed Up/m;
}, 20), 'each delivered event is shown, from both destinations');

my @children = Martech::Process::children($show->pid());

cmp_ok(scalar @children, '>=', 3, 'it runs three programs');
$show->{stopped} = 1;
$show->signal('INT');
ok($show->wait_end(20), 'Ctrl-C ends it');
is($show->status(), 0, 'with success');
is((grep { kill 0 => $_ } @children), 0, 'and leaves nothing running');

$t->done();
