#!/usr/bin/perl

# SIGHUP: a good configuration takes over without a loss or a duplicate, a bad
# one changes nothing, and a destination may go and come back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $receiver = $t->receiver();
my %conf = (
    one => forwarder_conf(hook => $receiver->url('/hook'), top => 'loops: 1'),
    two => forwarder_conf(hook => $receiver->url('/hook'), top => 'loops: 2'),
    gone => forwarder_conf(without => 'hook', top => 'loops: 2'),
);

$conf{typo} = $conf{one} =~ s/owner:/ower:/r;
$conf{yaml} = "redis: [\n";
$conf{map} = forwarder_conf(hook => $receiver->url('/hook'))
    =~ s/use: webhook/use: broken/r;

my $forwarder = $t->forwarder($conf{two});
my $pid = $forwarder->pid();
my @ids;


# writes a configuration and says so
sub reload {
    my ($name) = @_;

    $forwarder->write_conf($t->fill($conf{$name}));
    $forwarder->signal('HUP');
}


sub arrived {
    my ($name, $limit) = @_;

    return ok(becomes(sub { !missing(\@ids, hook_ids($receiver))
                            && !missing(\@ids, file_ids($t)) },
                      $limit // 20), $name);
}


sub twice {
    my (@came) = @_;
    my %times;

    $times{$_}++ for @came;

    return grep { $times{$_} > 1 } sort keys %times;
}


# ---- good ones ----

push @ids, add_events($redis, 32, prefix => 'before');
arrived('it delivers');

my @before = $forwarder->loops();
my $loaded = $forwarder->logged(qr/"msg":"configuration loaded"/);

reload('one');
ok(becomes(sub { $forwarder->logged(qr/"msg":"configuration loaded"/)
                 > $loaded }, 10), 'a good configuration is taken');
like($forwarder->log_text(), qr/configuration loaded","config":"[0-9a-f]{12}"/,
     'the log has its digest');
push @ids, add_events($redis, 32, prefix => 'after');
arrived('events flow under it');
ok(becomes(sub { my @now = $forwarder->loops();
                 @now == 1 && !grep { $_ eq $now[0] } @before }, 15),
   'by another process');
is($forwarder->pid(), $pid, 'under the same supervisor');


# ---- bad ones ----

for my $bad (['typo', qr/ower/], ['yaml', qr/forwarder\.yaml/]) {
    my ($name, $says) = @$bad;
    my @loops = $forwarder->loops();
    my $refused = $forwarder->logged(qr/configuration refused/);

    reload($name);
    ok(becomes(sub { $forwarder->logged(qr/configuration refused/)
                     > $refused }, 10), "$name: it is refused");
    ok($forwarder->logged(qr/configuration refused.*$says/),
       "$name: with the reason");
    push @ids, add_events($redis, 8, prefix => "bad-$name");
    arrived("$name: events flow on");
    is_deeply([ $forwarder->loops() ], \@loops, "$name: by the same process");
}

{
    # a program that does not compile is found by a process of its own

    my $folder = $t->dir() . '/destinations';

    mkdir $folder;
    system('cp', '-r', $t->root() . "/destinations/$_", "$folder/$_")
        for qw(file webhook);
    system('cp', '-r', "$folder/webhook", "$folder/broken");
    $t->file('destinations/broken/map.jq', "{ a: \n");
    system('sed', '-i', 's/^name: webhook/name: broken/',
           "$folder/broken/destination.yaml");
    $conf{map} =~ s{%%ROOT%%/destinations}{$folder};

    my $refused = $forwarder->logged(qr/configuration refused/);

    reload('map');
    ok(becomes(sub { $forwarder->logged(qr/configuration refused/)
                     > $refused }, 10), 'a map that does not compile, too');
    ok($forwarder->logged(qr/configuration refused.*map\.jq/),
       'with its file');

    is($forwarder->pid(), $pid, 'the supervisor lives');
}


# ---- many, under traffic ----

for my $round (1 .. 30) {
    push @ids, add_events($redis, 16, prefix => "round$round");
    reload(qw(two typo one yaml)[$round % 4]);
    becomes(sub { 0 }, 0.2);             # the pace
}

reload('one');
push @ids, add_events($redis, 16, prefix => 'last');
arrived('30 reloads lose nothing', 30);
ok(becomes(sub { drained($redis, 'archive', 'hook') }, 20),
   'nothing waits any more');
is(join(' ', twice(hook_ids($receiver))), '', 'nothing came twice by HTTP');
is(join(' ', twice(file_ids($t))), '', 'nor into files');
is($forwarder->pid(), $pid, 'the supervisor is the same');
cmp_ok($forwarder->logged(qr/"msg":"configuration loaded"/), '>=', 4,
       'some of them took place');


# ---- what is under way is finished by those that began it ----

{
    my $count = $forwarder->logged(qr/"msg":"configuration loaded"/);
    my @before = $forwarder->loops();

    $receiver->answer(always => { status => 200, delay => 0.7 });

    my $requests = () = $receiver->requests();

    push @ids, add_events($redis, 6, prefix => 'under-way');
    $receiver->wait_requests($requests + 1);
    reload('one');
    ok(becomes(sub { my %now = map { $_ => 1 } $forwarder->loops();
                     $forwarder->logged(qr/"msg":"configuration loaded"/)
                         > $count && !grep { $now{$_} } @before }, 7),
       'the old loop ends');
    $receiver->answer(always => { status => 200 });
    arrived('everything arrives');
    ok(becomes(sub { drained($redis, 'archive', 'hook') }, 20), 'and is done');
    is(join(' ', twice(hook_ids($receiver))), '',
       'requests under way are not sent again');
}


# ---- a slow request does not hold up a reload, nor is it lost ----

{
    my $count = $forwarder->logged(qr/"msg":"configuration loaded"/);
    my @before = $forwarder->loops();

    $receiver->answer(always => { status => 200, delay => 8 });

    my $requests = () = $receiver->requests();

    push @ids, add_events($redis, 1, prefix => 'slow');
    $receiver->wait_requests($requests + 1);
    reload('two');
    ok(becomes(sub { my %now = map { $_ => 1 } $forwarder->loops();
                     $forwarder->logged(qr/"msg":"configuration loaded"/)
                         > $count && !grep { $now{$_} } @before }, 7),
       'the old loop gives a slow request up');
    $receiver->answer(always => { status => 200 });
    arrived('which is sent again');
}


# ---- a destination with a backlog goes, and comes back ----

{
    $receiver->answer(always => { status => 503 });

    my @late = add_events($redis, 20, prefix => 'late');

    ok(becomes(sub { !missing(\@late, file_ids($t)) }, 20),
       'the webhook has a backlog');

    my $count = $forwarder->logged(qr/"msg":"configuration loaded"/);

    reload('gone');
    ok(becomes(sub { $forwarder->logged(qr/"msg":"configuration loaded"/)
                     > $count }, 10), 'it is taken out');
    ok(becomes(sub { $forwarder->logged(qr/not configured but has events/) },
               20), 'which is said');
    $receiver->answer(always => { status => 200 });

    my @other = add_events($redis, 8, prefix => 'other');

    ok(becomes(sub { !missing(\@other, file_ids($t)) }, 20),
       'the others go on');

    my @hook = hook_ids($receiver);

    is(missing(\@late, @hook), 20, 'it gets nothing meanwhile');
    reload('two');
    push @ids, @late;
    arrived('put back, it gets what waited');
}


# ---- the end during a reload ----

reload('one');
$forwarder->signal('HUP');
ok($forwarder->stop(), 'TERM ends it also during a reload');
is($forwarder->{process}->status(), 0, 'with success');
ok(ledger_holds($redis, $_), "the ledger holds for $_") for qw(archive hook);

$t->done();
