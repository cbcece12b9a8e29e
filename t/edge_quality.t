#!/usr/bin/perl

# How good the data is: the counters of plans at the status location, as JSON
# and as Prometheus text, and the last violations, which have no value of a
# person.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Plan;
use Martech::Test;

my $t = Martech::Test->new(timeout => 120);

$t->expect(qr/exited on signal 9/, qr/\[emerg\]/);

my $redis = $t->redis();
my $number = 0;

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

        location = /status {
            martech_status;
        }
    }
END

my $nginx = $t->nginx($CONF, workers => 2);
my $port = $t->port(8080);


sub track {
    my ($event, $properties, $key) = @_;

    return post($port, '/v1/track',
                { event => $event, userId => 'u' . ++$number,
                  properties => $properties }, key => $key // 'wk');
}

sub page { get($port, "/status?plan=$_[0]")->{json} }

# a row of the plan
sub row {
    my ($event, $source) = @_;
    my ($row) = grep { $_->{event} eq $event
                       && $_->{source} eq ($source // 'web') }
        @{ page('shop')->{events} };

    return $row;
}


# ---- counters ----

track('Seen', { item => 'i' }) for 1 .. 3;
track('Seen', { item => 5 });
track('Seen', {}, 'ak');
track('Order Completed', { order_id => 'o', total => 1, coupon => undef });
track('order_completed', { order_id => 7, total => 'x' });
track('Paid', { amount => 'x' }) for 1 .. 2;
track('Never', { secret => 'jane@example.com' });

my $row = row('Seen');

is($row->{received}, 4, 'events received, by event and source');
is($row->{valid}, 3, 'valid ones');
is($row->{reported}, 1, 'reported ones');
is_deeply($row->{violating}, { type => 1 }, 'violating ones by rule');
is_deeply($row->{absent}, { item => 0 }, 'no field was absent');
is($row->{held}, 4, 'of so many');
cmp_ok($row->{bytes}, '>', 200, 'bytes as they were sent');
cmp_ok(abs($row->{last_seen} - time()), '<', 60, 'when the last one came');

is(row('Seen', 'app')->{received}, 1, 'another source');
is_deeply(row('Seen', 'app')->{absent}, { item => 1 },
          'an absent field is counted');

$row = row('Order Completed');
is("$row->{received} $row->{valid} $row->{quarantined}", '2 1 1',
   'an alias counts for its event');
is($row->{absent}{coupon}, 2, 'a field with null is absent');
is($row->{violating}{type}, 1, 'a rule counts once for an event');

$row = row('Paid');
is("$row->{received} $row->{rejected}", '2 2', 'rejected ones');
is(row('(unplanned)')->{received}, 1, 'what is not planned');
is_deeply(row('(unplanned)')->{violating}, { unplanned_event => 1 },
          'breaks a rule of its own');

my ($line) = grep { $_->{source} eq 'web' }
    @{ get($port, '/status')->{json}{plans} };

is("$line->{plan} $line->{version}", 'shop 7', 'the status page has the plans');
is($line->{received}, 9, 'with their sums');
is($line->{unplanned}, 1, 'and the unplanned ones');

is(get($port, '/status?plan=nothing')->{status}, 404, 'a plan there is not');


# ---- pages ----

{
    my $first = get($port, '/status?plan=shop&limit=2')->{json};

    is(@{ $first->{events} }, 2, 'a page of two');

    my $second = get($port,
                     "/status?plan=shop&limit=2&from=$first->{next}")->{json};

    is(@{ $second->{events} }, 2, 'and the next one');
    isnt($second->{events}[0]{event}, $first->{events}[0]{event},
         'is another one');
    is(@{ get($port, '/status?plan=shop&source=app')->{json}{events} }, 1,
       'of one source');
    is(get($port, '/status?plan=shop')->{json}{next}, undef,
       'the last page says that it is');
    is(@{ get($port, '/status?plan=shop&from=99999999999')->{json}{events} },
       0, 'behind the end there is nothing');
}


# ---- violations ----

{
    my $list = page('')->{violations};

    is(@$list, 5, 'the last violations');
    is("$list->[0]{rule} $list->[0]{action}", 'unplanned_event report',
       'the last one first');
    is($list->[0]{event}, undef, 'an unplanned event is not named');
    is("$list->[1]{event} $list->[1]{pointer} $list->[1]{rule} "
       . "$list->[1]{action} $list->[1]{source}",
       'Paid /properties/amount type reject web', 'what, where and how');
    cmp_ok(abs($list->[1]{time} / 1000 - time()), '<', 60, 'and when');

    track('Seen', { item => 5 }) for 1 .. 60;
    track('Order Completed',
          { order_id => 'o', total => 1, 'jane@example.com' => 1 });

    my $page = get($port, '/status?plan=');

    is(@{ $page->{json}{violations} }, 50, 'there are fifty of them');
    unlike($page->{body}, qr/jane/, 'and no address is in them');
    unlike(get($port, '/status?plan=shop')->{body}, qr/jane/,
           'nor in the numbers');
}


# ---- prometheus ----

{
    my $text = get($port, '/status?format=prometheus')->{body};
    my %type;
    my @wrong;

    for (split /\n/, $text) {
        if (/^# TYPE (\w+) /) {
            push @wrong, "twice: $_" if $type{$1}++;
        } elsif (/^([a-z_]+)(?:\{(.*)\})? (\d+(?:\.\d+)?)$/) {
            my ($name, $labels) = ($1, $2);
            my $family = $name =~ s/_(?:bucket|sum|count)$//r;

            push @wrong, $_ unless $type{$name} || $type{$family};
            push @wrong, $_ if defined $labels
                && $labels !~ /^(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+$/;
        } elsif (!/^# HELP \w+ \S/) {
            push @wrong, $_;
        }
    }

    is_deeply(\@wrong, [], 'all lines are of the format');

    my $of = 'plan="shop",source="web",type="track",event="Paid"';

    like($text, qr/^martech_plan_events_total\{$of\} 2$/m, 'events');
    like($text, qr/^martech_plan_events_violating_total\{
                   $of,action="reject"\}\ 2$/mx, 'by action');
    like($text, qr/^martech_plan_violations_total\{$of,rule="type"\} 2$/m,
         'by rule');
    like($text, qr/^martech_plan_field_absent_total\{$of,field="amount"\} 0$/m,
         'by field');
    like($text, qr/event="\(unplanned\)"\} 1$/m, 'unplanned ones');
    like($text, qr/^martech_plan_events_left_out 0$/m, 'all are shown');
    like($text, qr/^martech_events_quarantined_total 1$/m, 'the quarantine');
    unlike($text, qr/jane/, 'and nobody');
}


# ---- reload and kill ----

{
    my $before = row('Seen')->{received};

    $nginx->reload();
    is(row('Seen')->{received}, $before, 'a reload keeps the numbers');
    wait_until(sub { $nginx->workers() == 2 }, 10, 'the old workers leave');
    $nginx->kill_worker();
    is(row('Seen')->{received}, $before, 'and so does a worker that dies');

    track('Seen', { item => 'i' });
    is(row('Seen')->{received}, $before + 1, 'they go on');

    $t->file('shop.json', plan_of(version => '8'));
    $nginx->reload();
    ok(becomes(sub {
        my $page = page('shop');

        $page->{version} eq '8' && !@{ $page->{events} };
    }, 10), 'another plan begins anew');

    ok(@{ page('')->{violations} } == 50, 'violations stay');
}


# ---- names of a plan that want an escape; many ----

{
    my %many = map { ("Event $_" => { properties => {} }) } 1 .. 3000;
    my $odd = "O\"d\\d\x{e9}";

    $many{$odd} = { properties => { type => 'object',
                    properties => { "f\"\\\n" => { type => 'string' } } } };
    $t->file('shop.json', plan_of(version => '9', events => \%many));
    $nginx->reload();
    wait_until(sub { page('shop')->{version} eq '9' }, 10, 'it is there');

    track($odd, {});

    my $row = row($odd);

    ok($row, 'a name with a quote is shown');
    is_deeply($row->{absent}, { "f\"\\\n" => 1 }, 'and so is a field');

    my $text = get($port, '/status?format=prometheus')->{body};

    like($text, qr/event="O\\"d\\\\d/, 'escaped in metrics');

    post($port, '/v1/batch', { batch => [
        map { { type => 'track', event => "Event $_", userId => 'u' } }
        $_ * 1000 + 1 .. $_ * 1000 + 1000 ] }, key => 'wk') for 0 .. 2;

    $text = get($port, '/status?format=prometheus')->{body};

    my $series = () = $text =~ /^martech_plan_\w+\{/mg;

    cmp_ok($series, '<=', 10000, 'the number of series has a bound');
    like($text, qr/^martech_plan_events_left_out [1-9]/m,
         'and the page says how many are left out');

    my ($from, $seen) = (0, 0);

    while (defined $from) {
        my $page = get($port, "/status?plan=shop&limit=1000&from=$from")
            ->{json};

        $seen += @{ $page->{events} };
        $from = $page->{next};
    }

    is($seen, 3001, 'the pages have them all');
}


# ---- a long name ----

{
    my $long = 'x' . "\x{20ac}" x 84;
    my $plan = plan_of(name => 'long', events => {
        $long => { violation => 'report', properties => {
            type => 'object', required => ['a'] } } });

    $t->file('long.json', $plan);

    my $other = $t->nginx(<<'END');
        martech_redis   %%REDIS%% timeout=2s;
        martech_source  web key=wk;

        server {
            listen 127.0.0.1:8086;
            location / { martech_collect; martech_plan %%PREFIX%%/long.json; }
            location = /status { martech_status; }
        }
END

    is(post($t->port(8086), '/v1/track',
            { event => $long, userId => 'u', properties => {} },
            key => 'wk')->{status}, 200, 'an event with a long name');

    my $body = get($t->port(8086), '/status?plan=')->{body};

    like($body, qr/"event":"x\xe2/, 'it is shown');
    unlike($body, qr/\xef\xbf\xbd/, 'and cut between two characters');
}


# ---- too many ----

{
    my %many = map {
        my $n = $_;
        ("E$n" => { properties => { type => 'object', properties => {
            map { ("f$n-$_" => {}) } 1 .. 40 } } })
    } 1 .. 2000;

    $t->file('big.json', plan_of(events => \%many));

    my $sources = join "\n", map { "martech_source s$_ key=k$_;" } 1 .. 300;
    my $tester = $t->nginx('', run => 0);
    my ($ok, $output) = $tester->test_conf($t->fill(<<"END"));
        martech_redis %%REDIS%%;
        $sources
        server { listen 127.0.0.1:8083; location / { martech_collect;
                 martech_plan %%PREFIX%%/big.json; } }
END

    ok(!$ok, 'counters that would need too much memory are refused');
    like($output, qr/2002 events and 300 sources needs \d+ bytes/,
         'the message says why');
}


$t->done();
