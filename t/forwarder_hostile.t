#!/usr/bin/perl

# Receivers that break the rules: each answer has the right class, no event is
# lost, the process lives in the same memory, and another destination keeps
# its pace meanwhile.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Compress::Zlib ();
use IO::Socket::INET;
use Time::HiRes qw(time);

use Martech::Hostile;
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 240);
my $redis = $t->redis();
my $hostile = Martech::Hostile->new();
my $receiver = $t->receiver();
my $dests = $t->dir() . '/destinations';

mkdir $dests;
symlink $t->root() . "/destinations/$_", "$dests/$_" for qw(file webhook);

# a vendor that tells errors in the body of a success
mkdir "$dests/teller";
put("$dests/teller/destination.yaml", <<'END');
name: teller
kind: http
settings: { url: { type: url, required: true } }
request: { url: "{url}", framing: object }
END
put("$dests/teller/answer.jq", <<'END');
if (.body | type) == "object" and .body.error then
    { outcome: "retry", reason: .body.error }
else null end
END

sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "cannot write: $!\n";
    print $fh $text;
    close $fh;
}

# full of connections that nobody takes: the next one gets no answer at all
my $hole = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
    or die "cannot listen: $!\n";
my @held = map {
    IO::Socket::INET->new(PeerAddr => '127.0.0.1', Blocking => 0,
                          PeerPort => $hole->sockport())
} 1 .. 8;


# all these failures are no reason to rest: t/forwarder_breaker.t
my $breaker = 'breaker: { count: 100000, in_a_row: 1000 }';

my $limits = "    timeout: 1s\n    connect_timeout: 300ms\n"
    . "    retry: { base: 20ms, factor: 1, cap: 50ms }\n    $breaker\n";
my $conf = forwarder_conf(without => 'archive', hook => $hostile->url('/h'),
    hook_settings => 'framing: array',
    hook_limits => "timeout: 1s\nconnect_timeout: 300ms\nconcurrency: 2\n"
                   . "retry: { base: 20ms, factor: 1, cap: 50ms }\n$breaker")
    =~ s/^destinations_path:.*$/destinations_path: $dests/mr;

$conf .= "  other:\n    use: webhook\n    settings: { url: "
    . $receiver->url('/other') . " }\n$limits"
    . "  teller:\n    use: teller\n    settings: { url: "
    . $hostile->url('/t') . " }\n$limits"
    . "  tls:\n    use: webhook\n    settings: { url: "
    . $hostile->url('/s', 'https') . " }\n$limits"
    . "  hole:\n    use: webhook\n    settings: { url: http://127.0.0.1:"
    . $hole->sockport() . "/ }\n$limits";

my $forwarder = $t->forwarder($conf);
my $number = 0;


# An event for one destination alone; its id.
sub event {
    my ($dest, %more) = @_;
    my $id = 'x' . ++$number;

    $redis->call('xadd', '{mt:00}:in', '*', 'v', 1, 'id', $id, 'src', 'test',
        'to', $dest, 'e', to_json({ type => 'track', event => 'E',
                                    messageId => $id, %more }));

    return $id;
}


