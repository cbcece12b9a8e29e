#!/usr/bin/perl

# The stand-in of the vendors: what the golden requests ask for is within
# their limits; what is not is refused and counted; answers have the vendor's
# shape; and it is fast enough to stand for all of them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(encode_base64);
use Test::More;

use Martech::Http qw(http);
use Martech::Vendor;
use Martech::VendorRules qw(seconds_of);

my $ROOT = "$FindBin::Bin/..";

# events a second that thirteen destinations of 500 send
my $WANTED = 13 * 500;

my $JSON = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my $any = 0;
my $vendors = Martech::Vendor->new(dir => "$ROOT/t/vendor");


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;

    return scalar <$fh>;
}


sub data { $JSON->decode(slurp("$ROOT/t/vendor/$_[0].json")) }


# A golden request at the stand-in.
sub request {
    my ($name, $golden, %change) = @_;
    my %request = (%$golden, %change);
    my ($path) = $request{url} =~ m{^https?://[^/]+(/.*)?$};
    my %headers = %{ $request{headers} };

    # "*" in a golden one is whatever the program makes
    s/^\*$/'any-' . $any++/e for values %headers;

    my $type = delete $headers{'Content-Type'};
    my $body = $request{lines}
        ? join '', map { $JSON->encode($_) . "\n" } @{ $request{lines} }
        : exists $request{body} ? $JSON->encode($request{body})
        : $request{text};

    $body = Compress::Zlib::memGzip($body)
        if ($headers{'Content-Encoding'} // '') eq 'gzip';

    my $answer = http($vendors->{port}, $request{method},
                      "/$name" . ($path // '/'), type => $type,
                      headers => [%headers], body => $body);

    $answer->{json} = eval { $JSON->decode($answer->{body}) };

    return $answer;
}


sub requests_of {
    my ($name) = @_;
    my @requests;

    for my $file (sort glob "$ROOT/destinations/$name/golden/*.json") {
        my $golden = $JSON->decode(slurp($file));

        my ($base) = $file =~ m{([^/]+)\.json$};

        push @requests,
            map { { %$_, now => $golden->{now}, file => $base } }
            @{ $golden->{requests} // [] },
            map { $_->{request} } @{ $golden->{exchange} // [] };
    }

    return grep { $_->{method} } @requests;
}


sub report { $vendors->report()->{ $_[0] } }


# ---- the golden requests are within the limits ----

for my $name ($vendors->vendors()) {
    my @requests = requests_of($name);

  SKIP: {
        skip "$name has no golden requests", 1 unless @requests;

        my %statuses;

        # a token server gives tokens of its own, here the golden ones count
        my $tokens = grep { ($_->{headers}{Authorization} // '') =~ /^Bearer/ }
            @requests;

        for my $request (@requests) {
            # each is one of its own moment
            $vendors->set($name, now => seconds_of($request->{now}),
                          fresh => 1);

            my $status = request($name, $request)->{status};

            push @{ $statuses{$status} }, $request->{file};
        }

        my $report = report($name);

        is_deeply($report->{violations}, {},
                  "$name: the golden requests keep to its limits")
            or diag($JSON->pretty->encode([$report, \%statuses]));
        cmp_ok($report->{unauthorized}, '==', 0,
               "$name: and have its credentials")
            or diag($JSON->pretty->encode(\%statuses)) unless $tokens;
    }
}


# ---- limits ----

$vendors->reset();


# a batch of n copies of a record with ids of their own
sub batch {
    my ($name, $count, %member) = @_;
    my %frame = (
        amplitude => sub { { api_key => '0123456789abcdef0123456789abcdef',
                             events => $_[0] } },
        segment => sub { { batch => $_[0], sentAt => '2026-11-20T19:36:05Z' } },
        customerio => sub { { batch => $_[0] } },
        posthog => sub { { api_key => 'phc_0123456789abcdef',
                           batch => $_[0] } },
    );
    my %record = (
        amplitude => sub { { user_id => 'user-1', event_type => 'e',
                             insert_id => "i$_[0]" } },
        segment => sub { { type => 'track', event => 'e', userId => 'u',
                           messageId => "i$_[0]" } },
        customerio => sub { { type => 'person', action => 'event', name => 'e',
                              identifiers => { id => 'u' }, id => "i$_[0]" } },
        posthog => sub { { event => 'e', distinct_id => 'u',
            uuid => sprintf '00000000-0000-5000-8000-%012x', $_[0] } },
    );
    my ($golden) = requests_of($name);

    return request($name, $golden, body => $frame{$name}->(
        [map { { %{ $record{$name}->($_) }, %member } } 1 .. $count]));
}


is(batch('amplitude', 1999)->{status}, 429,
   'more events than a second has: throttled');
is(report('amplitude')->{violations}{rate}, 1, 'and counted');
is(batch('amplitude', 2000)->{status}, 413, '2,000 events are too many');
is(batch('amplitude', 3, event_properties => { a => 'x' x 400_000 })->{status},
   413, 'a megabyte is too much');
is_deeply(batch('amplitude', 2, time => '2026-11-20')
          ->{json}{events_with_invalid_fields}{event_properties}, [0, 1],
          'positions are named');
is(batch('segment', 1, properties => { a => 'x' x 33_000 })->{status}, 200,
   'an event of 33 KB is thrown away without a word');
is_deeply(report('segment')->{violations},
          { 'batch: bytes of a record ' => 1 }, 'but counted');
is(batch('segment', 2501)->{status}, 400, '2,501 events are too many');

my $partial = batch('customerio', 3, timestamp => 1795203360123);

is($partial->{status}, 207, 'milliseconds are no seconds');
is_deeply([map { $_->{batch_index} } @{ $partial->{json}{errors} }],
          [0, 1, 2], 'each is named');

is(request('customerio', (requests_of('customerio'))[0],
           headers => { 'Content-Type' => 'application/json',
                        Authorization => 'Basic eDp5' })->{status},
   401, 'a wrong key is refused');
is(request('posthog', (requests_of('posthog'))[0], url => 'https://x/nowhere')
   ->{status}, 404, 'a wrong path is refused');


# ---- refused by request ----

$vendors->reset();

{
    my $answer = batch('customerio', 2, name => 'vendor-reject');

    is($answer->{status}, 207, 'a record may be refused by its text');
    is_deeply(report('customerio')->{violations}, {}, 'which is no violation');
    is(report('customerio')->{refused}, 2, 'and is counted');

    is_deeply($vendors->ids('customerio')->{refused}, { i1 => 1, i2 => 1 },
              'by name');
}

$vendors->set('posthog', answers => [{ status => 503, body => 'x' }]);
is(batch('posthog', 1)->{status}, 503, 'answers may be forced');
is(batch('posthog', 1)->{status}, 200, 'as many as were given');


# ---- out of order, by a plan ----

{
    my %all = (throttled => 0.25, error => 0.25, cut => 0.25, lost => 0.25);
    my @runs = map {
        $vendors->reset();
        $vendors->set('segment', faults => { %all, seed => $_,
            retry_after => 7, most => { map { $_ => 2 } keys %all } });
        [map { batch('segment', 1) } 1 .. 40];
    } 1, 1, 2;
    my @statuses = map { join ' ', map { $_->{status} } @$_ } @runs;
    my $report = report('segment');

    is($statuses[0], $statuses[1], 'the same seed, the same plan');
    isnt($statuses[0], $statuses[2], 'another one has another');
    is_deeply($report->{faulty}, { map { $_ => 2 } keys %all },
              'each kind comes as often as it may');
    is((grep { $_->{status} == 0 } @{ $runs[2] }), 4,
       'connections are cut, before and after');
    is((grep { $_->{status} >= 500 } @{ $runs[2] }), 2, 'servers fail');

    my ($throttled) = grep { $_->{status} == 429 } @{ $runs[2] };

    is($throttled->{headers}{'retry-after'}, 7, 'it says how long to wait');
    is_deeply($report->{violations}, {}, 'none of this is a violation');

    # 40 of one id, 6 of them came to nothing
    is($vendors->ids('segment')->{accepted}{i1}, 34, 'lost ones were taken');
    is($report->{duplicates}, 31, 'and two repetitions are its own fault');
}


# ---- of which events records are; inserts that are known ----

$vendors->reset();
$vendors->set('segment', mark => 'load-(\d+)-');
batch('segment', 3, event => 'load-17-vendor-plain');
batch('segment', 1, event => 'load-4-vendor-plain');
is_deeply($vendors->ids('segment')->{marks},
          { accepted => { 17 => 3, 4 => 1 }, refused => {} },
          'events are known by what stands in the texts');

{
    my ($insert) = grep { $_->{url} =~ /token=/ } requests_of('clickhouse');

    request('clickhouse', $insert) for 1, 2;
    is(report('clickhouse')->{duplicates}, 0, 'a token counts once');
    request('clickhouse', $insert,
            url => $insert->{url} =~ s/(token=)/${1}other/r);
    cmp_ok(report('clickhouse')->{duplicates}, '>', 0, 'another one again');
}


# ---- who names one at a time, and who names persons ----

$vendors->reset();
$vendors->set('amplitude', first => 1);
is_deeply(batch('amplitude', 5, event_type => 'vendor-reject')
          ->{json}{events_with_invalid_fields}{event_properties}, [0],
          'only the first one is named');
is(report('amplitude')->{refused}, 5, 'though all are refused');
$vendors->set('amplitude', fresh => 1);
batch('amplitude', 450) for 1, 2;

{
    my $slow = batch('amplitude', 2);

    is($slow->{status}, 429, 'a person has so many events');
    is_deeply($slow->{json}{throttled_events}, [0, 1], 'its events are named');
}


# ---- tokens ----

sub token {
    my ($path, $text) = @_;

    return request($_[2] // 'hubspot', {
        method => 'POST', url => "https://x$path", text => $text,
        headers => { 'Content-Type' => 'application/x-www-form-urlencoded' } });
}

my $form = 'grant_type=refresh_token&client_id=a&client_secret=b'
    . '&refresh_token=refresh-';
my $first = token('/oauth/v3/token', $form . 1);

is($first->{status}, 200, 'a refresh token gives a token');
is($first->{json}{refresh_token}, 'refresh-2', 'and the next refresh token');
is(token('/oauth/v3/token', $form . 1)->{status}, 400, 'it counts once');
is(report('hubspot')->{refreshes}, 1, 'refreshes are counted');

my %upsert = (
    method => 'POST', url => 'https://x/crm/v3/objects/contacts/batch/upsert',
    headers => { 'Content-Type' => 'application/json',
                 Authorization => "Bearer $first->{json}{access_token}" },
    body => { inputs => [{ id => 'a@b.c', idProperty => 'email',
                           objectWriteTraceId => 't1',
                           properties => { email => 'a@b.c' } }] });

is(request('hubspot', \%upsert)->{status}, 200, 'the token is taken');
$upsert{body}{inputs}[0]{properties}{firstname} = 'vendor-later';
is(request('hubspot', \%upsert)->{status}, 207, 'a record may be put off');
is(request('hubspot', \%upsert)->{status}, 200, 'once');
is_deeply($vendors->ids('hubspot')->{accepted}, { t1 => 2 }, 'then taken');
$vendors->set('hubspot', revoke => 1);
is(request('hubspot', \%upsert)->{status}, 401, 'until it is revoked');

my $org = token('/services/oauth2/token', 'grant_type=client_credentials'
                . '&client_id=a&client_secret=b', 'salesforce');

like($org->{json}{instance_url}, qr{^http://127\.0\.0\.1:\d+/salesforce$},
     'an instance has an address of its own');


# ---- speed ----

$vendors->reset();

# CPU time of a process, in seconds; clock ticks are hundredths
sub cpu {
    my ($process) = @_;
    my (undef, @fields) = split /\) |\s/, slurp('/proc/' . $process->pid()
                                                 . '/stat');

    return ($fields[12] + $fields[13]) / 100;
}


{
    my $before = cpu($vendors->{process});
    my $count = 0;

    while (cpu($vendors->{process}) - $before < 0.5) {
        batch('posthog', 500, properties => { note => 'x' x 700 });
        $count += 500;
    }

    my $rate = int $count / (cpu($vendors->{process}) - $before);

    diag("$rate events per second of CPU time");
    cmp_ok($rate, '>', $WANTED, 'it can stand for thirteen vendors at once');
}

done_testing();
