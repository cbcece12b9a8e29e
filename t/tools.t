#!/usr/bin/perl

# The checkers of ./build.sh check find what they are there for, and stay
# silent about code that is right.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp ();
use Test::More;

my $TOOLS = abs_path(dirname(__FILE__) . '/../tools');

my $GOOD = <<'END';

/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A file that keeps to the style.
 */


#include <string.h>

#include "martech.h"


static int martech_one(const char *p);


/* A comment with "quotes", a = b and if(this). */

static int
martech_one(const char *p)
{
    int  n;

    n = 0;

    if (p == NULL || strcmp(p, "a = b // no comment") == 0) {
        return 0;

    } else if (p[0] >= 'a'
               && p[0] <= 'z')
    {
        n = 1;
    }

    do {
        n++;
    } while (n < 3);

    for (n = 0; n < 3; n++) {
        p++;
    }

    return n;
}


/* style(length): a reason */

int
martech_two(void)
{
    return martech_one("");
}
END


# Runs a tool in a folder of its own that holds the files given.
sub run {
    my ($tool, %files) = @_;
    my $dir = File::Temp->newdir('martech-tools-XXXXXX', TMPDIR => 1);

    for my $name (keys %files) {
        make_path(dirname("$dir/$name"));
        open my $fh, '>', "$dir/$name" or die "$name: $!\n";
        print $fh $files{$name};
        close $fh;
    }

    my $output = `cd $dir && $TOOLS/$tool 2>&1`;

    return ($? >> 8, $output);
}


# The good file with one change must be reported by that rule, at a line of the
# change or at the one after it.
sub style_finds {
    my ($rule, $from, $to, $name) = @_;
    my $text = $GOOD;
    my $first = 1 + (substr($GOOD, 0, index $GOOD, $from) =~ tr{\n}{});
    my $last = 1 + $first + ($to =~ tr{\n}{});

    $text =~ s/\Q$from\E/$to/ or die "no \"$from\" in the sample\n";

    my ($status, $output) = run('checkstyle', 'martech/martech_a.c' => $text);

    my ($line) = $output =~ m{^martech/martech_a\.c:(\d+): $rule: }m;

    ok($status == 1 && $line && $line >= $first && $line <= $last,
       "style: $name") or diag($output);
}


sub layers_find {
    my ($file, $text, $name, $line) = @_;
    my ($status, $output) = run('layers', $file => $text);

    $line //= 1;
    ok($status == 1 && $output =~ m{^\Q$file\E:$line: layers: }m,
       "layers: $name") or diag($output);
}


sub silent {
    my ($tool, $file, $text, $name) = @_;
    my ($status, $output) = run($tool, $file => $text);

    ok($status == 0 && $output eq '', "$tool: $name") or diag($output);
}


silent('checkstyle', 'martech/martech_a.c', $GOOD, 'nothing about good code');
silent('checkstyle', 't/cases/a/node_modules/b/c.c', "int a(){\n",
       'nothing about what npm brings');

style_finds('header', "\n/*", '/*', 'no blank line on top');
style_finds('copyright', 'Copyright (C) ngx', 'Copyright ngx',
            'the copyright line');
style_finds('header', "contributors\n *\n", "contributors\n",
            'no purpose in the header');
style_finds('columns', 'int  n;', 'int  n;' . ' ' x 80 . '/* n */',
            'a long line');
style_finds('tab', '    int  n;', "\tint  n;", 'a tab');
style_finds('trailing', 'int  n;', 'int  n; ', 'a trailing blank');
style_finds('ascii', 'A comment', "A comm\xc3\xa9nt", 'a non-ASCII byte');
style_finds('todo', 'A comment', 'TODO: A comment', 'a TODO of nobody');
style_finds('comment', 'n = 0;', 'n = 0; // zero', 'a // comment');
style_finds('extern', "static int martech_one(const char *p);",
            "extern int martech_one(const char *p);", 'an extern in a .c file');
style_finds('space', 'if (p', 'if(p', 'a keyword without a blank');
style_finds('else', "return 0;\n\n", "return 0;\n", '"} else" too close');
style_finds('else', "} else if", "}\n\n    else if", 'else on its own line');
style_finds('assignment', 'while (n < 3)', 'while ((n = 3))',
            'an assignment in a condition');
