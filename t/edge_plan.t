#!/usr/bin/perl

# martech_plan: what becomes of an event that breaks the tracking plan, which
# plan holds for which source, and what nginx -t says of a plan that is wrong.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Example;
use POSIX ();

use Martech::Plan;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $number = 0;

$t->expect(qr/\[emerg\]/);
$t->file('shop.json', $PLAN);

my $CONF = <<'END';
    martech_redis   %%REDIS%% timeout=2s;
    martech_source  web key=wk;
    martech_source  app key=ak;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
            martech_plan %%PREFIX%%/shop.json;
        }

        location /app/ {
            martech_collect;
            martech_plan %%PREFIX%%/shop.json source=app;
        }

        location /off/ {
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

my $nginx = $t->nginx($CONF);
my $port = $t->port(8080);


sub track {
    my ($event, $properties, %more) = @_;
    my $id = 'plan-' . ++$number;
    my $key = delete $more{key} // 'wk';
    my $at = delete $more{at} // '';
    my $answer = post($port, "$at/v1/track",
                      { event => $event, userId => "u$number",
                        messageId => $id, properties => $properties, %more },
                      key => $key);

    return ($id, $answer);
}

# the entry of a messageId in a stream, or undef
sub entry {
    my ($id, $key) = @_;
    my ($found) = grep { $_->{id} eq $id } $redis->events(key => $key // 'in');

    return $found;
}

# context.martech of a stored event
sub said { entry(@_)->{event}{context}{martech} }

sub violations {
    return join ' ', map { "$_->{pointer}:$_->{rule}" }
        @{ $_[0]{plan}{violations} // [] };
}


# ---- valid ----

{
    my ($id, $answer) = track('Order Completed',
                              { order_id => 'o', total => 1.5 });
    my $said = said($id);

    is($answer->{status}, 200, 'a valid event is taken');
    is($said->{plan}{name}, 'shop', 'the event names the plan');
    is($said->{plan}{version}, '7', 'its version');
    is($said->{plan}{event}, '2', 'the version of the event');
    is($said->{plan}{action}, 'accept', 'and the verdict');
    is(violations($said), '', 'without a violation');
    is($said->{priority}, 'high', 'the priority stands there');

    ($id) = track('Seen', { item => 'i' });
    is(said($id)->{priority}, undef, 'a normal priority does not');
    is(said($id)->{source}, 'web', 'what else is said is there still');
}


# ---- report ----

{
    my ($id, $answer) = track('Seen', { item => 5 });

    is($answer->{status}, 200, 'report: the event is taken');
    is(said($id)->{plan}{action}, 'report', 'and stored with the verdict');
    is(violations(said($id)), '/properties/item:type', 'place and rule');

    ($id) = track('Never planned', { a => 1 });
    like(violations(said($id)), qr/unplanned_event/, 'an unplanned event');

    ($id) = track('Order Completed',
                  { order_id => 'o', total => 1, extra => 1 });
    is(violations(said($id)), '/properties/extra:unplanned_property',
       'an unplanned property');

    ($id) = track('Seen', { item => 'i', extra => 1 });
    is(said($id)->{plan}{action}, 'accept', 'one where it is accepted');
}


# ---- quarantine ----

{
    my ($id, $answer) = track('Order Completed', { order_id => 5, total => 1 });
    my $entry = entry($id, 'quarantine');

    is($answer->{status}, 200, 'quarantine: the sender is told of no fault');
    is($answer->{headers}{'x-martech-ack'}, 'redis', 'the event is safe');
    is(entry($id), undef, 'it is not among the others');
    ok($entry, 'but in the quarantine of its shard');
    is(join(' ', map { $_ => $entry->{$_} } qw(v src)), 'v 1 src web',
       'with the fields of an entry');
    is($entry->{e}, undef, 'the event is not in the field e');
    is($entry->{event}{properties}{order_id}, 5, 'it is in q');
    is(violations($entry->{event}{context}{martech}),
       '/properties/order_id:type', 'and says why');
    is($entry->{event}{context}{martech}{plan}{action}, 'quarantine',
       'and what became of it');

    ($id) = track('Gone', {});
    is(violations(entry($id, 'quarantine')->{event}{context}{martech}),
       '/event:blocked', 'a blocked event is kept aside');
}


# ---- reject ----

{
    my ($id, $answer) = track('Paid', { amount => 'much' });
    my $json = $answer->{json};

    is($answer->{status}, 400, 'reject: the sender is told');
    is($json->{code}, 'plan_violation', 'by its code');
    is($json->{errors}[0]{pointer}, '/properties/amount', 'where');
    is($json->{errors}[0]{rule}, 'type', 'by which rule');
    is($json->{errors}[0]{messageId}, $id, 'of which event');
    unlike($answer->{body}, qr/much/, 'and not with which value');
    is(entry($id), undef, 'nothing is stored');

    (undef, $answer) = track('Paid', {});
    is("$answer->{json}{errors}[0]{pointer} $answer->{json}{errors}[0]{rule}",
       '/properties/amount required', 'a property that is missing');

    $answer = post($port, '/v1/identify',
                   { userId => 'u', traits => { email => 7 } }, key => 'wk');
    is("$answer->{status} $answer->{json}{errors}[0]{pointer}",
       '400 /traits/email', 'traits are checked as well');

    (undef, $answer) = track('Paid', { amount => -1, 'jane@example.com' => 1 });
    unlike($answer->{body}, qr/jane/, 'an address is in no pointer');
}


# ---- a batch of all kinds ----

{
    my @ids = map { "mixed-$_" } 0 .. 4;
    my $answer = post($port, '/v1/batch', { batch => [
        { type => 'track', event => 'Seen', userId => 'a',
          messageId => $ids[0], properties => { item => 'i' } },
        { type => 'track', event => 'Paid', userId => 'b',
          messageId => $ids[1], properties => { amount => 'x' } },
        { type => 'track', event => 'Order Completed', userId => 'c',
          messageId => $ids[2], properties => {} },
        { type => 'track', event => 'Seen', messageId => $ids[3] },
        { type => 'track', event => 'Other', userId => 'd',
          messageId => $ids[4] },
    ] }, key => 'wk');
    my $json = $answer->{json};

    is($answer->{status}, 200, 'a mixed batch is taken');
    is($json->{accepted}, 3, 'as far as it can be');
    is(join(' ', map { "$_->{index}:$_->{code}:$_->{pointer}" }
                 @{ $json->{rejected} }),
       '1:plan_violation:/batch/1/properties/amount '
       . '3:no_user_anon_id:/batch/3/userId', 'each refusal says where');
    is($json->{rejected}[0]{rule}, 'type', 'the plan names its rule');
    is($json->{rejected}[1]{rule}, undef, 'others have none');
    ok(entry($ids[0]) && entry($ids[4]), 'good ones are stored');
    ok(entry($ids[2], 'quarantine') && !entry($ids[2]), 'one is kept aside');
    ok(!entry($ids[1]) && !entry($ids[1], 'quarantine'), 'one is nowhere');

    $answer = post($port, '/v1/batch', { batch => [
        map { { type => 'track', event => 'Paid', userId => 'u' } } 1 .. 2
    ] }, key => 'wk');
    is("$answer->{status} " . @{ $answer->{json}{errors} }, '400 2',
       'a batch of rejected events only is refused');
}


# ---- aliases ----

for my $name ('order_completed', 'Order "Done"') {
    my ($id) = track($name, { order_id => 'o', total => 1 });
    my $entry = entry($id);

    is($entry->{event}{event}, 'Order Completed', "alias $name is renamed");
    is($entry->{event}{properties}{order_id}, 'o', 'and nothing else');
    like($entry->{e}, qr/"event":"Order Completed"/, 'in the bytes');
}

{
    my ($id) = track('order_completed', { order_id => 5, total => 1 });

    is(entry($id, 'quarantine')->{event}{event}, 'Order Completed',
       'in the quarantine, too');
}


# ---- two versions ----

{
    my ($id) = track('Order Completed', { total => '1.50' });

    is(said($id)->{plan}{event}, '1', 'an event of the older version is valid');

    ($id) = track('Order Completed', { total => '1.50' },
                  context => { protocols => { event_version => 2 } });
    is(entry($id), undef, 'unless it says that it is of the newer one');
    ok(entry($id, 'quarantine'), 'then it is held against that');

    ($id) = track('Order Completed', { total => '1.50' },
                  context => { protocols => { event_version => '3' } });
    like(violations(entry($id, 'quarantine')->{event}{context}{martech}),
         qr/event_version:version/, 'a version that is not known');
}


# ---- which plan ----

{
    my ($id) = track('Paid', {}, at => '/off');

    ok(entry($id), 'a location without a plan takes it');
    is(said($id)->{plan}, undef, 'and says nothing of plans');

    my (undef, $answer) = track('Paid', {}, at => '/app');
    is($answer->{status}, 200, 'a plan of another source');

    (undef, $answer) = track('Paid', {}, at => '/app', key => 'ak');
    is($answer->{status}, 400, 'of this source');

    $answer = post($port, '/v1/alias', { userId => 'u', previousId => 'p',
                                         messageId => 'ali' }, key => 'wk');
    is(said('ali')->{plan}, undef, 'a plan says nothing of alias events');
}


# ---- inheritance ----

{
    $t->file('strict.json', plan_of(name => 'strict',
             defaults => { unplanned_event => 'reject' }));

    my $other = $t->nginx(<<'END');
        martech_redis   %%REDIS%% timeout=2s;
        martech_source  web key=wk;
        martech_source  app key=ak;
        martech_plan    %%PREFIX%%/shop.json;

        server {
            listen 127.0.0.1:8081;
            martech_plan  %%PREFIX%%/strict.json source=app;
            martech_plan  %%PREFIX%%/shop.json;

            location / { martech_collect; }
            location /none/ { martech_plan off; martech_collect; }
        }

        server {
            listen 127.0.0.1:8082;
            location / { martech_collect; }
        }
END

    my $send = sub {
        my ($to, $path, $key) = @_;

        return post($t->port($to), "$path/v1/track",
                    { event => 'Unknown', userId => 'u' }, key => $key)
            ->{status};
    };

    is($send->(8081, '', 'ak'), 400, 'the plan that names a source wins');
    is($send->(8081, '', 'wk'), 200, 'the other one holds for the rest');
    is($send->(8081, '/none', 'ak'), 200, 'off');
    is($send->(8082, '', 'ak'), 200, 'a level that sets none inherits');
}


# ---- reload ----

{
    $t->file('shop.json', plan_of(version => '8',
             defaults => { unplanned_event => 'reject' }));
    $nginx->reload();
    wait_until(sub { $nginx->workers() == 1 }, 10, 'the old worker leaves');
    is((track('Never planned', {}))[1]{status}, 400,
       'after a reload the new plan holds');

    my ($id) = track('Seen', { item => 'i' });
    is(said($id)->{plan}{version}, '8', 'and is named');

    $t->file('shop.json', '{"martech_plan":1,"name":"shop"');
    $nginx->{process}->signal('HUP');
    ok(becomes(sub { $nginx->logged(qr/plan ".*shop\.json" is wrong/) }, 10),
       'a bad plan is refused');

    ($id) = track('Seen', { item => 'i' });
    is(said($id)->{plan}{version}, '8', 'and the old one holds on');
    $t->file('shop.json', $PLAN);
}


# ---- nginx -t ----

my $tester = $t->nginx('', run => 0);

sub refused {
    my ($plans, $says, $name, %files) = @_;

    $t->file($_, $files{$_}) for keys %files;

    my ($ok, $output) = $tester->test_conf($t->fill(<<"END"));
        martech_redis %%REDIS%%;
        martech_source web key=wk;
        server { listen 127.0.0.1:8083; location / { martech_collect; }
                 $plans }
END

    ok(!$ok, "refused: $name");
    like($output, $says, "the message names it: $name");
}

my $P = 'martech_plan %%PREFIX%%';

refused("$P/none.json;", qr/none\.json" failed/, 'no file');
refused("martech_plan %%PREFIX%%;", qr/must be a file/, 'a folder');
POSIX::mkfifo($t->fill('%%PREFIX%%/pipe.json'), 0600) or die $!;
refused("$P/pipe.json;", qr/pipe\.json" must be a file/, 'a pipe');
refused("$P/bad.json;", qr/bad\.json" is wrong at "[^"]*": \S/, 'no JSON',
        'bad.json', '{"martech_plan":');
refused("$P/bad.json;", qr{is wrong at "/events/A/violation": .*reject},
        'an action that there is not', 'bad.json',
        plan_of(events => { A => { violation => 'explode' } }));
refused("$P/bad.json;", qr{is wrong at "/events/A/properties/type": },
        'a schema that is none', 'bad.json',
        plan_of(events => { A => { properties => { type => 'text' } } }));
refused("$P/bad.json;",
        qr{is wrong at "/events/A/properties/properties/x/pattern": },
        'a catastrophic pattern', 'bad.json',
        plan_of(events => { A => { properties => { properties =>
            { x => { type => 'string', pattern => '^(a+)+$' } } } } }));
refused("$P/shop.json source=nobody;", qr/has a source "nobody"/,
        'a source that there is not');
refused("$P/shop.json source=web; $P/shop.json source=web;",
        qr/source "web" has a plan already/, 'two plans of a source');
refused("} server { listen 127.0.0.1:8085; $P/shop.json;
         location / { martech_collect; } }
         server { listen 127.0.0.1:8084; $P/twin.json;
         location / { martech_collect; }",
        qr{shop\.json" and "\S+twin\.json" have one name.*source "web"},
        'two plans of one name for a source', 'twin.json', plan_of());
refused("$P/shop.json; $P/shop.json;", qr/plan for all sources already/,
        'two plans of all sources');
refused("$P/shop.json; martech_plan off;", qr/is duplicate/, 'a plan and off');
refused("martech_plan off; $P/shop.json;", qr/beside "martech_plan off"/,
        'off and a plan');
refused("$P/shop.json web;", qr/invalid parameter "web", it must be source=/,
        'a parameter that there is not');
refused("$P/shop.json source=;", qr/it must be source=NAME/, 'no source');
refused("} martech_quarantine max=1; server { listen 127.0.0.1:8084;",
        qr/it must be 100 to 100000000/, 'a quarantine that is too small');
refused("} martech_quarantine 5; server { listen 127.0.0.1:8084;",
        qr/it must be max=/, 'a quarantine without a name');
refused("} martech_quarantine max=500; martech_quarantine max=500; "
        . "server { listen 127.0.0.1:8084;", qr/is duplicate/,
        'two quarantines');


# ---- the example ----

{
    my $plan = Martech::Nginx::slurp($t->root() . '/lua-free-conf/plan.json');
    my $example = example($t, 'plan.conf', files => { 'plan.json' => $plan },
                          replace => { '127.0.0.1:6379' => '%%REDIS%%',
                                       '127.0.0.1:8080' => '127.0.0.1:8085' });
    my $to = $t->port(8085);
    my $name = from_json($plan)->{name};

    my %answer = map {
        ($_ => post($to, '/collect/v1/track',
                    { event => 'No such event', userId => 'u',
                      messageId => "example-$_" }, key => $_)->{status})
    } qw(website app tests);

    is(join(' ', map { $answer{$_} } qw(website app tests)), '200 200 200',
       'plan.conf: events are taken');
    is(said('example-website')->{plan}{name}, $name, 'and checked');
    is(said('example-tests')->{plan}, undef, 'but for one source');
    is(get($to, "/status?plan=$name")->{status}, 200, 'the status has them');
}


# ---- the books ----

{
    my $s = get($port, '/status')->{json};

    is($s->{events_received},
       $s->{events_stored} + $s->{events_rejected} + $s->{events_dropped},
       'received events are stored, rejected or dropped');
    is($s->{rejected}{plan_violation} > 0, 1, 'rejected ones by their reason');
}


$t->done();
