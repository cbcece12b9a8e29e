#!/usr/bin/perl

# Events in a table of a real clickhouse-server: all of them once, whatever is
# repeated; rows that it cannot read are found; a wrong password parks.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::ClickHouse;
use Martech::Path;
use Martech::Test;

plan(skip_all => 'there is no clickhouse-server')
    unless Martech::ClickHouse::found();

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $server = Martech::ClickHouse->new(dir => $t->dir() . '/clickhouse',
                                      port => $t->port(8123),
                                      tcp => $t->port(9000));

# the server knows tokens from 22.2 on
my $knows_tokens = $server->query('SELECT count() FROM system.settings '
    . "WHERE name = 'insert_deduplication_token'");


# The table that a file beside destination.yaml makes.
sub create {
    my ($file, $table, %change) = @_;

    open my $fh, '<', Martech::Test::root()
        . "/destinations/clickhouse/$file" or die "$file: $!\n";

    my $create = do { local $/; <$fh> };

    $create =~ s/^--.*\n//mg;
    $create =~ s/TABLE events/TABLE site.$table/ or die "$file: no table\n";
    $create =~ s/\b$_ \w+/$_ $change{$_}/ for keys %change;
    $server->query($create);
}


sub conf {
    my ($table, %arg) = @_;
    my $deduplication = $arg{deduplication} // 'engine';

    return $t->fill(forwarder_conf(without => 'archive', hook => 'x'))
        =~ s/^  hook:.*//msr . <<"END";
  table:
    use: clickhouse
    settings:
      url: ${\ $server->url()}
      password: env:PASSWORD
      database: site
      table: $table
      deduplication: $deduplication
    batch: { linger: 20ms }
    retry: { base: 50ms, factor: 2, cap: 1s }
END
}