style_finds('braces', "n++) {\n        p++;\n    }", "n++)\n        p++;\n",
            'a loop without braces');
style_finds('function', "}\n\n\n/* style", "}\n\n/* style",
            'functions too close');
style_finds('blank', "string.h>\n\n", "string.h>\n\n\n\n",
            'three blank lines');
style_finds('function', "static int\nmartech_one", "static int martech_one",
            'a return type on the line of the name');
style_finds('function', "one(const char *p)\n{", "one(const char *p) {",
            'a function brace on the line of its head');
style_finds('prefix', 'martech_two', 'two', 'a function without prefix');
style_finds('length', "{\n    return martech", "{\n" . "    ;\n" x 101
            . '    return martech', 'a long function') if 0;

{
    my $long = $GOOD;

    $long =~ s/style\(length\): a reason/two/;
    $long =~ s/(return martech_one)/"    ;\n" x 101 . "    $1"/e;

    my ($status, $output) = run('checkstyle', 'martech/martech_a.c' => $long);

    like($output, qr{^martech/martech_a\.c:\d+: length: "martech_two" has},
         'style: a long function');

    my ($cut) = $GOOD =~ /\A(.*)\n\z/s;

    ($status, $output) = run('checkstyle', 'martech/martech_a.c' => $cut);
    like($output, qr{: end: no newline}, 'style: no newline at the end');

    ($status, $output) = run('checkstyle', 'martech/martech_a.h' => $GOOD);
    like($output, qr{: guard: }, 'style: a header without guard');

    ($status, $output) = run('checkstyle',
        'martech/martech_a.c' => $GOOD =~ s{n = 0;}
            {/* style(comment): it is an address */ n = 0; // x}r);
    is($status, 0, 'style: an exception with its reason is let pass');
}

silent('layers', 'martech/martech_a.c', $GOOD, 'nothing about good code');

layers_find('martech/martech_a.c', "#include <ngx_core.h>\n",
            'NGINX in the model');
layers_find('martech/martech_a.c',
            "#include <stdio.h>\n#include <sys/time.h>\n",
            'a clock in the model', 2);
layers_find('martech/martech_a.c', "#include <jansson.h>\n",
            'a library in the model');
layers_find('martech/martech_a.c', "#include \"fwd.h\"\n",
            'the forwarder in the model');
layers_find('ngx_martech_module/ngx_http_martech_resp.c',
            "#include <ngx_config.h>\n", 'NGINX in the reply parser');
layers_find('ngx_martech_module/ngx_http_martech_segment.c',
            "#include <zlib.h>\n#include <unistd.h>\n",
            'files in the segment', 2);
layers_find('ngx_martech_module/ngx_http_martech_store_file.c',
            "#include <unistd.h>\n#include \"ngx_http_martech.h\"\n",
            'the module in the store', 2);
layers_find('ngx_martech_module/ngx_http_martech_dial.c',
            "#include \"ngx_http_martech.h\"\n",
            'events in what connects');
layers_find('ngx_martech_module/ngx_http_martech_redis.c',
            "#include <hiredis/hiredis.h>\n", 'hiredis in the module');
layers_find('ngx_martech_module/ngx_http_martech_redis.c',
            "#include \"fwd_log.h\"\n", 'the forwarder in the module');
layers_find('ngx_martech_module/ngx_http_martech_stats.c',
            "#include <signal.h>\n#include \"ngx_http_martech.h\"\n",
            "a system header in front of NGINX's");
layers_find('forwarder/fwd_a.c', "#include <ngx_core.h>\n",
            'NGINX in the forwarder');
layers_find('forwarder/fwd_a.c', "#include \"ngx_http_martech_resp.h\"\n",
            'the module in the forwarder');
layers_find('forwarder/fwd_a.c', "int mixpanel_send(void);\n",
            'a vendor in the forwarder');
layers_find('destinations/file/send.c', "int x;\n", 'code in a destination');
layers_find('destinations/file/map.jq', "{a: env.HOME}\n",
            'a program that sees the environment');

silent('layers', 'forwarder/fwd_a.c',
       "#include <uv.h>\n#include \"martech.h\"\n#include \"fwd.h\"\n",
       'nothing about the forwarder\'s own libraries');

done_testing();
