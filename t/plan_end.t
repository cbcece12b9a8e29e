#!/usr/bin/perl

# A plan all the way: two versions of an event live, an alias, what is put
# aside, the plan mended, the replay, into the file of the forwarder; and no
# event twice or lost, whatever the ledger is asked.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $port;


# prices of version 2 are numbers; mended, they may be texts too
sub write_plan {
    my (@types) = @_;

    return $t->file('plan.json', to_json({
        martech_plan => 1, name => 'shop', version => '' . @types,
        defaults => { unplanned_event => 'quarantine',
                      unplanned_property => 'accept' },
        events => {
            'Order Completed' => {
                description => 'paid', owner => 'shop', priority => 'high',
                violation => 'quarantine', aliases => ['order_completed'],
                versions => {
                    1 => { type => 'object', required => ['total'],
                           properties => { total => { type => 'number' } } },
                    2 => { type => 'object', required => ['price'],
                           properties => { price => { type => \@types } } },
                } },
            (@types > 1 ? ('New One' => {
                properties => { type => 'object' } }) : ()) } }));
}


sub sent {
    my ($id, $properties, %more) = @_;
    my $version = delete $more{version};

    return post($port, '/collect/v1/track', {
        event => 'Order Completed', userId => 'u', messageId => $id,
        properties => $properties,
        ($version ? (context => { protocols => {
            event_version => $version } }) : ()), %more }, key => 'wk');
}


sub aside {
    my $sum = 0;

    $sum += $redis->call('xlen', "$_:quarantine")
        for Martech::Redis::tags('mt', 16);

    return $sum;
}


sub filed { map { $_->{messageId} => $_ } file_lines($t) }


my $plan = write_plan('number');

my $nginx = $t->nginx(<<"END");
    martech_redis   %%REDIS%%;
    martech_source  website key=wk;
    martech_plan    $plan;

    server {
        listen 127.0.0.1:8080;

        location /collect/ {
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

my $conf = forwarder_conf(hook => $receiver->url('/hook'));
my $forwarder = $t->forwarder($conf);
my $cli = Martech::Command->new($t, $conf);

$port = $t->port(8080);

# ---- two versions, and an alias ----

is(sent('v1', { total => 1 }, version => '1')->{status}, 200, 'version 1');
is(sent('v2', { price => 2 }, version => '2')->{status}, 200, 'version 2');
is(sent('v0', { total => 3 })->{status}, 200, 'one that says none');
is(sent('alias', { price => 4 }, event => 'order_completed')->{status}, 200,
   'under its other name');

ok(becomes(sub { !missing([qw(v1 v2 v0 alias)], file_ids($t)) }, 20),
   'all arrive');

my %event = filed();

is($event{v1}{context}{martech}{plan}{event}, '1', 'held against version 1');
is($event{v2}{context}{martech}{plan}{event}, '2', 'and version 2');
is($event{v0}{context}{martech}{plan}{event}, '1',
   'or that which it satisfies');
is($event{alias}{event}, 'Order Completed', 'it arrives under its name');
is($event{v2}{context}{martech}{priority}, 'high', 'with its priority');

# ---- what is put aside ----

my @wrong = map { "w$_" } 1 .. 20;

is(sent($_, { price => "9.$_" }, version => '2')->{status}, 200,
   "$_: the sender is told nothing") for @wrong;
is(sent('still', { price => [] }, version => '2')->{status}, 200,
   'a worse one');
is(sent('new', {}, event => 'New One')->{status}, 200, 'an unplanned event');

ok(becomes(sub { aside() == 22 }, 10), 'they are put aside');
sent('after', { price => 5 });
ok(becomes(sub { !missing(['after'], file_ids($t)) }, 20),
   'what comes later arrives');
is(scalar(grep { /^(?:w\d|still|new)/ } file_ids($t)), 0,
   'they do not');

my $r = $cli->run(qw(plan quarantine ls --json));

is(scalar @{ $r->{lines} }, 22, 'the command lists them');
is_deeply({ map { $_->{id} => $_->{violations}[0]{rule} }
            grep { $_->{id} =~ /^(?:w1|new)$/ } @{ $r->{lines} } },
          { w1 => 'type', new => 'unplanned_event' }, 'and why');

# the totals of the edge are written once a second
ok(becomes(sub {
    my $ledger = $cli->run(qw(ledger --json --wait 0))->{json};

    $ledger->{ok} && ($ledger->{edge}{quarantined} // 0) == 22
        && $ledger->{quarantine} == 22 && $ledger->{stored_twice} == 0;
}, 20), 'the ledger knows where they are')
    or diag($cli->run(qw(ledger))->{out});

# ---- the plan is mended ----

write_plan('number', 'string');
is($cli->plain('plan', 'lint', $plan)->{status}, 0, 'it is a plan');

$r = $cli->run('plan', 'replay', '--plan', $plan, '--json');
is($r->{status}, 1, 'one stays') or diag($r->{err});
is_deeply([ @{ $r->{json} }{qw(replayed left)} ], [21, 1], 'the others go');

ok(becomes(sub { !missing([@wrong, 'new'], file_ids($t)) }, 20),
   'into the file');
is(aside(), 1, 'and out of the quarantine');

%event = filed();
is_deeply($event{w7}{context}{martech}{plan},
          { replayed => JSON::PP::true(), name => 'shop', version => '2',
            event => '2', action => 'accept' }, 'with what holds now');
is($event{w7}{properties}{price}, '9.w7', 'and as it was sent');

$cli->run('plan', 'replay', '--plan', $plan);
$nginx->reload();

# a worker with the old plan may still take some
my $direct = 0;

ok(becomes(sub {
    my $before = aside();

    $direct++;
    sent("direct$direct", { price => '1' }, version => '2');
    aside() == $before;
}, 20), 'the edge follows after a reload');
ok(becomes(sub { !missing(["direct$direct"], file_ids($t)) }, 20),
   'and what it takes arrives');

# with what a worker of the old configuration may have put beside it
my $late = aside();

# ---- nothing twice, nothing lost ----

my %times;

$times{$_}++ for file_ids($t);
is(join(' ', grep { $times{$_} != 1 } keys %times), '', 'none came twice');

my $rest = aside();

$cli->run(qw(plan quarantine drop --yes));
is(aside(), 0, 'the rest is dropped');

ok(becomes(sub {
    my $ledger = $cli->run(qw(ledger --json --wait 5))->{json};

    $ledger->{ok} && $ledger->{quarantine_replayed} == 21
        && $ledger->{quarantine_dropped} == $rest
        && $ledger->{quarantine_evicted} == 0
        && $ledger->{stored_twice} == 0;
}, 30), 'the ledger closes') or diag($cli->run(qw(ledger))->{out});

$t->done();
