#!/usr/bin/perl

# A batch that waits for tokens waits as it is.  Tokens are lent for a few
# milliseconds, and to map a batch may take longer: one that is mapped anew
# each time is never sent, and a processor is busy with it for ever.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();

use Martech::Path;
use Martech::Test;

my $EVENTS = 1500;
my $t = Martech::Test->new(timeout => 120);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $dests = $t->dir() . '/destinations';

mkdir $dests;
symlink $t->root() . "/destinations/$_", "$dests/$_" for qw(file webhook);


# a destination of a name, and lines of its description
sub put {
    my ($name, %files) = @_;

    mkdir "$dests/$name";

    for my $file (keys %files) {
        open my $fh, '>', "$dests/$name/$file" or die "cannot write: $!\n";
        print $fh $files{$file};
        close $fh;
    }
}


# seconds of the processor that the children of a process have used
sub cpu_of {
    my $ticks = 0;

    for my $pid (@_) {
        open my $fh, '<', "/proc/$pid/stat" or next;
        my @fields = split ' ', <$fh> =~ s/^.*\)\s//r;
        $ticks += $fields[11] + $fields[12];
    }

    return $ticks / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}


my $head = "kind: http\nsettings: { url: { type: url, required: true } }\n"
    . "rate: [ { count: 1000, per: 1s, unit: events },\n"
    . "        { count: 100, per: 1s, unit: requests } ]\n";

# what is worth some 100 us
my $map = '([range(400)] | add) as $n | .event'
    . ' | { id: .messageId, n: $n';

put('grouped', 'destination.yaml' => "name: grouped\n$head" . <<'END_YAML',
endpoints:
  main:
    url: "{url}"
    framing: array
    batch: { count: 1000, bytes: 1m, linger: 20ms }
  other:
    url: "{url}/other"
    framing: array
    batch: { count: 1000, bytes: 1m, linger: 20ms }
END_YAML
    'map.jq' => qq($map, "\@endpoint": "main" }\n));

put('plain', 'destination.yaml' => "name: plain\n$head" . <<'END_YAML',
request: { url: "{url}", framing: array }
batch: { count: 1000, bytes: 1m, linger: 20ms }
END_YAML
    'map.jq' => "$map }\n");

for my $name (qw(grouped plain)) {
    my $conf = forwarder_conf(without => 'archive',
                              hook => $receiver->url("/$name"))
        =~ s/^destinations_path:.*$/destinations_path: $dests/mr;

    $conf =~ s/^  hook:.*//ms;
    $conf .= "  $name:\n    use: $name\n    settings: { url: \""
        . $receiver->url("/$name") . "\" }\n";

    my $forwarder = $t->forwarder($conf, run => 0);
    my $before = () = $receiver->requests();

    add_events($redis, $EVENTS, prefix => $name);
    $forwarder->start();

    my $used = 0;
    ok(becomes(sub {
           $used = cpu_of($forwarder->loops());
           (ledger($redis)->{"routed:$name"} // 0) == $EVENTS
               && resumed($redis, $name);
       }, 20), "$name: all are delivered");
    cmp_ok($used, '<', 3, "$name: seconds of the processor");

    my @requests = $receiver->requests();
    splice @requests, 0, $before;

    my %seen;
    $seen{ $_->{id} }++ for map { @{ from_json($_->{body}) } } @requests;
    is(scalar keys %seen, $EVENTS, "$name: each came");
    is(scalar(grep { $_ != 1 } values %seen), 0, "$name: none twice");

    $forwarder->stop();
    ok(ledger_holds($redis, $name), "$name: the ledger holds");
}

$t->done();
