#!/usr/bin/perl

# What the module has is documented, and what is documented the module has:
# directives with their contexts, codes of refusals, counters and metrics,
# verdicts, dialects and schemes of webhooks.  The examples of
# docs/DIALECTS.md are configurations that NGINX takes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $root = Martech::Test->root();
my $redis = $t->redis();


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;

    return scalar <$fh>;
}


sub code { slurp("$root/$_[0]") }


# Elements of the first list that are not in the second.
sub lacking {
    my ($all, $known) = @_;
    my %known = map { $_ => 1 } @$known;

    return [ sort grep { !$known{$_} } @$all ];
}


my %docs = map { $_ => slurp("$root/docs/$_.md") }
    qw(DIALECTS DIRECTIVES OPERATIONS PRIVACY SPEC);
my $directives = $docs{DIRECTIVES};
my $dialects = $docs{DIALECTS};


# ---- directives ----

my $table = code('ngx_martech_module/ngx_http_martech_module.c');
my %flags = $table =~ /^ {4}\{ ngx_string\("(\w+)"\),\n\s+([^,]+),$/mg;
my %section = $directives =~ /^## (martech_\w+)\n(.*?)(?=^## )/msg;

cmp_ok(scalar keys %flags, '>', 20, 'directives are found');
is_deeply([ sort keys %section ], [ sort keys %flags ],
          'each directive has a section, and each section a directive');

my %context = (http => 'NGX_HTTP_MAIN_CONF', server => 'NGX_HTTP_SRV_CONF',
               location => 'NGX_HTTP_LOC_CONF');

for my $name (sort keys %flags) {
    my $text = $section{$name} // '';
    my ($contexts) = $text =~ /^ {4}Context:? +(.+)$/m;
    my @want = grep { $flags{$name} =~ /$context{$_}/ }
               qw(http server location);

    is($contexts, join(', ', @want), "$name: its contexts");
    like($text, qr/^ {4}Syntax: +$name\b/m, "$name: its syntax");
    like($text, qr/^ {4}Default: /m, "$name: its default");
}

# parameters "name=" of the syntax are read by the code, and the other way
# round: what errors list as allowed is in the syntax

my $conf = join '', map { slurp($_) }
    map { glob "$root/ngx_martech_module/ngx_http_martech_$_.c" }
    qw(*_conf conf source drop forget);
my $quoted = $conf =~ s/"\s+"//gr;

my $syntaxes = join '', $directives =~ /(^ {4}Syntax:.*?)^ {4}Default/msg;

for my $name (sort keys %section) {
    my ($syntax) = $section{$name} =~ /(^ {4}Syntax:.*?)^ {4}Default/ms;
    my @known = $syntax =~ /\b([a-z_]+)[=~]/g;

    is_deeply([ grep { $conf !~ /"$_[=~]?"|\b$_=/ } @known ], [],
              "$name: its parameters are read");
}

my @lists = $quoted =~ /"((?:it must be|the parameters are) [^"]*=[^"]*)"/g;

cmp_ok(scalar @lists, '>', 5, 'lists of what is allowed are found');

for my $allowed (@lists) {
    my @names = $allowed =~ /\b([a-z_]+)=/g;

    is_deeply([ grep { $syntaxes !~ /\b$_[=]/ } @names ], [],
              "documented: $allowed");
}


# ---- codes ----

my $answer = code('ngx_martech_module/ngx_http_martech_answer.c');
my $model = code('martech/martech.c');
my @refusals = $answer =~ /^ {4}\{ \d{3}, "(\w+)",/mg;
my @codes = $model =~ /"([a-z]+(?:_[a-z0-9]+)+)"/g;
my ($answers) = $directives =~ /^## Answers\n(.*)/ms;

cmp_ok(scalar @refusals, '>', 15, 'refusals are found');
cmp_ok(scalar @codes, '>', 30, 'codes are found');
is_deeply([ grep { "$answers$directives" !~ /`$_`/ } @refusals, @codes ], [],
          'each code is documented');

my %said = map { $_ => 1 } $answers =~ /`([a-z]+(?:_[a-z0-9]+)+)`/g;

delete @said{ qw(martech_limits martech_drop martech_consent martech_webhook
                 martech_cors plan_violation error_page inflate_ratio
                 unplanned_event unplanned_property) };
is_deeply(lacking([ keys %said ], [ @refusals, @codes ]), [],
          'each documented code is one of the module');

# the status of a refusal, too

while ($answer =~ /^ {4}\{ (\d{3}), "(\w+)",/mg) {
    my ($status, $name) = ($1, $2);

    next if $name eq 'outside';

    like($answers, qr/^\| [^|]*\b$status\b[^|]*\| [^\n]*`$name`/m,
         "$name: $status");
}


# ---- counters, verdicts, variables ----

my $status = code('ngx_martech_module/ngx_http_martech_status.c');
my $pages = $directives . $docs{OPERATIONS};
my @counters = $status =~ /^ {8}\{ "(\w+)",/mg;
my @dropped = map { /"(\w+)"/g }
    $status =~ /dropped_names\[\] = \{(.*?)\}/s;

cmp_ok(scalar @counters, '>', 25, 'counters are found');
is_deeply([ grep { $pages !~ /\b$_\b/ } @counters ], [],
          'each counter and gauge is documented');
is_deeply([ grep { $directives !~ /`$_`/ } @dropped ], [],
          'each reason of what is dropped is documented');

my $variables = code('ngx_martech_module/ngx_http_martech_variables.c');
my ($verdicts) = $variables =~ /verdicts\[\] = \{(.*?)\};/s;
my @verdicts = $verdicts =~ /"(\w+)"/g;
my ($row) = $directives =~ /^\| `\$martech_verdict` \| (.*)$/m;

$row =~ s/`worker_shutdown_timeout`//;

is_deeply([ sort @verdicts ], [ sort $row =~ /`(\w+)`/g ],
          'verdicts are those of the documentation');

my ($list) = $variables =~ /(variables\[\] = \{.*?\n\};)/s;
my @variables = $list =~ /ngx_string\("(\w+)"\)/g;

is_deeply([ sort @variables ], [ sort $directives =~ /^\| `\$(\w+)` \|/mg ],
          'variables are those of the documentation');


# ---- dialects and schemes ----

my $order = code('martech/martech_dialect.c');
my ($members) = $order =~ /martech_dialects\[\] = \{(.*?)NULL/s;
my @dialects = $members =~ /&martech_dialect_(\w+)/g;
my ($first) = $dialects =~ /\A(.*?)^## /ms;

is_deeply([ $first =~ /^\| \[`(\w+)`\]/mg ], \@dialects,
          'the dialects of the table, in the order in which they are asked');
is_deeply([ $dialects =~ /^## .*\(`(\w+)`\)$/mg ], \@dialects,
          'each has a section');

my ($spec) = $docs{SPEC} =~ /^\| `dialect` \| (.*)$/m;
my ($listed) = $section{martech_dialect} =~ /^(The wire formats .*?)\(/ms;

is_deeply([ $listed =~ /`(\w+)`/g ], \@dialects, 'and so has martech_dialect');

# names that no path chooses
my @others = map { slurp($_) =~ /^ {4}\.name = martech_string\("(\w+)"\)/mg }
    glob "$root/ngx_martech_module/*.c";

is_deeply([ sort $spec =~ /`(?!martech_)(\w+)`/g ],
          [ sort @dialects, @others ], 'and the stream entry');

my $hooks = code('martech/martech_hook_schemes.c');
my @schemes = $hooks =~ /^ {8}\.name = martech_string\("(\w+)"\)/mg;
my ($webhooks) = $dialects =~ /^## Webhooks\n(.*)/ms;
my ($rows) = $webhooks =~ /^\| scheme .*\n\| ---.*\n((?:\|.*\n)+)/m;
my @rows = map { /^\| ([^|]*)\|/ ? $1 =~ /`(\w+)`/g : () }
    split /\n/, $rows;

cmp_ok(scalar @schemes, '>', 19, 'schemes are found');
is_deeply([ sort @rows ], [ sort @schemes ],
          'each scheme has a row, and each row is a scheme');


# ---- links ----

sub anchor {
    my ($title) = @_;

    $title = lc $title;
    $title =~ s/[^a-z0-9 _-]//g;

    return $title =~ tr/ /-/r;
}

for my $page (sort glob("$root/docs/*.md"), map { "$root/$_" }
              qw(README.md CONTRIBUTING.md))
{
    my ($name) = $page =~ m{([^/]+)$};
    my ($folder) = $page =~ m{(.*)/};
    my $text = slurp($page);
    my @broken;

    while ($text =~ /\]\(([^)\s]+)\)/g) {
        my $link = $1;
        my ($file, $place) = split /#/, $link, 2;

        next if $link =~ /^https?:/;

        my $target = length $file ? "$folder/$file" : $page;

        push @broken, $link and next if !-e $target;
        next if !defined $place;

        my %there = map { anchor($_) => 1 } slurp($target) =~ /^#+ (.*)$/mg;

        push @broken, $link if !$there{$place};
    }

    is_deeply(\@broken, [], "$name: its links lead somewhere");
}


# ---- examples ----

# blocks "location" that stand in a page by themselves
my @examples = map { /^ {4}location\b/m ? $_ : () }
    ($dialects . $docs{PRIVACY}) =~ /(?<=\n\n)((?: {4}.*\n)+)/g;

cmp_ok(scalar @examples, '>', 12, 'examples are found');

my $number = 0;
my $servers = '';

for my $example (@examples) {
    $example =~ s{secret_file=\S+}{'secret_file=' . $t->dir() . '/secret'}ge;
    $servers .= "server { listen 127.0.0.1:8080;"
                . " server_name e$number.example;\n$example}\n";
    $number++;
}

$t->file('secret', "0123456789abcdef\n");

my $nginx = $t->nginx(<<"END");
    martech_redis  %%REDIS%%;
    martech_source website key=KEY key=WRITE_KEY key=G-ABC123 key=shop-web;
$servers
    server {
        listen 127.0.0.1:8081;
        location / { martech_status prometheus; }
        location /page {
            martech_observe on source=website;
            types { }
            default_type text/html;
            return 200 page;
        }
    }
END

ok($nginx, "NGINX takes $number examples");

# the paths of the first table are taken there

my %path = (segment => 'collect/v1/track', rudderstack => 'rudder/v1/track',
            ga4 => 'metrics/mp/collect', posthog => 'ph/e',
            matomo => 'stats/matomo.php', plausible => 'pl/api/event',
            umami => 'um/api/send', reporting => 'csp/reports',
            pixel => 'px/p.gif', cloudevents => 'ce/events',
            snowplow => 'sp/com.snowplowanalytics.snowplow/tp2');

for my $dialect (@dialects) {
    my ($host) = grep { $examples[$_] =~ m{location /\Q@{[
        (split m{/}, $path{$dialect})[0] ]}\E/} } 0 .. $#examples;
    my $r = http($t->port(8080), 'PATCH', "/$path{$dialect}",
                 host => defined $host ? "e$host.example" : 'none');

    # our own 405: the path is known, as in the first table
    like($r->{body}, qr/"code":"method"/, "$dialect: its example has its path");
    like($first, qr{`/\Q@{[ $path{$dialect} =~ s{^\w+/}{}r ]}\E`},
         "$dialect: and so has the table");
}


# ---- metrics ----

get($t->port(8081), '/page');

my @metrics = get($t->port(8081), '/')->{body} =~ /^# TYPE martech_(\S+)/mg;
my %reduced = map { $_ => s/_total$//r } @metrics;

cmp_ok(scalar @metrics, '>', 35, 'there are metrics');
is_deeply([ grep { $directives !~ /\b(?:martech_$_|$reduced{$_})\b/ }
            @metrics ], [], 'each metric is documented');

my @named = $pages =~ /`martech_([a-z_]+(?:_total|_seconds|_left_out))\b/g;

is_deeply(lacking([ grep { !/^plan_/ } @named ], \@metrics), [],
          'each documented metric is there');

$t->done();
