#!/usr/bin/perl

# The test library controls the life of NGINX: upgrade of the binary and back,
# a master killed alone, a single process; and loses sight of none of them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $CONF = <<'END';
    server {
        listen 127.0.0.1:8080;
        return 204;
    }
END

my $port = $t->port(8080);

sub answers { (eval { get($port, '/') } // {})->{status} // 0 }
sub lives { scalar grep { Martech::Process::lives($_) } @_ }


# ---- upgrade ----

my $nginx = $t->nginx($CONF, daemon => 1, workers => 2);
my $first = $nginx->pid();

is(answers(), 204, 'it answers from the background');
$nginx->upgrade();

my $second = $nginx->pid();

isnt($second, $first, 'there is a new master');
is($nginx->old_pid(), $first, 'beside the old one');
ok($nginx->running(), 'which runs');
is(scalar $nginx->workers(), 2, 'with its workers');
is(scalar $nginx->old_workers(), 2, 'while the old ones stay');

ok($nginx->winch(), 'the old workers go');
ok(lives($first), 'and their master stays');
ok($nginx->rollback(), 'back to the old master');
is($nginx->pid(), $first, 'it is the master again');
is(scalar $nginx->workers(), 2, 'with workers');
ok(!lives($second), 'the new one has gone');
is(answers(), 204, 'and it answers');

$nginx->upgrade();
ok($nginx->rollback(), 'back without a look at the workers');
is(scalar $nginx->workers(), 2, 'there are no more than before');

$nginx->upgrade();
ok($nginx->winch(), 'once more the old workers go');
ok($nginx->quit_old(), 'and their master');
isnt($nginx->pid(), $first, 'the new master is alone');
$nginx->reload();
is(answers(), 204, 'and answers');
$nginx->upgrade();
ok($nginx->quit_old(), 'another upgrade without WINCH');
is(answers(), 204, 'it answers still');
cmp_ok($nginx->rss(), '>', 1 << 20, 'memory of a worker');
cmp_ok($nginx->fds(), '>', 3, 'descriptors of a worker');
cmp_ok($nginx->rss($nginx->pid()), '>', 1 << 20, 'memory of the master');


# ---- a killed master ----

for my $daemon (1, 0) {
    my ($master, @orphans) = ($nginx->pid(), $nginx->kill_master());

    ok(!$nginx->running(), 'a killed master');
    ok(!lives($master), 'is gone');
    is_deeply([$nginx->orphans()], \@orphans, 'its workers are not');
    is(answers(), 204, 'and answer');
    $nginx->kill_all_now();
    ok(!lives(@orphans), 'until they are killed');
    is(answers(), 0, 'then nobody answers');

    $nginx->{daemon} = 0;
    $nginx->write_conf()->start() if $daemon;
    is(answers(), 204, 'a new master takes the ports') if $daemon;
}


# ---- one process ----

{
    my $single = $t->nginx($CONF, single => 1);

    is(answers(), 204, 'a single process answers');
    is_deeply([$single->workers()], [$single->pid()], 'it is its worker');
}


# ---- what is preloaded and set ----

{
    my $other = $t->nginx($CONF =~ s/8080/8081/r, run => 0, asan => 1,
                          env => { A => 1 }, preload => ['/x.so']);
    my $env = $other->environment();

    like($env->{LD_PRELOAD}, qr{^\S*libasan\S* \S*libubsan\S* /x\.so$},
         'the runtime of the sanitizers comes first');
    is($env->{A}, 1, 'and the environment is kept');
}


# ---- a test that is killed leaves nobody ----

for my $how ('$nginx->upgrade();', '$nginx->kill_master();') {
    my $file = $t->file('inner.t', <<"END");
use lib '$FindBin::Bin/lib';
use Martech::Test;

my \$t = Martech::Test->new();
my \$nginx = \$t->nginx('server { listen 127.0.0.1:8080; return 204; }',
                        daemon => 1);
my \@first = (\$nginx->pid(), \$nginx->workers());
$how
print "# pids: \@first @{[ '@{[ $nginx->pid(), $nginx->workers() ]}' ]}\\n";
STDOUT->flush();
kill KILL => \$\$;
END
    my $output = `TMPDIR=@{[ $t->dir() ]} perl $file 2>&1`;
    my ($pids) = $output =~ /# pids: (.*)/;

    ok($pids && becomes(sub { !lives(split ' ', $pids) }, 10),
       "a test that is killed after $how leaves no process") or diag($output);
}

$t->expect(qr/exited on signal 9/);
$t->done();