# The attempts of an event, from the log.
sub attempts {
    my ($id) = @_;

    return grep { ($_->{msg} // '') eq 'attempt'
                  && ($_->{event} // '') eq $id } $forwarder->log_lines();
}


sub rss {
    open my $fh, '<', '/proc/' . $forwarder->pid() . '/status' or return 0;
    my ($kb) = join('', <$fh>) =~ /^VmRSS:\s+(\d+)/m;

    return $kb;
}


my $head = "HTTP/1.1 200 OK\r\n";
my $zeros = Compress::Zlib::memGzip("\0" x 50_000_000);

# [what, script, class, status, is it tried again?]
my @rows = (
    ['a reset after the body', [['read'], ['reset']], 'ambiguous', 0, 1],
    ['an end after the body', [['read'], ['close']], 'ambiguous', 0, 1],
    ['no answer', [['read'], ['hang']], 'ambiguous', 0, 1],
    ['a success that is cut off',
     [['read'], ['send', "${head}Content-Length: 100\r\n\r\n{\"half\""],
      ['close']], 'ambiguous', 200, 1],
    ['a refusal that is cut off',
     [['read'], ['send', "HTTP/1.1 400 No\r\nContent-Length: 100\r\n\r\nx"],
      ['close']], 'rejected', 400, 0],
    ['a body of a byte each 0.1 s',
     [['read'], ['send', "${head}Content-Length: 1000\r\n\r\n"],
      ['drip', 'abc', 0.1]], 'ambiguous', 200, 1],
    ['a head of a byte each 0.1 s',
     [['read'], ['drip', "${head}A: b\r\n", 0.1]], 'ambiguous', 0, 1],
    ['a body of 20 MB',
     [['read'], ['send', "${head}Content-Length: 20000000\r\n\r\n"],
      ['flood', 'x' x 16384]], 'delivered', 200, 0],
    ['a refusal with a body without end',
     [['read'], ['send', "HTTP/1.1 500 No\r\nConnection: close\r\n\r\n"],
      ['flood', 'x' x 16384]], 'retry', 500, 1],
    ['chunks that are none',
     [['read'], ['send', "${head}Transfer-Encoding: chunked\r\n\r\nzz\r\nx"],
      ['close']], 'ambiguous', 200, 1],
    ['a chunk larger than there are numbers',
     [['read'], ['send', "${head}Transfer-Encoding: chunked\r\n\r\n"
                         . 'f' x 40 . "\r\nx"], ['hang']],
     'ambiguous', 200, 1],
    ['two lengths',
     [['read'], ['send', "${head}Content-Length: -5\r\n\r\n"], ['close']],
     'ambiguous', 200, 1],
    ['a redirect inwards',
     [['read'], ['send', "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n"
                         . "Location: http://169.254.169.254/\r\n\r\n"],
      ['close']], 'rejected', 301, 0],
    ['headers without end', [['read'], ['send', $head],
                             ['flood', 'X-A: ' . 'a' x 990 . "\r\n"]],
     'ambiguous', 200, 1],
    ['a header line without end', [['read'], ['send', "${head}X: "],
                                   ['flood', 'a' x 16384]],
     'ambiguous', 200, 1],
    ['HTTP/0.9', [['read'], ['send', "hello\n"], ['close']],
     'ambiguous', 0, 1],
    ['no HTTP at all', [['read'], ['send', "\0\xff" x 300], ['close']],
     'ambiguous', 0, 1],
    ['interim answers without end',
     [['read'], ['flood', "HTTP/1.1 100 Continue\r\n\r\n" x 100]],
     'ambiguous', undef, 1],
    ['a status without meaning',
     [['read'], ['send', "HTTP/1.1 799 What\r\nContent-Length: 0\r\n\r\n"],
      ['close']], 'unclassified', 799, 1],
    ['credentials refused, once',
     [['read'], ['send', "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n"],
      ['close']], 'credentials', 401, 1],
);

# the first time is not counted: buffers grow to their size
event('hook');
ok(becomes(sub { drained($redis, 'hook') }, 10), 'all is well at first');

my $before = rss();

for (@rows) {
    my ($what, $script, $class, $status, $again) = @$_;

    $hostile->play($script);

    my $id = event('hook');
    my $started = time();
    my $other = event('other');

    ok(becomes(sub { $receiver->requests() && grep {
           $_->{body} =~ /"\Q$other\E"/ } $receiver->requests() }, 10),
       "$what: another destination goes on");
    ok(becomes(sub { resumed($redis, 'hook') }, 10), "$what: it ends");

    my @attempts = attempts($id);

    is($attempts[0]{class}, $class, "$what: it is $class");
    is($attempts[0]{status}, $status, "$what: the status is known")
        if defined $status;
    is(scalar(@attempts), 1 + $again,
       "$what: it is " . ($again ? 'tried again' : 'not tried again'));
    is($attempts[-1]{class}, 'delivered', "$what: and then delivered")
        if $again;
    cmp_ok(time() - $started, '<', 3, "$what: in time");
}

# ---- answers in the body, compressed ones ----

$hostile->play([['read'], ['send', "${head}Content-Length: 18\r\n\r\n"
                                   . '{"error":"x","n":1'], ['close']]);
my $cut = event('teller');
ok(becomes(sub { attempts($cut) >= 1 }, 10), 'half of an error in a success');
is((attempts($cut))[0]{class}, 'delivered', 'which is no JSON: it counts not');

$hostile->play([['read'], ['send', "${head}Content-Length: 13\r\n\r\n"
                                   . '{"error":"x"}'], ['close']]);
my $told = event('teller');
ok(becomes(sub { attempts($told) >= 2 }, 10), 'an error in a success');
is(join(' ', map { "$_->{class} $_->{status}" } attempts($told)),
   'retry 200 delivered 200', 'is one, and tried again');

# 50 MB of zeros in 50 KB: what is not asked for is not unpacked
$hostile->play([['read'], ['send', "${head}Content-Encoding: gzip\r\n"
                                   . 'Content-Length: ' . length($zeros)
                                   . "\r\n\r\n"],
                ['send', $zeros], ['close']]);
my $packed = event('teller');
ok(becomes(sub { attempts($packed) >= 1 }, 10), 'a compressed answer');
is((attempts($packed))[0]{class}, 'delivered', 'is a success, unread');

# ---- no connection, no handshake ----

$hostile->play([['hang']], [['hang']]);

for my $dest ('tls', 'hole') {
    my $id = event($dest);
    my $started = time();

    ok(becomes(sub { attempts($id) >= 1 }, 10), "$dest: it fails");
    is((attempts($id))[0]{class}, 'retry', "$dest: nothing was sent");
    cmp_ok(time() - $started, '<', 2, "$dest: after connect_timeout");
}

# ---- afterwards ----

ok($forwarder->running(), 'it lives');
SKIP: {
    skip 'sanitizers keep memory', 1 if $ENV{MARTECH_ASAN};
    cmp_ok(rss() - $before, '<', 12_000, 'in as much memory as before');
}

ok(ledger_holds($redis, $_), "the ledger of $_ holds")
    for qw(hook other teller tls hole);
is(ledger($redis)->{'dead:hook'}, 2, 'only refusals are dead');

$t->done();
