#!/usr/bin/perl

# The build says what it wants: verbs, missing parts, and where things go.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $root = Martech::Test->root();


# Runs a command; its exit status and its output.
sub run {
    my ($command) = @_;
    my $output = `cd $root && $command 2>&1`;

    return ($? >> 8, $output);
}


# ---- build.sh ----

my ($status, $help) = run('./build.sh help');

is($status, 0, 'help is given');

for my $verb (qw(deps build run test check bench fuzz chaos package install
                 clean help))
{
    like($help, qr/^  $verb\b/m, "help lists $verb");
}

($status, my $output) = run('./build.sh package');
is($status, 3, 'package exits with 3');
like($output, qr/"package" is later work/, 'and says why');

for my $bad ('--seed', '--seed x', '0', '--only nothing', '--unknown') {
    ($status, $output) = run("tools/chaos.sh $bad");
    is($status, 2, "chaos $bad is an error");
    like($output, qr/^chaos: .*\S/, 'that is explained');
}

($status, $output) = run('tools/chaos.sh 30 --seed 7 --plan | head -1');
like($output, qr/^chaos: seed 7, 30 s$/m, 'chaos says its seed first');

($status, $output) = run('./build.sh unknown');
isnt($status, 0, 'an unknown verb is an error');
like($output, qr/"unknown"/, 'which names the verb');

($status, $output) = run('./build.sh test no-such-test-at-all');
isnt($status, 0, 'a pattern without a test is an error');
like($output, qr/"no-such-test-at-all"/, 'which names the pattern');


# ---- deps without root: the packages are named ----

SKIP: {
    skip 'only root can become another user', 2 if $> != 0;

    my $bin = $t->dir() . '/bin';

    # no package is installed, says this dpkg-query
    mkdir $bin;
    $t->file('bin/dpkg-query', "#!/bin/sh\nexit 1\n");
    chmod 0755, "$bin/dpkg-query";

    ($status, $output) = run("setpriv --reuid=65534 --clear-groups "
                             . "env PATH=$bin:\$PATH bash < tools/deps.sh");
    isnt($status, 0, 'without root and with something missing deps stops');
    like($output, qr/apt-get install .*\bnginx-dev\b.*\bredis-server\b/,
         'and names the packages');
}


# ---- config ----

# what config says, with the variables and the helpers of NGINX's configure
sub config {
    my ($variables, $feature) = @_;

    mkdir $t->dir() . '/auto';
    $t->file('auto/feature', "ngx_found=$feature\n");
    $t->file('auto/module', 'echo "libs: $ngx_module_libs"' . "\n");

    my $output = `cd @{[ $t->dir() ]} && env $variables ngx_addon_dir=$root \\
                  sh $root/config 2>&1`;

    return ($? >> 8, $output);
}


($status, $output) = config('USE_THREADS=YES ngx_module_link=DYNAMIC', 'yes');
is($status, 0, 'config is content with threads and libcrypto');
like($output, qr/libs: -lz -lcrypto -lpcre2-8\s+-Wl,--version-script/,
     'a dynamic module hides its symbols');

(undef, $output) = config('USE_THREADS=YES ngx_module_link=ADDON', 'yes');
unlike($output, qr/version-script/, 'a static build hides nothing');

($status, $output) = config('USE_THREADS=NO ngx_module_link=DYNAMIC', 'yes');
is($status, 1, 'config refuses an NGINX without threads');
like($output, qr/--with-threads/, 'and says what is missing');

($status, $output) = config('USE_THREADS=YES ngx_module_link=DYNAMIC', 'no');
is($status, 1, 'config refuses to go on without libcrypto');
like($output, qr/libssl-dev/, 'and names the package');


# ---- install ----

my $into = $t->dir() . '/root';

($status, $output) = run("env DESTDIR=$into PREFIX=/opt/martech "
                         . 'MODULES_PATH=/opt/modules tools/install.sh');
is($status, 0, 'install succeeds') or diag($output);
ok(-f "$into/opt/modules/ngx_http_martech_module.so", 'the module is there');
ok(-x "$into/opt/martech/bin/martech-forwarder", 'the forwarder is there');
ok(-f "$into/opt/martech/share/martech/destinations/file/destination.yaml",
   'the destinations are there');

my $module = "$into/opt/modules/ngx_http_martech_module.so";
my $before = (stat $module)[1];

open my $mapped, '<', $module or die "$module: $!\n";
run("env DESTDIR=$into PREFIX=/opt/martech MODULES_PATH=/opt/modules "
    . 'tools/install.sh');
isnt((stat $module)[1], $before, 'a second one makes a new file');
is((stat $mapped)[1], $before, 'and leaves the old one to those who use it');
is(scalar(() = glob "$into/opt/modules/*"), 1, 'nothing else is left there');


# ---- the module's symbols ----

($status, $output) = run('nm -D --defined-only '
                         . 'build/nginx/ngx_http_martech_module.so');
is(join(' ', sort $output =~ /(\w+)$/mg),
   'ngx_module_names ngx_module_order ngx_modules',
   'the module exports what NGINX looks up, and nothing else');

$t->done();
