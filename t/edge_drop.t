#!/usr/bin/perl

# martech_drop: the events of a request that a rule names are counted by their
# reason and are nowhere; their sender is told that all is well.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Example;
use Martech::Spool qw(books);
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

my $conf = <<'END';
    martech_redis   %%REDIS%%;

    map $http_user_agent $bot {
        ~*bot    1;
        ~*zero   0;
        default  '';
    }

    map $http_x_office $office {
        default  $http_x_office;
    }

    martech_drop if=$bot reason=bot;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }

        location /both/ {
            martech_drop if=$bot reason=bot;
            martech_drop if=$office reason=internal-1;
            martech_ack memory;
            martech_collect;
        }

        location /office/ {
            martech_drop if=$office reason=internal-1;
            martech_collect;
        }

        location /off/ {
            martech_drop off;
            martech_collect;
        }

        location /status {
            martech_status;
        }
    }
END

my $nginx = $t->nginx($conf);
my $port = $t->port(8080);
my %event = (event => 'e', userId => 'u');


sub status { get($port, '/status')->{json} }


# posts; returns the response, the events stored and those dropped by reason
sub stored {
    my ($path, $payload, @headers) = @_;
    my $before = status()->{dropped};

    $redis->call('flushall');

    my $r = post($port, $path, $payload, headers => \@headers);
    my $after = status()->{dropped};

    # an answer from memory is given before Redis has the event
    becomes(sub { status()->{events_waiting} == 0 }, 5);

    return ($r, $redis->count(), join ' ', map {
        my $n = $after->{$_} - ($before->{$_} // 0);
        $n ? "$_=$n" : ();
    } sort keys %$after);
}


my @BOT = ('User-Agent' => 'A Bot/1.0');
my @OFFICE = ('X-Office' => 'yes');

for (
    [ '/v1/track', [], 1, '', 'no rule holds' ],
    [ '/v1/track', \@BOT, 0, 'bot=1', 'a rule of http' ],
    [ '/v1/track', [ 'User-Agent' => 'zero' ], 1, '', '"0" is no' ],
    [ '/v1/track', \@OFFICE, 1, '', 'a rule of another location' ],
    [ '/both/v1/track', [ @BOT, @OFFICE ], 0, 'bot=1', 'the first rule counts'
      ],
    [ '/both/v1/track', \@OFFICE, 0, 'internal-1=1', 'the second rule' ],
    [ '/office/v1/track', \@BOT, 1, '', 'own rules replace those of http' ],
    [ '/off/v1/track', \@BOT, 1, '', 'off' ],
) {
    my ($path, $headers, $count, $dropped, $name) = @$_;
    my ($r, @was) = stored($path, \%event, @$headers);

    is($r->{status}, 200, "$name: 200");
    is($r->{body}, '{"success":true}', "$name: as always");
    is_deeply(\@was, [ $count, $dropped ], "$name: stored, dropped");
}

my ($r, @was) = stored('/v1/batch', { batch => [ { %event, type => 'track' },
    { type => 'track', userId => 'u' }, { %event, type => 'track' } ] }, @BOT);

is($r->{status}, 200, 'a batch of a bot');
is($r->{json}{accepted}, 2, 'the sound ones count as taken');
is($r->{json}{rejected}[0]{index}, 1, 'the broken one is told');
is_deeply(\@was, [ 0, 'bot=2' ], 'nothing is stored');

($r, @was) = stored('/v1/track', '{', @BOT);
is($r->{status}, 400, 'a body that is no JSON is refused');
is_deeply(\@was, [ 0, '' ], '... and drops nothing');

my $metrics = get($port, '/status?format=prometheus')->{body};

like($metrics, qr/^martech_events_dropped_total\{reason="bot"\} 4$/m,
     'metric of a reason');
like($metrics, qr/^martech_events_dropped_total\{reason="internal-1"\} 1$/m,
     'metric of another');
is(books(status()), '', 'the books close');


# ---- a reload: numbers stay with their names ----

$conf =~ s/(?<=martech_drop )if=\$bot reason=bot;/if=\$office reason=new;/;
$nginx->write_conf($t->fill($conf));
$nginx->reload();

ok(becomes(sub { (stored('/v1/track', \%event, @OFFICE))[2] eq 'new=1' }, 10),
   'a new reason after a reload');
is(status()->{dropped}{bot}, 4, 'the former one keeps its number');
is(books(status()), '', 'the books close after it');


# ---- the directive ----

my $SERVER = 'martech_redis %%%%REDIS%%%%; server { listen 127.0.0.1:8081; '
    . 'location / { martech_collect; %s } }';

my $checked = $t->nginx('', run => 0);

$t->expect(qr/\[emerg\]/);

for (
    [ 'martech_drop if=$arg_a reason=Bot;', qr/"Bot", a reason has 1 to 32/ ],
    [ 'martech_drop if=$arg_a reason=' . 'a' x 33 . ';',
      qr/a reason has 1 to/ ],
    [ 'martech_drop if=1 reason=a;', qr/"if=1", it needs a variable/ ],
    [ 'martech_drop if=$none_such reason=a;', qr/unknown "none_such"/ ],
    [ 'martech_drop if=$arg_a;', qr/needs if= and reason=/ ],
    [ 'martech_drop when=$arg_a reason=a;', qr/"when=\$arg_a", it must be/ ],
    [ 'martech_drop off; martech_drop if=$arg_a reason=a;', qr/is "off" on/ ],
    [ 'martech_drop if=$arg_a reason=a; martech_drop off;', qr/has "off" bes/ ],
    [ join(' ', map { "martech_drop if=\$arg_a reason=r$_;" } 1 .. 17),
      qr/"r17", there can be 16 different reasons/ ],
) {
    my ($lines, $says) = @$_;
    my ($accepted, $output) =
        $checked->test_conf($t->fill(sprintf $SERVER, $lines));

    ok(!$accepted, "refused: $lines");
    like($output, $says, "the message of: $lines");
}



# ---- lua-free-conf/bots.conf, privacy.conf ----

$nginx->stop();

my $tcp = $t->redis(port => $t->port(6379));
my $example = example($t, 'privacy.conf',
    files => { 'redact.key' => "0123456789abcdef\n",
               'bots.conf' => Martech::Nginx::slurp($t->root()
                                         . '/lua-free-conf/bots.conf') });

my $BROWSER = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 '
    . '(KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36';

for (
    [ '', 'User-Agent' => $BROWSER ],
    [ '', 'User-Agent' => '' ],
    [ '', 'User-Agent' => 'Mozilla/5.0 (Linux; Android 9; CUBOT X30) Mobile' ],
    [ '', 'User-Agent' => 'MyShop/3.1 (iPhone; iOS 17.4)' ],
    [ '', 'User-Agent' => 'okhttp/4.12.0' ],
    [ '', 'User-Agent' => $BROWSER, 'Sec-Purpose' => 'none' ],
    [ 'bot', 'User-Agent' => 'Mozilla/5.0 (compatible; Somebot/2.1; +http://a/)'
    ],
    [ 'bot', 'User-Agent' => 'facebookexternalhit/1.1' ],
    [ 'bot', 'User-Agent' => 'Mediapartners-Google' ],
    [ 'bot', 'User-Agent' => 'Mozilla/5.0 HeadlessChrome/126.0.0.0' ],
    [ 'bot', 'User-Agent' => 'Mozilla/5.0; compatible; ChatGPT-User/1.0' ],
    [ 'bot', 'User-Agent' => 'Mozilla/5.0 Chrome-Lighthouse' ],
    [ 'bot', 'User-Agent' => 'WhatsApp/2.23 A' ],
    [ 'tool', 'User-Agent' => 'curl/8.5.0' ],
    [ 'tool', 'User-Agent' => 'python-requests/2.31' ],
    [ 'monitor', 'User-Agent' => 'kube-probe/1.29' ],
    [ 'monitor', 'User-Agent' => 'Amazon-Route53-Health-Check-Service' ],
    [ 'prefetch', 'User-Agent' => $BROWSER, 'Sec-Purpose' => 'prefetch' ],
    [ 'prefetch', 'User-Agent' => $BROWSER, Purpose => 'prefetch' ],
) {
    my ($reason, @headers) = @$_;
    my $before = status()->{dropped};
    my $r = post($t->port(8080), '/collect/v1/track', \%event,
                 key => 'privacy', headers => \@headers);
    my $after = status()->{dropped};

    is($r->{status}, 200, "example: $headers[1]");
    is(join(' ', grep { $after->{$_} > $before->{$_} } sort keys %$after),
       $reason, "example: $headers[1]: " . ($reason || 'stored'));
}

is($tcp->count(), 6, 'the example stores what is left');

post($t->port(8080), '/collect/v1/identify', { userId => 'u', traits =>
     { email => 'ann@example.org', birthday => '1990-01-01', cvv => 123,
       note => 'I am cust-123456' } }, key => 'privacy');

my ($identify) = grep { $_->{event}{type} eq 'identify' } $tcp->events();
my $traits = $identify->{event}{traits};

like($traits->{email}, qr/^[0-9a-f]{32}$/, 'the example hashes by pointer');
ok(!exists $traits->{$_}, "the example drops $_") for qw(birthday cvv);
unlike($traits->{note}, qr/123456/, 'the example hashes what it finds');
is($identify->{event}{context}{ip}, '127.0.0.0', 'the example masks addresses');

$t->done();
