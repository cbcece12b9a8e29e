#!/usr/bin/perl

# What docs/FORWARDER.md and docs/DESTINATIONS.md promise can be used as it
# stands there: the example configuration, the rights in Redis, the names of
# keys and metrics; the destination that is made in ten minutes, each key of a
# description and word of its programs, the destinations that are shipped.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use JSON::PP ();

use Martech::Path;
use Martech::Test;
use Martech::Walk;

my $t = Martech::Test->new(timeout => 120);
my $root = Martech::Test->root();


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;

    return scalar <$fh>;
}


my $docs = slurp("$root/docs/FORWARDER.md")
           . slurp("$root/docs/FORWARDER-COMMANDS.md");


# The rights of an indented block that begins so.
sub rights {
    my ($begin) = @_;
    my ($block) = $docs =~ /^(\x20{4}\Q$begin\E.*\n(?:\x20{4,}\+.*\n)*)/m;

    return $block =~ /(\+[a-z|]+)/g;
}


# ---- the example configuration ----

my $example = slurp("$root/lua-free-conf/forwarder.yaml");
my $dir = $t->dir();

$t->file('redis-password', "secret\n");
$t->file('suppress.txt', "# nobody\nuser-1\n");
$example =~ s{/etc/martech/}{$dir/}g;
$example =~ s{/var/lib/martech/}{$dir/}g;
$example =~ s{/usr/share/martech/}{$root/};

my $check = $t->forwarder('', run => 0,
    env => { CRM_SECRET => 'whsec_' . 'A' x 44 });
my ($fine, $said) = $check->check($example);

ok($fine, 'the example configuration is accepted') or diag($said);
like($said, qr/^\S+: ok, 6 destinations\n\z/, 'without a warning');

my ($bad) = $check->check(
    $example =~ s{rollout: 25}{rollout: 101}r);

ok(!$bad, 'and it is really looked at');


# ---- every key stands in the table ----

my %keys = map { $_ => 1 } $example =~ /^ *#? *([a-z_]+):/mg;

delete @keys{ qw(archive crm ads survey path url secret framing
                 rotate_every) };

