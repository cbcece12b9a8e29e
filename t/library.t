#!/usr/bin/perl

# The test library keeps its promises: a test fails by itself on a crash, an
# alert or a sanitizer report, and leaves no process behind, however it ends.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();

use Martech::Test;

my $t = Martech::Test->new();

my $BEGINNING = <<"END";
use strict;
use warnings;
use lib '$FindBin::Bin/lib';
use Martech::Test;

my \$t = Martech::Test->new();
my \$nginx = \$t->nginx(<<'CONF');
    server {
        listen 127.0.0.1:8080;
        return 204;
    }
CONF

sub note_in_log {
    open my \$fh, '>>', \$nginx->error_log() or die;
    print \$fh "2026/01/01 00:00:00 \$_[0]\\n";
    close \$fh;
}

is(get(\$t->port(8080), '/')->{status}, 204, 'it runs');
END


# Runs a test of its own, in our folder: one that is killed cleans nothing up.
# Returns its exit status and its output.
sub run {
    my ($body) = @_;
    my $file = $t->file('inner.t', $BEGINNING . $body);
    my $output = `TMPDIR=@{[ $t->dir() ]} perl $file 2>&1`;

    return ($?, $output);
}


sub fails {
    my ($body, $because, $name) = @_;
    my ($status, $output) = run($body);

    isnt($status, 0, "fails: $name");
    like($output, $because, "says why: $name");
}


my ($status, $output) = run('$t->done();');

is($status, 0, 'a test without fault succeeds') or diag($output);

fails('is(1, 2, "wrong"); $t->done();', qr/not ok \d+ - wrong/, 'an assertion');

for my $line ('[alert] 1#1: worker process 2 exited on signal 11',
              '[emerg] 1#1: no', '[crit] 1#1: no',
              '[notice] 1#1: open socket #3 left in connection 4',
              '==1==ERROR: AddressSanitizer: heap-use-after-free',
              'x.c:1:2: runtime error: signed integer overflow')
{
    fails("note_in_log('$line'); \$t->done();",
          qr/not ok \d+ - nginx logs nothing serious/, $line);
}

fails('$t->file("nginx0/sanitizer.1", "report\n"); $t->done();',
      qr/not ok \d+ - nginx logs nothing serious/, 'a sanitizer report');
fails('kill ABRT => ($nginx->workers())[0]; '
      . 'wait_until(sub { $nginx->logged(qr/signal 6/) }, 10, "crash"); '
      . '$t->done();', qr/exited on signal 6/, 'a crashed worker');
fails('kill KILL => $nginx->workers(), $nginx->pid(); '
      . 'wait_until(sub { !$nginx->running() }, 10, "end"); $t->done();',
      qr/not ok \d+ - nginx does not crash/, 'a killed master');
fails('wait_until(sub { 0 }, 0.05, "the moon is full"); $t->done();',
      qr/waited 0\.05 s in vain: the moon is full/, 'a wait in vain');
fails('alarm 1; select undef, undef, undef, 30; $t->done();',
      qr/did not end within/, 'a test that hangs');
fails('exit 0;', qr/No tests run|no plan/i, 'a test that stops half way');

($status, $output) = run(
    '$t->expect(qr/exited on signal 9/); $nginx->kill_worker(); $t->done();');
is($status, 0, 'what a test expects is excused') or diag($output);


# ---- nothing is left behind ----

# process ids of the NGINX that an inner test started
sub left {
    my ($pids) = @_;

    return grep { kill 0 => $_ } split ' ', $pids;
}


my $say_pids = 'print "# pids: ", join(" ", $nginx->pid(), '
    . '$nginx->workers()), "\n"; ';

for (['dies', 'die "at once\n";'], ['is interrupted', 'kill INT => $$;'],
     ['is terminated', 'kill TERM => $$;'], ['is killed', 'kill KILL => $$;'])
{
    my ($how, $code) = @$_;

    (undef, $output) = run("\$| = 1; $say_pids$code sleep 9;");

    my ($pids) = $output =~ /# pids: (.*)/;

    ok($pids && becomes(sub { !left($pids) }, 10),
       "a test that $how leaves no process");
}

$t->done();
