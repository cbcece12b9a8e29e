#!/usr/bin/perl

# The official test suite of JSON Schema, drafts 2020-12 and 07: every
# required test passes but those that need another document, which
# t/schema/remote.txt lists by name.  The list is exact: a test on it that
# passes is a failure, too.  The same for optional/format with formats as
# assertions, and t/schema/formats.txt.
#
# The suite is that of the npm package @json-schema-org/tests, whose tests come
# from GitHub; where that cannot be reached, that of Debian's
# libtest-json-schema-acceptance-perl.  MARTECH_SCHEMA_SUITE names a folder
# with another one.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use Test::More;

my $ROOT = abs_path(dirname(__FILE__) . '/..');
my $NPM = "$ROOT/build/schema-npm";
my $DEBIAN = '/usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance';

my %FOLDER = ('2020-12' => 'draft2020-12', '07' => 'draft7');


# Whether npm has brought the suite, now or before.
sub from_npm {
    my $tests = "$NPM/node_modules/json-schema-test-suite";

    return $tests if -d "$tests/tests/draft2020-12";
    return undef if system('command -v npm >/dev/null 2>&1') != 0;

    make_path($NPM);
    copy("$ROOT/t/schema/package.json", "$NPM/package.json") or die $!;

    # the package names a repository of GitHub; nobody is here to type a word

    local $ENV{GIT_TERMINAL_PROMPT} = 0;
    local $ENV{GIT_SSH_COMMAND} = 'ssh -oBatchMode=yes -oConnectTimeout=10';

    system("cd '$NPM' && timeout 120 npm install --no-audit --no-fund"
           . ' --no-package-lock --fetch-retries=0 >npm.log 2>&1');

    return -d "$tests/tests/draft2020-12" ? $tests : undef;
}


# The folder of the suite, and where it is from.
sub suite {
    my $given = $ENV{MARTECH_SCHEMA_SUITE};

    return ($given, $given) if defined $given;

    my $npm = from_npm();

    return ($npm, 'npm, @json-schema-org/tests 2.0.0') if $npm;

    if (-d "$DEBIAN/tests/draft2020-12") {
        my $package = 'libtest-json-schema-acceptance-perl';
        my $version = qx(dpkg-query -W -f '\${Version}' $package);

        return ($DEBIAN, "Debian, $package $version"
                         . '; npm cannot reach the repository of the suite');
    }

    return (undef, undef);
}


# The names of a list, of a draft.
sub listed {
    my ($file, $draft) = @_;
    my %names;

    open my $fh, '<', "$ROOT/t/schema/$file" or die "$file: $!\n";

    while (<$fh>) {
        chomp;
        next if /^#/ || $_ eq '';

        my ($of, $name) = split /\t/, $_, 2;

        $names{$name} = 1 if $of eq $draft;
    }

    return \%names;
}


# Runs files of the suite; what passed and what failed, by name.
sub run {
    my ($draft, $options, @files) = @_;
    my (%passed, %failed);

    open my $fh, '-|', "$ROOT/build/schema-suite", $draft, @$options, @files
        or die "schema-suite: $!\n";

    while (<$fh>) {
        chomp;

        my ($result, $file, $test, $why) = split /\t/, $_, 4;
        my $name = "$file\t$test";

        # a name that stands twice passes if both do

        $failed{$name} = $why if $result eq 'fail';
        $passed{$name}++ if $result eq 'pass';
    }

    ok(close $fh, "the suite runs to its end, draft $draft");

    return (\%passed, \%failed);
}


# Holds a run against its list, and prints the figure.
sub check {
    my ($draft, $what, $list, $options, @files) = @_;
    my ($passed, $failed) = run($draft, $options, @files);
    my $excluded = listed($list, $draft);
    my ($sum, $red) = (0, 0);

    $sum += $_ for values %$passed;

    for my $name (sort keys %$failed) {
        next if $excluded->{$name};

        fail("draft $draft, $name: $failed->{$name}");
        $red++;
    }

    for my $name (sort keys %$excluded) {
        next if $failed->{$name} || !$passed->{$name};

        fail("draft $draft, $name passes: take it off $list");
        $red++;
    }

    my $total = $sum + keys %$failed;
    my $left = grep { $excluded->{$_} } keys %$failed;

    ok($sum > 0 && $red == 0, "draft $draft, $what");
    diag(sprintf '%-8s %-17s %4d of %4d pass, %d excluded by name (%s)',
         $draft, $what, $sum, $total, $left, $list);

    return ($passed, $failed);
}


system("cd '$ROOT' && tools/build.sh schema-suite") == 0
    or BAIL_OUT('schema-suite cannot be built');

my ($dir, $from) = suite();

if (!defined $dir) {
    fail('the test suite of JSON Schema is there: npm install of'
         . " \@json-schema-org/tests failed (see $NPM/npm.log), and"
         . ' libtest-json-schema-acceptance-perl is not installed'
         . ' (./build.sh deps)');
    done_testing();
    exit;
}

diag("\nJSON Schema test suite: $from");

for my $draft ('2020-12', '07') {
    my $tests = "$dir/tests/$FOLDER{$draft}";

    check($draft, 'required', 'remote.txt', [], glob "$tests/*.json");
    check($draft, 'optional/format', 'formats.txt', ['--formats'],
          glob "$tests/optional/format/*.json");
}

done_testing();