is_deeply([ sort grep { $docs !~ /`[a-z_.]*\.?\b$_\b[^`]*`/ } keys %keys ],
          [], 'its keys are in the documentation');


# ---- the messages of the first tables ----

my ($night) = $docs =~ /^## At 3 a\.m\.\n(.*?)^## /ms;
my @said = $night =~ /^\| [^`|]*`([a-z]+ [a-z]+ [^`]*)`/mg;
my $code = join '', map { slurp($_) } glob "$root/forwarder/*.c";

$code =~ s/"\s+"//g;

cmp_ok(scalar @said, '>', 20, 'there are messages');
is_deeply([ grep { index($code, qq("$_)) < 0 } @said ], [],
          'each message is one of the program');


# ---- a destination in ten minutes ----

my $destinations = slurp("$root/docs/DESTINATIONS.md");

# What stands below a heading, up to the next one of its level.
sub section {
    my ($title) = @_;
    my ($level, $text) = $destinations =~ /^(##+) \Q$title\E\n(.*)/ms;

    die "there is no section \"$title\"\n" if !defined $text;
    $text =~ s/^#{2,@{[ length $level ]}} .*//ms;

    return $text;
}

my $walk = Martech::Walk->new($t, section('A destination in ten minutes'));
my ($commands, $last) = (0, '');

for my $step ($walk->steps()) {
    if (defined $step->{file}) {
        $walk->file($step->{file}, $step->{text});
        next;
    }

    $last = $walk->run($step->{command});
    is($last, $step->{text}, "the page: $step->{command}");
    $commands++;
}

cmp_ok($commands, '>', 5, 'the page has commands');
like($walk->run('martech-forwarder test; echo $?'),
     qr/^acme: 3 goldens ok\n.* 0 failed\n0\n\z/ms,
     'its destination passes its tests');
like($walk->run('martech-forwarder send acme --event event.json'
                . ' -c forwarder.yaml'),
     qr/"title": "Tea".*^nothing was sent;/ms, 'and can be sent');


# ---- each key of a description ----

my $schema = JSON::PP->new()->decode(
    slurp("$root/destinations/destination.schema.json"));

# "retry.base", "rate[].count", "settings.*" -> its schema.  What refers to a
# definition with members has a table of its own, and so have sequences.
sub keys_of {
    my ($node, $path) = @_;
    my $dot = length $path ? "$path." : '';

    return map {
        my $key = "$dot$_";
        my $said = $node->{properties}{$_};
        my $member = ref $said eq 'HASH' ? $said : {};   # "true": anything
        my $items = $member->{items};
        my $more = $member->{additionalProperties};

        $key eq 'sequence' ? ($key => $member)
        : $member->{properties}
          ? (keys_of($member, $key), ref $more eq 'HASH' ? ("$key.*" => $more)
                                                         : ())
        : $items && $items->{properties} ? keys_of($items, "$key\[]")
        : ref $more eq 'HASH' ? ("$key.*" => $more)
        : ($key => $member);
    } sort keys %{ $node->{properties} };
}

# Rows of all tables of a section whose first column is called so:
# name -> the other columns.
sub rows {
    my ($text, $column) = @_;
    my %rows;

    while ($text =~ /^\| \Q$column\E \|.*\n\| ---.*\n((?:\|.*\n)+)/mg) {
        for my $row (split /\n/, $1) {
            my ($names, @columns) = split /(?<!\\)\|/, $row =~ s/^\| *//r;

            $rows{ s/\.(?:NAME|VALUE)$/.*/r } = \@columns
                for $names =~ /`([^`]+)`/g;
        }
    }

    return \%rows;
}