sub forwarder {
    my ($table, %arg) = @_;

    return $t->forwarder(conf($table, %arg), env => {
        PASSWORD => $arg{password} // Martech::ClickHouse::password() });
}


sub dead {
    my @dead;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        push @dead, map { { @{ $_->[1] } } }
            @{ $redis->call('xrange', "$tag:dead:table", '-', '+') };
    }

    return @dead;
}


# An event with members of its own.
sub add {
    my ($id, %member) = @_;
    my $context = { martech => { v => 1, source => 'web' },
                    page => { url => "https://shop.example/\x{fc}" } };

    $redis->call('xadd', '{mt:00}:in', '*', 'v', 1, 'id', $id, 'src', 'web',
        'e', Martech::Http::to_json({
            type => 'track', event => 'Added', messageId => $id,
            receivedAt => '2026-11-20T19:36:00.200Z',
            timestamp => '2026-11-20T19:36:00.123Z', context => $context,
            anonymousId => 'a-1', %member }));
}


# ---- the table ----

$server->query('CREATE DATABASE site');

my $forwarder = forwarder('events');

add('m-0', userId => 'u-0');
ok(becomes(sub { $forwarder->logged(qr/"to":"stop"|"class":"stop"/) }, 20),
   'a table that is missing parks') or diag($forwarder->log_text());
is(scalar(dead()), 0, 'and no event is lost by it');

# as people are told to
my $made = system "clickhouse-client --port ${\ $t->port(9000)} --password "
    . Martech::ClickHouse::password() . ' --database site < '
    . Martech::Test::root() . '/destinations/clickhouse/table.sql';

is($made, 0, 'table.sql makes it');
ok(becomes(sub { resumed($redis, 'table') }, 20), 'then it is delivered');
is($server->query('SELECT message_id FROM site.events'), 'm-0', 'that event');
$forwarder->stop();
$server->query('DROP TABLE site.events');
create('table.sql', 'events');


# ---- rows ----

$forwarder = forwarder('events');

add('m-1', userId => 'u-1', properties => { name => "Gr\x{f6}\x{df}e \"44\"",
                                            price => 129.9 });
add_events($redis, 500, prefix => 'r');
ok(becomes(sub { drained($redis, 'table') && $server->query(
       'SELECT count() FROM site.events') == 501 }, 30), 'all are in the table')
    or diag($forwarder->log_text());

is($server->query('SELECT type, event, toString(timestamp), user_id, '
                  . 'anonymous_id, source, url FROM site.events '
                  . "WHERE message_id = 'm-1' FORMAT CSV"),
   '"track","Added","2026-11-20 19:36:00","u-1","a-1","web",'
   . "\"https://shop.example/\xc3\xbc\"", 'columns hold what they say');
is($server->query("SELECT visitParamExtractString(properties, 'name') "
       . "FROM site.events WHERE message_id = 'm-1' FORMAT TabSeparatedRaw"),
   "Gr\xc3\xb6\xc3\x9fe \"44\"", 'properties are JSON that the server reads');


# ---- repeated ----

# nothing is merged behind our back
$server->query('SYSTEM STOP MERGES');
$forwarder->stop();
$forwarder->start(env => { MARTECH_FAIL_AT => 'after_send' });
add_events($redis, 300, prefix => 'again');
ok(becomes(sub { !$forwarder->running() }, 20),
   'it is killed with the answer in its hand');
$forwarder->start();
ok(becomes(sub { drained($redis, 'table') && $server->query(
       'SELECT count() FROM site.events FINAL') == 801 }, 30),
   'the next one goes on');
is($server->query('SELECT count() FROM site.events FINAL '
                  . "WHERE message_id LIKE 'again-%'"), 300,
   'with FINAL each is there once');
cmp_ok($server->query('SELECT count() FROM site.events '
                      . "WHERE message_id LIKE 'again-%'"), '>', 300,
       'though some were inserted twice');
$server->query('SYSTEM START MERGES');
$server->query('OPTIMIZE TABLE site.events FINAL');
is($server->query('SELECT count() FROM site.events'), 801,
   'once merged there is no other');
$forwarder->stop();

if ($knows_tokens) {
    create('table_token.sql', 'tokens');
    $forwarder = forwarder('tokens', deduplication => 'token');
    $forwarder->stop();
    $forwarder->start(env => { MARTECH_FAIL_AT => 'after_send' });
    add_events($redis, 300, prefix => 'token');
    ok(becomes(sub { !$forwarder->running() }, 20), 'token: it is killed');
    $forwarder->start();
    ok(becomes(sub { drained($redis, 'table') && $server->query(
           'SELECT count() FROM site.tokens FINAL') == 300 }, 30),
       'token: it goes on, and each is there once');

} else {
    $forwarder = forwarder('events', deduplication => 'token');
    add('m-token', userId => 'u');
    ok(becomes(sub { $forwarder->logged(qr/"to":"stop"|"class":"stop"/) }, 20),
       'an old server refuses the token, which parks')
        or diag($forwarder->log_text());
    is(scalar(dead()), 0, 'and no event is lost by it');
    $forwarder->stop();
    $forwarder = forwarder('events');
    ok(becomes(sub { resumed($redis, 'table') }, 20), 'nor stays behind');
}

$forwarder->stop();


# ---- a row that cannot be read ----

create('table.sql', 'numbers', user_id => 'UInt64');
$forwarder = forwarder('numbers');
add("n-$_", userId => $_ == 13 ? 'thirteen' : "$_") for 1 .. 40;
ok(becomes(sub { dead() && drained($redis, 'table') }, 30),
   'halves come to an end') or diag($forwarder->log_text());
is($server->query('SELECT count() FROM site.numbers FINAL'), 39,
   'all others are in the table');
is(join(',', map { $_->{id} } dead()), 'n-13', 'the bad one is a dead letter');
$forwarder->stop();


# ---- who may not ----

$forwarder = forwarder('events', password => 'wrong');
add('m-wrong', userId => 'u');
ok(becomes(sub { $forwarder->logged(qr/"credentials"/) }, 20),
   'a wrong password parks');
is($forwarder->logged(qr/wrong password/i), 0,
   'the words of the server are not in the log');
$forwarder->stop();
$forwarder = forwarder('events');
ok(becomes(sub { resumed($redis, 'table') && $server->query(
       "SELECT count() FROM site.events WHERE message_id = 'm-wrong'") == 1 },
       20), 'with the right one it is delivered');
ok(ledger_holds($redis, 'table'), 'the ledger closes');

done_testing();
