#!/usr/bin/perl

# Loop processes under one supervisor: they share the shards, one that dies is
# started again, they end with the supervisor, nobody sees secrets, and a log
# that nobody reads holds up nobody.

use strict;
use warnings;

use Fcntl qw(O_RDWR O_NONBLOCK);
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64);
use POSIX qw(mkfifo);

use Martech::Path;
use Martech::Test;

my $SECRET = 'whsec_' . encode_base64('s' x 32, '');

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $conf = forwarder_conf(hook => $receiver->url('/hook'),
    hook_settings => 'secret: env:HOOK_SECRET', top => 'loops: 2');
my $forwarder = $t->forwarder($conf, env => { HOOK_SECRET => $SECRET });
my @ids;


# adds events and waits until they have arrived everywhere
sub flows {
    my ($prefix, $name) = @_;

    push @ids, add_events($redis, 48, prefix => $prefix);
    ok(becomes(sub { !missing(\@ids, hook_ids($receiver))
                     && !missing(\@ids, file_ids($t)) }, 20), $name);
}


sub owners {
    my %owners;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        my ($name) = ($redis->call('get', "$tag:owner") // '') =~ / (.*)/;

        $owners{$name}++ if defined $name;
    }

    return %owners;
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;

    return scalar <$fh> // '';
}


# ---- names ----

flows('first', 'two loops deliver');
is(scalar $forwarder->loops(), 2, 'there are two of them');

my %owners = owners();

is((grep { !/^tester#[01]$/ } keys %owners), 0,
   'leases have the names of loops') or diag(join ' ', keys %owners);


# ---- secrets ----

unlike(slurp('/proc/' . $forwarder->pid() . '/environ'), qr/\Q$SECRET\E/,
       'the supervisor keeps it where others cannot see it');
$forwarder->signal('HUP');
ok(becomes(sub { $forwarder->logged(qr/"msg":"configuration loaded"/)
                 && $forwarder->loops() == 2 && keys %{ {owners()} } == 2 },
           15), 'and has it for the next reload');
unlike(slurp("/proc/$_/environ"), qr/whsec|HOOK_SECRET/,
       'a loop has none') for $forwarder->loops();
unlike($forwarder->log_text(), qr/whsec/, 'nor is it in the log');


# ---- a loop dies ----

for my $round (1 .. 3) {
    my @before = sort $forwarder->loops();
    my $pid = $forwarder->pid();

    kill KILL => $before[$round % 2];

    ok(becomes(sub { my @now = $forwarder->loops();
                     @now == 2 && "@{[ sort @now ]}" ne "@before" }, 15),
       "round $round: a loop that was killed is started again");
    flows("kill$round", "round $round: events flow");
    is($forwarder->pid(), $pid, "round $round: under the same supervisor");
}

is($forwarder->logged(qr/"msg":"loop died.*"signal":9/), 3,
   'each death is logged with its signal');


# ---- the supervisor dies alone ----

{
    my @loops = $forwarder->loops();

    kill KILL => $forwarder->pid();
    ok($forwarder->wait_end(10), 'loops end with their supervisor');
    is((grep { Martech::Process::lives($_) } @loops), 0, 'all of them');
    $forwarder->start();
    flows('alone', 'the next one goes on');
}


# ---- one loop ----

$forwarder->stop();
is($forwarder->{process}->status(), 0, 'TERM ends all with success');
$forwarder->write_conf($t->fill($conf =~ s/loops: 2/loops: 1/r));
$forwarder->start();
flows('one', 'one loop delivers');
is(scalar $forwarder->loops(), 1, 'it is a process of its own');
is_deeply([ keys %{ { owners() } } ], ['tester'], 'and has the plain name');


# ---- nobody reads the log ----

{
    my $fifo = $t->dir() . '/log';

    $forwarder->stop();
    mkfifo($fifo, 0600) or die "mkfifo: $!\n";
    sysopen my $log, $fifo, O_RDWR | O_NONBLOCK or die "$fifo: $!\n";

    $forwarder->write_conf($t->fill($conf =~ s/loops: 2/
        "loops: 1\nlog: { level: debug }"/er));

    my $process = Martech::Process->start(
        name => 'martech-forwarder', output => $fifo,
        argv => [$forwarder->{program}, 'run', '-c', $forwarder->conf_file()],
        env => $forwarder->{env});

    # more than the pipe and the buffer hold: a line is some 250 bytes
    push @ids, add_events($redis, 6000, prefix => 'deaf');
    ok(becomes(sub { !missing(\@ids, file_ids($t)) }, 60),
       'a log that nobody reads does not hold up the file');
    ok(becomes(sub { drained($redis, 'archive', 'hook') }, 60),
       'nor the webhook');

    # now somebody does
    my $text = '';

    ok(becomes(sub {
        1 while sysread $log, $text, 65536, length $text;
        add_events($redis, 1, prefix => 'heard' . length $text);
        $text =~ /lines were dropped","dropped":\d+/;
    }, 20), 'once it is read, it says that lines are missing');

    my @torn = grep { !/^\{.*\}$/ } split /\n/, $text;

    # the reader may stand in the middle of the last one
    cmp_ok(scalar @torn, '<=', 1, 'the others are whole') or diag("@torn");
    ok($process->stop(), 'and it ends');
}

$t->done();