# The part of the page before the first heading of the next level.
sub head { $_[0] =~ s/^###+ .*//msr }

my @tables = (
    ['The file', $schema], ['Settings', $schema->{'$defs'}{setting}],
    ['Endpoints', $schema->{'$defs'}{endpoint}],
    ['Batch', $schema->{'$defs'}{batch}]);

for my $table (@tables) {
    my ($title, $node) = @$table;
    my %keys = keys_of($node, '');
    my $rows = rows(head(section($title)), 'key');

    # they may be described where sequences are
    delete @keys{ grep { /^sequence_/ && section('Sequences') =~ /`$_`/ }
                  keys %keys };

    cmp_ok(scalar keys %keys, '>', 4, "$title: keys are found");
    is_deeply([ sort keys %$rows ], [ sort keys %keys ],
              "$title: each key has a row, and each row a key");

    for my $key (sort keys %keys) {
        my ($default, $allowed) = @{ $rows->{$key} // [] };

        for my $word (@{ $keys{$key}{enum} // [] },
                      @{ $keys{$key}{items}{enum} // [] })
        {
            like($allowed // '', qr/\b\Q$word\E\b/, "$key: $word is allowed");
        }
    }
}


my %step = keys_of($schema->{'$defs'}{step}, '');

is_deeply([ sort keys %{ rows(section('Sequences'), 'key of a step') } ],
          [ sort map { s/^capture$/capture.*/r } keys %step ],
          'Sequences: each key of a step has a row, and each row a key');


# ---- defaults and ranges are those of the program ----

# name -> [kind, default, least, greatest] of a table of fields in C
sub fields {
    my ($file, $name) = @_;
    my $text = slurp("$root/forwarder/$file") =~ s/ *\\$//mgr;
    my ($table) = $text
        =~ /\b$name(?:\[\] = \{|\(type, member\))(.*?)(?:^\};|\n\n\n)/ms;
    my %fields;

    while ($table =~ /\{ \.name = "(\w+)"(.*?)\}/msg) {
        my ($key, $rest) = ($1, $2);

        $fields{$key} = [ map { $rest =~ /\.$_ = "([^"]*)"/ ? $1 : undef }
                          qw(dflt min max) ];
        unshift @{ $fields{$key} }, $rest =~ /FWD_FIELD_(\w+)/;
    }

    return \%fields;
}

my @sources = (
    ['The file', 'retry.', 'fwd_desc.c', 'fwd_retry_fields'],
    ['The file', 'window.', 'fwd_desc.c', 'fwd_window_fields'],
    ['The file', 'breaker.', 'fwd_config_policy.c', 'fwd_breaker_fields'],
    ['The file', '', 'fwd_desc.h', 'FWD_LIMITS_FIELDS'],
    ['The file', '', 'fwd_config_policy.h', 'FWD_POLICY_FIELDS'],
    ['The file', 'file.', 'fwd_desc.c', 'fwd_desc_file_fields'],
    ['The file', 'rate[].', 'fwd_config_policy.c', 'fwd_rate_fields'],
    ['The file', 'dedup.', 'fwd_desc_endpoint.c', 'fwd_desc_dedup_fields'],
    ['Settings', '', 'fwd_desc.c', 'fwd_setting_fields'],
    ['Endpoints', '', 'fwd_desc_endpoint.c', 'fwd_desc_http_fields'],
    ['Batch', '', 'fwd_desc.c', 'fwd_batch_fields']);

for my $source (@sources) {
    my ($title, $prefix, $file, $name) = @$source;
    my $fields = fields($file, $name);
    my $rows = rows(head(section($title)), 'key');

    cmp_ok(scalar keys %$fields, '>', 1, "$name: fields are found");

    for my $key (sort keys %$fields) {
        my ($kind, $default, $least, $most) = @{ $fields->{$key} };
        my $row = $rows->{"$prefix$key"};

        next if !$row;                   # a section of its own

        like($row->[0], qr/^ \Q$default\E[ ,]/, "$prefix$key: $default")
            if defined $default;

        like($row->[1], qr/\b$least to $most\b/, "$prefix$key: its range")
            if defined $most && $kind =~ /^(?:NUMBER|SIZE|TIME)$/;
    }
}


# ---- words of programs and goldens ----

# Texts of a table in C.
sub words {
    my ($file, $name, $pattern) = @_;
    my ($table) = slurp("$root/forwarder/$file")
        =~ /\b$name\[\] = \{(.*?)^\};/ms;

    return sort $table =~ /$pattern/mg;
}

# Names in the first columns of tables, without "(v; ops)" and ":N".
sub named {
    my ($text, @columns) = @_;
    my %names;

    for my $column (@columns) {
        $names{ s/[(:].*//r } = 1 for keys %{ rows($text, $column) };
    }

    return sort keys %names;
}

my @steering = words('fwd_record.c', 'fwd_record_members', qr/\{ "(\@\w+)"/);

is_deeply([ named(section('Records'), 'member') ], \@steering,
          'members of records');

my ($markers, $prelude) = (section('Markers'), section('Prelude'));

is_deeply([ sort map { /^\{"(\@\w+)"/ } keys %{ rows($markers, 'value') } ],
          [ words('fwd_marker.c', 'fwd_marker_rows', qr/\{ "(\@\w+)"/) ],
          'markers');
is_deeply([ named($markers, 'operation') ],
          [ words('fwd_marker_text.c', 'fwd_marker_ops_table',
                  qr/\{ "(\w+)"/) ], 'operations');
is_deeply([ named($prelude, 'definition') ],
          [ words('fwd_prelude.c', 'fwd_prelude_rows',
                  qr/^ {4}\{ "(\w+)", "def/m) ],
          'definitions of the prelude');

my $answer = section('answer.jq');
my $answer_c = slurp("$root/forwarder/fwd_answer.c");
my @input = $answer_c
    =~ /jv_object_set\((?:jv_object\(\)|input), jv_string\("(\w+)"/g;
my @output = $answer_c
    =~ /jv_object_get\(jv_copy\(value\),\s+jv_string\("(\w+)"/g;
my %input = map { $_ => 1 } 'settings', @input;
my %output = map { $_ => 1 } @output;

is_deeply([ named($answer, 'outcome') ],
          [ words('fwd_answer.c', 'fwd_answer_words', qr/\{ "(\w+)"/) ],
          'outcomes');
is_deeply([ map { s/^\.//r } sort grep { /^\./ } named($answer, 'member') ],
          [ sort keys %input ], 'the input of answer.jq');
is_deeply([ sort grep { !/^\./ } named($answer, 'member') ],
          [ sort keys %output ], 'its output');

my @goldens = map { words(@$_, qr/"(\w+)"/) }
    ['fwd_cli_test_events.c', 'fwd_golden_event_names'],
    ['fwd_cli_test_answers.c', 'fwd_golden_answer_names'],
    ['fwd_cli_test_sequence.c', 'fwd_golden_exchange_names'];
my %goldens = map { $_ => 1 } @goldens;

is_deeply([ named(section('Goldens'), 'member') ], [ sort keys %goldens ],
          'members of goldens');

my $auth = section('Credentials');
my $conf_c = slurp("$root/forwarder/fwd_auth_conf.c");
my %members;

push @{ $members{$1} }, $2
    while $conf_c =~ /FWD_AUTH_MEMBER\(FWD_AUTH_(\w+), (\w+),/g;
$members{$2} && push @{ $members{$2} }, $1
    while $conf_c =~ /\{ "(\w+)", offsetof\(.*?\), FWD_AUTH_(\w+),/g;

my $kinds = rows($auth, 'kind');

is_deeply([ sort keys %$kinds ],
          [ sort @{ $schema->{'$defs'}{auth}{properties}{kind}{enum} } ],
          'kinds of credentials');

for my $kind (sort keys %$kinds) {
    my $name = uc($kind eq 'standard-webhooks' ? 'webhooks' : $kind);

    next if $kind eq 'oauth2';

    is_deeply([ sort $kinds->{$kind}[0] =~ /`(\w+)`/g ],
              [ sort @{ $members{$name} // [] } ], "$kind: its members");
}

is_deeply([ sort keys %{ rows($auth, 'member of oauth2') } ],
          [ sort 'extra.*', @{ $members{OAUTH2} } ], 'oauth2: its members');


# ---- the shipped ones ----

my $shipped = rows(section('What is shipped'), 'destination');
my @folders = map { m{([^/]+)/destination\.yaml$} }
    glob "$root/destinations/*/destination.yaml";

is_deeply([ sort keys %$shipped ], [ sort @folders ],
          'each destination has a row, and each row is one');
is_deeply([ sort map { /^- (.*?):/ ? $1 =~ /`(\w+)`/g : () }
            split /\n/, section('Which events each takes') ],
          [ sort @folders ], 'and it is told what they take');

for my $name (@folders) {
    my $yaml = slurp("$root/destinations/$name/destination.yaml");
    my $version = $shipped->{$name}[-1];
    my ($called) = $yaml =~ /^version: \{ name: "?([^,"} ]+)/m;
    my ($sunset) = $yaml =~ /^version: .*sunset: ([0-9-]+)/m;

    like($version, defined $called ? qr/^ \Q$called\E;/ : qr/^ none;/,
         "$name: its version");
    like($version, qr/; $sunset/, "$name: its end") if defined $sunset;
}


# ---- the rights ----

my @rights = rights('user forwarder on');
my @more = rights('user operator on');
my %has = map { (split /\|/, substr $_, 1)[0] => 1 } @rights;
my %lua = map { lc $_ => 1 }
    slurp("$root/forwarder/fwd_lua.c") =~ /redis\.p?call\('([A-Z]+)'/g;

cmp_ok(scalar keys %lua, '>', 30, 'commands of the scripts are found');
is_deeply([ sort grep { !$has{$_} } keys %lua ], [],
          'the user of the documentation may run all of the scripts');

my $redis = $t->redis();
my $receiver = $t->receiver();

$redis->call('acl', 'setuser', 'fwd', 'on', '>pw', '~{mt:*', @rights);
$redis->call('acl', 'setuser', 'cli', 'on', '>pw', '~{mt:*', @rights, @more);

my $conf = forwarder_conf(
    hook => $receiver->url('/hook'),
    hook_limits => "retry: { base: 50ms, factor: 1, cap: 1s, attempts: 2, "
                   . "age: 0 }\nrate: [ { count: 1000, per: 1s } ]",
    top => "metrics: 127.0.0.1:9464\nloops: 2\n") . <<"END";
  ordered:
    use: webhook
    settings: { url: @{[ $receiver->url('/ordered') ]} }
    order: person
    when: '.person != null'
    retry: { base: 50ms, factor: 1, cap: 1s, attempts: 3, age: 0 }
    breaker: { in_a_row: 1000, count: 1000 }
  down:
    use: webhook
    settings: { url: 'http://127.0.0.1:1/' }
    retry: { base: 50ms, factor: 1, cap: 1s, attempts: 100 }
    breaker: { in_a_row: 1, row_time: 0 }
    fallback: archive
    fallback_after: 100ms
END

sub as {
    my ($user) = @_;

    return $conf =~ s/^redis:\n/redis:\n  user: $user\n  password: env:PW\n/r;
}

my $forwarder = $t->forwarder(as('fwd'), env => { PW => 'pw' });
my @ids = add_events($redis, 32);

ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
   'events are delivered with these rights');

# refused for a while, so that there are retries, waits and dead letters
$receiver->answer(answers => [
    { status => 429, headers => [ 'Retry-After' => 1 ] },
    map { { status => 500 } } 1 .. 8 ]);
push @ids, add_events($redis, 16, prefix => 'later');
ok(becomes(sub { drained($redis, qw(hook ordered)) }, 30),
   'failures come to an end');
ok(becomes(sub { drained($redis, 'down') }, 30),
   'and what is down hands its events over');

$forwarder->kill_now();
$forwarder->start();
@ids = add_events($redis, 16, prefix => 'again');
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
   'another owner goes on');


# ---- metrics ----

my $page = get($t->port(9464), '/metrics')->{body};
my @names = $page =~ /^# TYPE martech_forwarder_(\S+)/mg;

cmp_ok(scalar @names, '>', 20, 'there are metrics');
is_deeply([ grep { $docs !~ /\b$_\b/ } @names ], [],
          'each metric is in the documentation');


# ---- commands ----

my $cli = Martech::Command->new($t, as('cli'), env => { PW => 'pw' });

for my $command ([qw(status)], [qw(top --once --ages)], [qw(pause hook)],
                 [qw(resume hook)], [qw(dead ls)], [qw(dead stats)],
                 [qw(dead export)], [qw(dead replay)],
                 [qw(dead drop --yes)], [qw(identity show --user u)],
                 [qw(identity forget --user u --yes)],
                 [qw(plan quarantine ls)], [qw(plan quarantine export)],
                 [qw(plan quarantine drop --yes)],
                 [qw(plan replay --unchecked)], [qw(ledger --accept)])
{
    my $r = $cli->run(@$command);

    unlike($r->{err}, qr/NOPERM/, "@$command: has its rights");
    like($docs, qr/\b$command->[0]\b/, "@$command: is in the documentation");
}

$forwarder->stop();
is_deeply([ map { { @$_ }->{object} } @{ $redis->call('acl', 'log') } ], [],
          'Redis has refused nothing');

$t->done();
