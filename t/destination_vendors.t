#!/usr/bin/perl

# The shipped destinations against the vendors' limits: nothing is lost,
# nothing comes twice, no limit is violated, and what a vendor refuses is a
# dead letter of just that event.  With names only those vendors.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;
use Martech::Vendor;

my $EVENTS = 200;

# places in the stream of events that the vendor refuses, or puts off
my %REFUSED = map { $_ => 1 } 7, 63, 64, 199;
my %LATER = map { $_ => 1 } 20, 121;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $vendors = Martech::Vendor->new(dir => "$FindBin::Bin/vendor");
my $folders = $t->dir() . '/destinations';

# those that say which record they refuse, by an answer that halves find too
my %wanted = map { $_ => 1 } @ARGV;
my @names = grep { (!@ARGV || $wanted{$_})
                   && -e Martech::Test::root() . "/destinations/$_/map.jq" }
    $vendors->vendors();

plan(skip_all => 'no destination has a map') unless @names;


sub conf {
    my ($conf, %env) = ($t->fill(forwarder_conf(without => 'archive',
                                                hook => 'x')));

    $conf = "credentials_key: env:TOKEN_KEY\n$conf" =~ s/^  hook:.*//msr;
    $env{TOKEN_KEY} = '0123456789abcdef' x 4;
    $conf =~ s/^destinations_path:.*/destinations_path: $folders/m;

    for my $name (@names) {
        my ($settings, %secrets) = $vendors->settings($name, 6);

        $vendors->folder($name, Martech::Test::root() . '/destinations',
                         $folders);
        $conf .= "  $name:\n    use: $name\n    settings:\n$settings"
            . "    retry: { base: 50ms, factor: 2, cap: 1s }\n";
        %env = (%env, %secrets);
    }

    return ($conf, env => \%env);
}


# An event that each vendor takes, with words for its answer in the texts
# that maps pass on.
sub add {
    my ($n) = @_;
    my $word = $REFUSED{$n} ? 'vendor-reject' : $LATER{$n} ? 'vendor-later'
        : 'plain';
    my $now = iso(time());
    my $id = sprintf '01930a5e-7c00-7000-8000-%012d', $n;

    $redis->call('xadd', sprintf('{mt:%02d}:in', $n % 16), '*', 'v', 1,
        'id', $id, 'src', 'test', 'e', Martech::Http::to_json({
            type => 'track', event => 'Order Completed', messageId => $id,
            userId => "user-$n-$word", anonymousId => "anonymous-$n",
            receivedAt => $now, timestamp => $now,
            properties => {
                order_id => "order-$n-$word", revenue => 12.5,
                currency => 'EUR',
                products => [{ product_id => "p-$n", name => "Mug $word",
                               price => 12.5, quantity => 1 }],
            },
            context => {
                ip => '203.0.113.9', userAgent => 'Mozilla/5.0 Firefox/140.0',
                page => { url => "https://shop.example/$word" },
                traits => { email => "p$n\@$word.example" },
                martech => { v => 1, source => 'test' },
            },
        }));

    return $id;
}


sub iso {
    my @time = gmtime $_[0];

    return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.000Z', $time[5] + 1900,
        $time[4] + 1, @time[3, 2, 1, 0];
}


sub dead {
    my ($name) = @_;
    my @dead;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        push @dead, map { my %entry = @{ $_->[1] }; $entry{id} }
            @{ $redis->call('xrange', "$tag:dead:$name", '-', '+') };
    }

    return sort @dead;
}


mkdir $folders;

# the worst that its documentation allows
$vendors->set('amplitude', first => 1);

my ($conf, %env) = conf();
my @ids = map { add($_) } 1 .. $EVENTS;
my $forwarder = $t->forwarder($conf, %env);

ok(becomes(sub {
    my $ledger = ledger($redis);

    !grep { ($ledger->{"routed:$_"} // 0) < $EVENTS || waiting($redis, $_) }
        @names;
}, 60), 'all comes to an end')
    or diag(map { "$_ waits: " . waiting($redis, $_) . "\n" } @names);

for my $name (@names) {
    my $report = $vendors->report()->{$name};
    my $ledger = ledger($redis);
    my @refused = $vendors->refuses($name)
        ? map { $ids[$_ - 1] } sort { $a <=> $b } keys %REFUSED : ();

    is_deeply($report->{violations}, {}, "$name: no limit is violated")
        or diag(Martech::Http::to_json($report));
    is($report->{unauthorized}, 0, "$name: the credentials are right");
    is_deeply([dead($name)], \@refused,
              "$name: dead letters are those it refused")
        or diag(Martech::Http::to_json($report));
    is($report->{duplicates}, 0, "$name: nothing came twice")
        unless $vendors->repeats($name);
    is(($ledger->{"done:$name"} // 0) + ($ledger->{"drop:$name"} // 0)
       + @refused, $EVENTS, "$name: nothing is lost");
    is($ledger->{"retry:$name"} // 0, $report->{later},
       "$name: no attempt is used up but by those that were put off");
    ok(ledger_holds($redis, $name), "$name: the ledger closes");
}

done_testing();
