#!/usr/bin/perl

# Sequences against a vendor that keeps what it is told and gives ids: each
# event becomes a company, a contact and their association, in three requests
# that need each other's answers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Http qw(from_json to_json);
use Martech::Path;
use Martech::Test;
use Martech::Vendor;

my ($COMPANIES, $PERSONS, $RATE) = (60, 100, 400);

my $t = Martech::Test->new(timeout => 120);
my $redis = $t->redis();
my $folders = $t->dir() . '/destinations';
my ($serial, %event) = (0);


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;

    return scalar <$fh>;
}


sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh $text;
    close $fh;
}


# The vendor as it is, but for a limit that a test can wait for.
sub vendor {
    my $name = 'hubspot';
    my $data = from_json(slurp("$FindBin::Bin/vendor/$name.json"));
    my $dir = $t->dir() . '/vendor';

    $data->{rates} = [{ count => $RATE, per => 1, unit => 'requests' }];
    $data->{request_id} = 'idempotency-key';
    mkdir $_ for $dir, $folders;
    put("$dir/$name.json", to_json($data));

    my $vendor = Martech::Vendor->new(dir => $dir);

    $vendor->folder($name, Martech::Test::root() . '/destinations', $folders);

    my $yaml = slurp("$folders/$name/destination.yaml");

    my $line = "    idempotency_header: Idempotency-Key\n";

    $yaml =~ s/^    framing: .*\n/$&$line/mg;
    put("$folders/$name/destination.yaml", $yaml);

    return $vendor;
}


my $vendor = vendor();
my ($settings, %env) = $vendor->settings('hubspot', 6);
my $conf = $t->fill(forwarder_conf(without => 'archive', hook => 'x'));

$conf =~ s/^  hook:.*//ms;
$conf =~ s/^destinations_path:.*/destinations_path: $folders/m;
$conf .= "  crm:\n    use: hubspot\n    settings:\n$settings"
    . "    concurrency: 8\n"
    . "    rate: [{ count: $RATE, per: 1s, unit: requests }]\n"
    . "    retry: { base: 50ms, factor: 2, cap: 1s, attempts: 4, age: 0 }\n";

my $forwarder = $t->forwarder($conf, run => 0, env => { %env });


