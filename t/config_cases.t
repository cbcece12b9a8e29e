#!/usr/bin/perl

# Configurations, wrong ones and right ones, and what the forwarder's check
# says about each: exit status and every line (t/cases/config/README.md).

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use Test::More;

my $FOLDER = abs_path(dirname(__FILE__) . '/cases/config');
my $PROGRAM = abs_path(dirname(__FILE__) . '/../build/'
                       . ($ENV{MARTECH_ASAN} ? 'asan/' : '')
                       . 'martech-forwarder');

plan skip_all => 'no forwarder, run "make forwarder"'
    unless defined $PROGRAM && -x $PROGRAM;

my $TLS = `pkg-config --modversion hiredis` =~ /^[1-9]/;


sub text_of {
    my ($file) = @_;

    open my $fh, '<', $file or die "cannot read $file: $!\n";
    local $/;

    return scalar <$fh>;
}


# Exit status and stderr, in the form of an .expect file.

sub check {
    my ($name) = @_;
    my $pid = open(my $out, '-|') // die "cannot fork: $!\n";

    if ($pid == 0) {
        chdir $FOLDER or die "cannot chdir: $!\n";
        open STDERR, '>&', \*STDOUT or die "cannot dup: $!\n";
        open STDOUT, '>', '/dev/null' or die "cannot open: $!\n";
        %ENV = (TEST_PASSWORD => 'correct horse');
        exec $PROGRAM, 'check', '-c', "$name.yaml" or die "cannot exec: $!\n";
    }

    local $/;
    my $text = <$out> // '';

    close $out;

    return ($? & 127 ? 'signal ' . ($? & 127) : 'exit ' . ($? >> 8))
           . "\n$text";
}


my @names = map { basename($_, '.yaml') } sort glob "$FOLDER/*.yaml";
my %count = (good => 0, bad => 0);

for my $name (@names) {
    $count{$name =~ /^good_/ ? 'good' : 'bad'}++;

    SKIP: {
        skip "$name: hiredis has TLS", 1
            if $TLS
               && text_of("$FOLDER/$name.yaml") =~ /^# hiredis without TLS\n/;

        is(check($name), text_of("$FOLDER/$name.expect"), $name);
    }
}

# what the .expect files themselves have to keep to

for my $name (@names) {
    my ($status, @lines) = split /\n/, text_of("$FOLDER/$name.expect");

    next if $name =~ /^good_/
            && $status eq 'exit 0' && !grep { !/:\d+: warning: / } @lines;
    next if $status eq 'exit 1' && @lines && !grep { !/^\S+:\d+: / } @lines;

    fail("$name.expect: every line has a file and a line");
}

cmp_ok($count{bad}, '>=', 60, 'enough wrong ones');
cmp_ok($count{good}, '>=', 6, 'enough right ones');
is(scalar(grep { /hunter2|correct horse/ }
          map { text_of("$FOLDER/$_.expect") } @names), 0,
   'no secret is shown');

done_testing();
