#!/usr/bin/perl

# Each rule of each vendor's data is kept by the stand-in: for every word of it
# a bad request is made of a golden one, and must be counted as what it is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(encode_base64);
use Test::More;

use Martech::Vendor;
use Martech::VendorBad qw(bad_values clone put without);
use Martech::VendorRules qw(at holds seconds_of);

my $ROOT = "$FindBin::Bin/..";
my $JSON = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;

# what no shipped destination asks for, so there is no golden request
my %UNASKED = map { $_ => 1 } 'ga4 validate', 'salesforce record';

# rates above that are not tried one request after another
my $TRIED = 1000;


# The stand-in without a process: play() is all of it but the connections.
my $stand_in = bless { port => 1, data => {} }, 'Martech::Vendor';
my @NAMES;

for my $file (glob "$ROOT/t/vendor/*.json") {
    my ($name) = $file =~ m{([^/]+)\.json$};

    $stand_in->{data}{$name} = Martech::Vendor::load($file);
    push @NAMES, $name;
}


# ---- good requests ----

# { method, path, query, headers, whole or lines, now } of the golden ones
sub golden {
    my ($name) = @_;
    my @requests;

    for my $file (sort glob "$ROOT/destinations/$name/golden/*.json") {
        my $golden = Martech::Vendor::load($file);

        for my $request (@{ $golden->{requests} // [] },
                         map { $_->{request} } @{ $golden->{exchange} // [] })
        {
            my ($path, $query) = $request->{url}
                =~ m{^https?://[^/]+(/[^?]*)?(?:\?(.*))?$};

            push @requests, {
                method => $request->{method}, path => $path || '/',
                query => $query // '', now => seconds_of($golden->{now}),
                headers => { map { lc $_ => $request->{headers}{$_} }
                             keys %{ $request->{headers} // {} } },
                whole => $request->{body}, lines => $request->{lines},
                text => $request->{text},
            };
        }
    }

    return @requests;
}


# The bytes of a request with these records.
sub bytes_of {
    my ($endpoint, $request, $records) = @_;
    my $body;

    if ($endpoint->{lines} && $request->{lines}) {
        $body = join '', map { $JSON->encode($_) . "\n" } @$records;

    } elsif ($endpoint->{form}) {
        my $form = Martech::Vendor::query($request->{text});

        $form->{ $endpoint->{form} } = $JSON->encode(
            @$records == 1 && !$request->{listed} ? $records->[0] : $records);
        $body = join '&', map {
            "$_=" . $form->{$_} =~ s/([^A-Za-z0-9_.-])/sprintf '%%%02x',
                                                        ord $1/ger
        } sort keys %$form;

    } else {
        my $whole = clone($request->{whole});

        if ($endpoint->{single} || ($endpoint->{records} // '') eq '') {
            $whole = ref $whole eq 'ARRAY' ? $records : $records->[0];

        } else {
            put($whole, $endpoint->{records}, $records);
        }

        $body = $JSON->encode($whole);
    }

    return $body;
}


sub records_of {
    my ($endpoint, $request) = @_;

    return @{ $request->{lines} } if $request->{lines};

    my $whole = $request->{whole};

    if ($endpoint->{form}) {
        my $form = Martech::Vendor::query($request->{text} // '');

        $whole = eval { $JSON->decode($form->{ $endpoint->{form} }) };
        $request->{listed} = ref $whole eq 'ARRAY';
        return ref $whole eq 'ARRAY' ? @$whole : $whole // ();
    }

    my $list = $endpoint->{single} ? [$whole]
        : at($whole, $endpoint->{records} // '');

    return ref $list eq 'ARRAY' ? @$list : ref $list ? $list : ();
}


# What a request counts as: its violations, and how often it may not.
sub play {
    my ($name, $request, $body, %arg) = @_;
    my $state = $stand_in->state($name);
    my %headers = %{ $request->{headers} };

    $state->{now} = $arg{now} // $request->{now};
    $state->{tokens}{T} = 9e9 if !$arg{keeps_tokens};
    $headers{authorization} =~ s/^Bearer .*/Bearer T/
        if $headers{authorization} && !$arg{keeps_tokens};
    $body = Compress::Zlib::memGzip($body)
        if ($headers{'content-encoding'} // '') eq 'gzip';

    my $answer = $stand_in->play($name, $request->{method}, $request->{path},
                                 $request->{query}, \%headers, $body);

    return ($answer, $state);
}


sub fresh { delete $stand_in->{state} }


# Plays it alone; the kinds of violations, joined.
sub kinds {
    my ($name, $request, $body, %arg) = @_;

    fresh();

    my (undef, $state) = play($name, $request, $body, %arg);

    return join '; ', sort keys %{ $state->{violations} };
}


# ---- bad ones ----

for my $name (@NAMES) {
    my @golden = golden($name);
    my @endpoints = @{ $stand_in->{data}{$name}{endpoints} };

    for my $n (0 .. $#endpoints) {
        my $endpoint = $endpoints[$n];
        my @mine = grep { first_fit($_, @endpoints) == $n } @golden;
        my $title = "$name " . ($endpoint->{name} // $n);

        next if $UNASKED{$title};

        if ($endpoint->{token}) {
            subtest $title => sub { try_token($name, $endpoint) };
            next;
        }

        if (!@mine) {
            fail("$title has a golden request");
            next;
        }

        subtest $title => sub { try_endpoint($name, $endpoint, @mine) };
    }
}


sub first_fit {
    my ($request, @endpoints) = @_;

    for my $n (0 .. $#endpoints) {
        return $n if $request->{method} eq $endpoints[$n]{method}
            && $request->{path} =~ /$endpoints[$n]{path}/;
    }

    return -1;
}


sub try_token {
    my ($name, $endpoint) = @_;
    my ($path) = $endpoint->{path} =~ s/\(\?:(\w+)[^)]*\)/$1/r =~ m{^\^(.*)\$$};
    my %request = (method => 'POST', path => $path, query => '',
                   headers => {}, now => 1_795_000_000);
    my %form = (grant_type => $endpoint->{token}{grants}[0],
                refresh_token => 'refresh-1', client_id => 'a',
                client_secret => 'b');
    my $send = sub {
        my (%change) = @_;
        my %all = (%form, %change);

        return play($name, \%request,
                    join '&', map { "$_=$all{$_}" } sort keys %all);
    };

    fresh();
    is(($send->())[0]{status}, 200, 'a good one gets a token');
    is(($send->(grant_type => 'password'))[0]{status}, 400,
       'another grant does not');

    my $state = $stand_in->state($name);

    is($state->{violations}{'grant password'}, 1, 'and is counted');

    for my $field (sort keys %{ $endpoint->{token}{fields} // {} }) {
        is(($send->($field => ''))[0]{status}, 400, "nor one without $field");
    }

    return unless $endpoint->{token}{one_time};

    is(($send->())[0]{status}, 400, 'a refresh token counts once');
    is($state->{violations}{'refresh token used twice'}, 1, 'and is counted');
}


sub try_endpoint {
    my ($name, $endpoint, @golden) = @_;
    my $first = $golden[0];
    my @records = records_of($endpoint, $first);

    try_auth($name, $endpoint, $first, @records);

    return if $endpoint->{bare};

    my $body = bytes_of($endpoint, $first, \@records);

    is(kinds($name, $first, $body), '', 'a golden one is good');

    try_head($name, $endpoint, $first, $body);
    try_size($name, $endpoint, $first, @records);
    try_rates($name, $endpoint, $first, $body, scalar @records);

    for my $rule (@{ $endpoint->{body} // [] }) {
        for my $bad (bad_values($first->{whole}, $rule)) {
            like(kinds($name, $first, $JSON->encode($bad->[1])),
                 qr/^\Q${\ path_of($rule)}\E /,
                 'body: ' . path_of($rule) . ": $bad->[0]");
        }
    }

    for my $rule (@{ $endpoint->{fields} // [] }) {
        my ($request, $record) = best($endpoint, $rule, @golden);

        for my $bad (bad_values($record, $rule)) {
            like(kinds($name, $request,
                       bytes_of($endpoint, $request, [$bad->[1]])),
                 qr/^\Q$endpoint->{name}: ${\ path_of($rule)}\E /,
                 path_of($rule) . ": $bad->[0]");
        }
    }

    try_among($name, $endpoint, @golden);
    try_age($name, $endpoint, @golden);
}


sub path_of { $_[0]{at} // join '|', @{ $_[0]{any} } }


# The golden request, and its record, in which most of a rule's fields are.
sub best {
    my ($endpoint, $rule, @golden) = @_;
    my @fallback;

    for my $request (@golden) {
        for my $record (records_of($endpoint, $request)) {
            my $there = $rule->{any} || defined at($record, $rule->{at});
            my $meant = !$rule->{when} || holds($record, $rule->{when});

            return ($request, $record) if $there && $meant;

            @fallback = ($request, $record) if $meant || !@fallback;
        }
    }

    return @fallback;
}


sub try_auth {
    my ($name, $endpoint, $first, @records) = @_;
    my $auth = $endpoint->{auth} // { kind => 'none' };
    my $kind = $auth->{kind};
    my %request = (%$first, headers => { %{ $first->{headers} } });

    return if $kind eq 'none';

    if ($kind eq 'query') {
        $request{query} =~ s/(\Q$auth->{name}\E=)/$1x/;

    } elsif ($kind eq 'header') {
        $request{headers}{ lc $auth->{name} } .= 'x';

    } elsif ($kind eq 'body' && $endpoint->{form}) {
        $request{text} =~ s/(\Q$auth->{at}\E=)/$1x/;

    } elsif ($kind eq 'body') {
        $request{whole} = clone($first->{whole});
        put($request{whole}, $auth->{at}, 'x');

    } elsif ($kind eq 'record') {
        @records = map { clone($_) } @records;
        put($records[-1], $auth->{at}, 'x');

    } elsif ($kind eq 'basic') {
        $request{headers}{authorization} = 'Basic ' . encode_base64('x:y', '');

    } else {
        $request{headers}{authorization} = 'Bearer nobody';
    }

    fresh();

    my (undef, $state) = play($name, \%request, $endpoint->{bare} ? ''
                              : bytes_of($endpoint, \%request, \@records),
                              keeps_tokens => 1);

    is($state->{unauthorized}, 1, "a wrong credential ($kind) is refused");
    is($state->{taken}, 0, 'and nothing is taken');
}


sub try_head {
    my ($name, $endpoint, $first, $body) = @_;
    my $headers = $first->{headers};
    my $with = sub {
        my (%change) = @_;

        return kinds($name, { %$first, headers => { %$headers, %change } },
                     $body);
    };

    is($with->('content-type' => 'text/plain'), 'content type text/plain',
       'another content type');

    is($with->('content-encoding' => 'gzip'), 'compressed',
       'it may not be compressed') unless $endpoint->{gzip};

    for my $header (sort keys %{ $endpoint->{headers} // {} }) {
        is($with->(lc $header => ''), "header $header", "without $header");
    }

    for my $key (sort keys %{ $endpoint->{query} // {} }) {
        is(kinds($name, { %$first, query => $first->{query}
                              =~ s/(?<![^&])\Q$key\E=[^&]*/$key=/r }, $body),
           "query $key", "without $key in the query");
    }

    is(kinds($name, $first, "{$body"), 'no JSON, or no records', 'no JSON')
        unless $endpoint->{form};
}


sub try_size {
    my ($name, $endpoint, $first, @records) = @_;

    # blanks count
    is(kinds($name, $first, bytes_of($endpoint, $first, \@records)
             . ' ' x $endpoint->{bytes}), 'bytes of a request',
       "$endpoint->{bytes} bytes are the most") if $endpoint->{bytes};

    if ($endpoint->{count}) {
        my $auth = $endpoint->{auth} // {};
        my $small = {};

        # as small as can be: the bytes are looked at before
        put($small, $auth->{at}, $auth->{value})
            if ($auth->{kind} // '') eq 'record';

        my @many = map { clone($small) } 0 .. $endpoint->{count};

        is(kinds($name, { %$first, listed => 1 },
                 bytes_of($endpoint, { %$first, listed => 1 }, \@many)),
           'records of a request', "$endpoint->{count} records are the most");
    }

    if ($endpoint->{record}) {
        my $large = clone($records[0]);

        $large->{large} = 'x' x $endpoint->{record};
        is(kinds($name, $first, bytes_of($endpoint, $first, [$large])),
           "$endpoint->{name}: bytes of a record ",
           "$endpoint->{record} bytes are the most of a record");
    }
}


sub try_rates {
    my ($name, $endpoint, $first, $body, $records) = @_;
    my $data = $stand_in->{data}{$name};
    my $rates = $endpoint->{rates} // $data->{rates} // [];
    my $shared = $endpoint->{rates} ? "$endpoint->{name}/" : '';

    for my $n (0 .. $#$rates) {
        my $rate = $rates->[$n];
        my $title = "$rate->{count} $rate->{unit} in $rate->{per} s";
        my %one = (requests => 1, events => $records, bytes => length $body);
        my $most = int $rate->{count} / $one{ $rate->{unit} };
        my $state;

        fresh();
        $state = $stand_in->state($name);
        $state->{rates} = [$rate];

        # ids and persons are of no interest here
        delete local $endpoint->{person};
        local $data->{rates} = undef;

        if ($most <= $TRIED) {
            play($name, $first, $body) for 1 .. $most;

        } else {
            play($name, $first, $body);
            $state->{windows}{"${shared}0"}{sum} = $rate->{count};
        }

        is($state->{violations}{rate}, undef, "$title are the most");
        play($name, $first, $body);
        is($state->{violations}{rate}, 1, 'one more is counted');
        play($name, $first, $body, now => $first->{now} + $rate->{per} - 0.01);
        is($state->{violations}{rate}, 2, 'also at the end of the window')
            if $most <= $TRIED;
    }
}


sub try_among {
    my ($name, $endpoint, @golden) = @_;
    my ($first) = @golden;
    my ($record) = records_of($endpoint, $first);

    for my $path (@{ $endpoint->{unique} // [] }) {
        my ($request, $has) = best($endpoint, { at => $path }, @golden);

        like(kinds($name, $request, bytes_of($endpoint, $request,
                                             [$has, clone($has)])),
             qr/\Q$path\E twice/, "$path is unique");
    }

    for my $path (@{ $endpoint->{same} // [] }) {
        my $other = clone($record);

        put($other, $path, 'Other');
        like(kinds($name, $first, bytes_of($endpoint, $first,
                                           [$record, $other])),
             qr/\Q$path\E differs/, "$path is the same of all");
    }

    return unless $endpoint->{person};

    my $person = $endpoint->{person};
    my $half = int $person->{count} / 2;
    my @half = map { clone($record) } 1 .. $half;

    fresh();
    play($name, $first, bytes_of($endpoint, $first, \@half)) for 1, 2;

    local $stand_in->{data}{$name}{rates};
    my ($answer, $state) = play($name, $first,
                                bytes_of($endpoint, $first, [$record]));

    is($answer->{status}, 429, "$person->{count} are the most of a person");
    is_deeply($answer->{body}{throttled_events}, [0], 'who is named');
    is($state->{violations}{'rate of a person'}, 1, 'and it is counted');
}


sub try_age {
    my ($name, $endpoint, @golden) = @_;
    my $ages = $endpoint->{age} // return;

    for my $age (ref $ages eq 'ARRAY' ? @$ages : $ages) {
        my ($request, $record) = best($endpoint, $age, @golden);

        $record = clone($record);
        put($record, $age->{when}{at}, $age->{when}{is}) if $age->{when};

        my $body = bytes_of($endpoint, $request, [$record]);
        my $value = at($record, $age->{at});
        my $time = $age->{unit} eq 'iso' ? seconds_of($value)
            : $value / $Martech::VendorRules::SECONDS{ $age->{unit} };

        like(kinds($name, $request, $body, now => $time + $age->{max} + 60),
             qr/\Q$age->{at}\E too old/, "$age->{max} s are the oldest")
            if $age->{max};
        like(kinds($name, $request, $body,
                   now => $time - $age->{future} - 60),
             qr/\Q$age->{at}\E in the future/, 'nor is it of the future')
            if defined $age->{future};
    }
}


done_testing();