# An event of a person in a company; its number.
sub add {
    my ($company, $person, $shard) = @_;
    my $n = ++$serial;
    my $id = sprintf '01930a5e-7c00-7000-8000-%012d', $n;

    $event{$n} = { id => $id, company => $company,
                   person => "$person\@shop.example" };

    $redis->call('xadd', sprintf('{mt:%02d}:in', $shard // $n % 16), '*',
        'v', 1, 'id', $id, 'src', 'test', 'e', to_json({
            type => 'group', groupId => $company, messageId => $id,
            userId => "user-$person", anonymousId => "anonymous-$person",
            receivedAt => '2026-11-20T19:35:00.000Z',
            timestamp => '2026-11-20T19:35:00.000Z',
            traits => { name => "Company $company" },
            context => { traits => { email => " $person\@Shop.example" },
                         martech => { v => 1, source => 'test' } },
        }));

    return $n;
}


# all that was added so far has ended
sub ended {
    my $ledger = ledger($redis);

    return ($ledger->{'routed:crm'} // 0) == $serial
        && resumed($redis, 'crm');
}


# events without the association of their own company and contact
sub wrong {
    my ($kept, @numbers) = @_;

    return grep {
        my $e = $event{$_};
        my $contact = $kept->{objects}{contacts}{ $e->{person} } // '';
        my $company = $kept->{objects}{companies}{ $e->{company} } // '';

        !$kept->{links}{"contacts/$contact companies/$company"};
    } @numbers;
}


sub sum { my $sum = 0; $sum += $_ for @_; $sum }

# how often objects of a kind were written
sub written {
    my ($kept, $kind, $key) = @_;

    return $kept->{times}{"$kind $key"} // 0 if defined $key;
    return sum(map { $kept->{times}{$_} } grep { /^$kind / }
               keys %{ $kept->{times} });
}


sub linked { sum(values %{ $_[0]{links} }) }


# what stands in a hash or key of all shards
sub values_of {
    my ($command, $what) = @_;

    return map { @{ $redis->call($command, "$_:$what") } }
        Martech::Redis::tags('mt', 16);
}


sub dead {
    my ($n) = @_;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        for (@{ $redis->call('xrange', "$tag:dead:crm", '-', '+') }) {
            my %entry = @{ $_->[1] };

            return \%entry if $entry{id} eq $event{$n}{id};
        }
    }

    return undef;
}


# ---- many, with one that has to wait in the middle ----

$vendor->set('hubspot', answers => [
    { status => 429, path => '/associations/',
      headers => { 'Retry-After' => 1 }, body => '{}' }]);
add('c' . $_ % $COMPANIES, 'p' . $_ % $PERSONS) for 1 .. 300;
$forwarder->start();

ok(becomes(\&ended, 20), 'all events end');

my $kept = $vendor->kept('hubspot');
my $report = $vendor->report()->{hubspot};

is(ledger($redis)->{'done:crm'}, 300, 'all are delivered');
is_deeply([wrong($kept, 1 .. 300)], [], 'with the right ids');
is(linked($kept), 300, 'each association was made once');
is($kept->{calls}{association}, 301, 'one of them at its second attempt');
is(written($kept, 'companies'), 300, 'for which no step was done again');
is($kept->{unknown}, 0, 'no id was unknown');
is_deeply($report->{violations}, {}, 'no limit is violated')
    or diag(to_json($report));

my $ids = $kept->{request_ids};
my @again = grep { sum(values %$_) > 1 } values %$ids;

is(scalar(grep { keys %$_ > 1 } values %$ids), 0,
   'each step of an event has an id of its own');
is(keys %$ids, 600 + written($kept, 'contacts'), 'which is there');
is_deeply([map { map { m{/associations/} ? 'association' : $_ } keys %$_ }
           @again], ['association'], 'the same when it is sent again');

cmp_ok(written($kept, 'contacts'), '>=', $PERSONS, 'each contact is written');
cmp_ok(written($kept, 'contacts'), '<=', $PERSONS + 50,
       'and mostly known after that');
is(keys %{ $kept->{objects}{contacts} }, $PERSONS, 'none twice');

my @keys = values_of('keys', 'sc:crm:contact:*');

is(scalar @keys, $PERSONS, 'what is known stands in Redis');
is(scalar(grep { !/:[0-9a-f]{32}\z/ } @keys), 0, 'by its digest');
cmp_ok($redis->call('pttl', $keys[0]), '>', 3_000_000, 'for an hour');
unlike(join(' ', map { $redis->call('get', $_) } @keys), qr/\@|shop/i,
       'and holds ids only');
is(scalar(values_of('hvals', 'try:crm')), 0, 'nothing is left of progress');

# ---- a refusal at the end undoes what was made, and only that ----

sub refused {
    my ($company) = @_;

    $vendor->set('hubspot', answers => [
        { status => 400, path => '/associations/',
          body => to_json({ status => 'error',
                            category => 'VALIDATION_ERROR' }) }]);

    my $n = add($company, 'p1');

    ok(becomes(\&ended, 10), "$company: the event ends");
    $kept = $vendor->kept('hubspot');

    return dead($n);
}

my $letter = refused('new');

is($letter->{reason}, 'association:VALIDATION_ERROR',
   'the dead letter names the step and the reason');
is($letter->{class}, 'rejected', 'it is a refusal');
is($letter->{status}, 400, 'it has the status of that step');

my $request = from_json($letter->{request} // '{}');

like($request->{url}, qr{/contacts/\d+/associations/default/companies/\d+$},
     'it has the request of that step');
is($request->{method}, 'PUT', 'as it was sent');
is($request->{endpoint}, 'association', 'by its endpoint');
is(from_json($letter->{answer} // '{}')->{status}, 400, 'and its answer');
unlike(to_json($letter), qr/pat-eu1/, 'no credentials');
is($kept->{objects}{companies}{new}, undef, 'a company that was new is gone');
is($kept->{calls}{archive}, 1, 'by one request');

$letter = refused('c1');
is($letter->{reason}, 'association:VALIDATION_ERROR', 'refused as well');
ok($kept->{objects}{companies}{c1}, 'a company that was there stays');
is($kept->{calls}{archive}, 1, 'nothing was sent for it');

# ---- given up: then, too ----

$vendor->set('hubspot', answers => [
    map { { status => 500, path => '/associations/', body => '' } } 1 .. 4]);

my $n = add('tried', 'p2');

ok(becomes(\&ended, 10), 'an event that fails again and again ends');
is(dead($n)->{reason}, 'association:gave_up', 'it is given up');
is(dead($n)->{attempts}, 4, 'after its attempts');

$kept = $vendor->kept('hubspot');
is(written($kept, 'companies', 'tried'), 1, 'its first step was sent once');
is($kept->{objects}{companies}{tried}, undef, 'and undone');

# ---- refused credentials: it waits, and goes on there ----

my $retries = ledger($redis)->{'retry:crm'};

$vendor->set('hubspot', answers => [
    { status => 401, path => '/associations/', body => '{}' }]);
$n = add('parked', 'p2');
ok(becomes(\&ended, 10), 'an event whose credentials were refused ends');
$kept = $vendor->kept('hubspot');
is_deeply([wrong($kept, $n)], [], 'with the right ids');
is(written($kept, 'companies', 'parked'), 1, 'its first step was sent once');
is(ledger($redis)->{'retry:crm'}, $retries, 'no attempt was used');

# ---- a contact that is gone is asked for again ----

$vendor->set('hubspot', forget => ['contacts', 'p3@shop.example']);
$n = add('c3', 'p3');
ok(becomes(\&ended, 10), 'an event with an id that is not known any more');
$kept = $vendor->kept('hubspot');
is_deeply([wrong($kept, $n)], [], 'has the new one in the end');
is($kept->{unknown}, 1, 'after one vain attempt');
is(written($kept, 'companies', 'c3'), 6, 'the step before it was done once');

# ---- what is known outlives the process, and so does a pause ----

my $contacts = written($kept, 'contacts');

$vendor->set('hubspot', answers => [
    { status => 503, path => '/contacts/batch', body => '',
      headers => { 'Retry-After' => 1 } }]);
$n = add('paused', 'new1');
ok(becomes(sub { grep { / seq:\S+\z/ } values_of('hvals', 'try:crm') }, 10),
   'a sequence that pauses is kept in Redis');
$forwarder->kill_now();
$forwarder->start();
add('c4', 'p4');
ok(becomes(\&ended, 15), 'it goes on after a crash');
$kept = $vendor->kept('hubspot');
is_deeply([wrong($kept, $n, $serial)], [], 'with the right ids');
is(written($kept, 'companies', 'paused'), 1, 'from where it stood');
is(written($kept, 'contacts'), $contacts + 1,
   'a contact that was known before is not asked for');

# ---- killed in the middle ----

my $before = $vendor->kept('hubspot');
my @numbers = map { add("k" . $_ % 10, "k$_") } 1 .. 60;

$vendor->set('hubspot', delay => 0.02);
ok(becomes(sub { linked($vendor->kept('hubspot')) >= linked($before) + 10 },
           10), 'some are through');
$forwarder->kill_now();
$forwarder->start();
ok(becomes(\&ended, 15), 'after kill -9 all events end');
$kept = $vendor->kept('hubspot');
is_deeply([wrong($kept, @numbers)], [], 'with the right ids');
cmp_ok(linked($kept) - linked($before), '<=', 60 + 8,
       'what was under way was done again, nothing else');

# ---- a new configuration while sequences are under way, or wait ----

$before = $kept;
$forwarder->write_conf($conf =~ s/count: $RATE/count: 90/r);

my $loaded = $forwarder->logged(qr/"msg":"configuration loaded"/);

$forwarder->signal('HUP');
ok(becomes(sub { $forwarder->logged(qr/"msg":"configuration loaded"/)
                 > $loaded }, 10), 'a narrow rate');
@numbers = map { add("h" . $_ % 10, "h$_") } 1 .. 40;
ok(becomes(sub { linked($vendor->kept('hubspot')) >= linked($before) + 5 },
           10), 'some are through');
$forwarder->write_conf($conf);
$forwarder->signal('HUP');
ok(becomes(\&ended, 15), 'all events end');
$kept = $vendor->kept('hubspot');
is_deeply([wrong($kept, @numbers)], [], 'with the right ids');
is(linked($kept) - linked($before), 40, 'each once');
is(written($kept, 'companies') - written($before, 'companies'), 40,
   'no step was done twice');

# ---- two forwarders ----

my $other = $t->forwarder($conf =~ s/name: tester/name: other/r,
                          env => { %env });

$before = $kept;
@numbers = map { add("t" . $_ % 10, "t$_") } 1 .. 60;
ok(becomes(\&ended, 15), 'with two forwarders all events end');
$kept = $vendor->kept('hubspot');
is_deeply([wrong($kept, @numbers)], [], 'with the right ids');
is(linked($kept) - linked($before), 60, 'each once');

$forwarder->stop();
$other->stop();

# ---- in the order of a person ----

$conf =~ s/^    concurrency: 8\n/$&    order: person\n/m;
$forwarder->write_conf($conf);
$vendor->set('hubspot', delay => 0, answers => [
    { status => 500, path => '/associations/', body => '' }]);
$before = $kept;
@numbers = map { add("o$_", 'one', 3) } 1 .. 5;
$forwarder->start();
ok(becomes(\&ended, 15), 'in the order of a person all events end');
$kept = $vendor->kept('hubspot');
is_deeply([wrong($kept, @numbers)], [], 'with the right ids');
is(written($kept, 'companies') - written($before, 'companies'), 5,
   'the one that failed went on where it stood');

my %companies = map { ("companies/$kept->{objects}{companies}{$_}" => $_) }
    map { "o$_" } 1 .. 5;
my @log = map { m{^(?:.* )?(companies/\d+)$} && $companies{$1} || () }
    @{ $kept->{log} };

is("@log", 'o1 o1 o2 o2 o3 o3 o4 o4 o5 o5', 'one after another');

ok(ledger_holds($redis, 'crm'), 'the ledger closes');
is_deeply($vendor->report()->{hubspot}{violations}, {},
          'no limit is violated');

$t->done();
