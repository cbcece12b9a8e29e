package Martech::Vendor;

# The vendors, as far as their published limits and answers go: one server
# that plays those of t/vendor/NAME.json under /NAME, enforces what the data
# say, counts what is violated, and tells it under /_vendor:
#
#     GET  /_vendor/report          { NAME: {...} }, see report() below
#     GET  /_vendor/ids/NAME        { accepted: {id: times}, refused: {...},
#                                     marks: { accepted, refused } }
#     GET  /_vendor/kept/NAME       what it holds, see kept() below
#     POST /_vendor/set/NAME        { answers: [{status, headers, body, path}],
#                                     delay, life (of tokens), revoke, now,
#                                     forget: [kind, key],
#                                     fresh (windows), mark, rates,
#                                     first (only one refusal is named),
#                                     faults, see plan_fault() }
#     POST /_vendor/reset           forgets all of it
#
# A record whose text contains "vendor-reject" is refused in the vendor's own
# way though nothing is wrong with it; "vendor-later" the first time only.  With
# a mark, a pattern with one group, it is also noted of which events records
# are: what that finds in their texts, for a vendor has ids of its own, or none.

use strict;
use warnings;

use parent -norequire, 'Martech::Receiver';

use Compress::Zlib ();
use Cpanel::JSON::XS ();
use MIME::Base64 qw(decode_base64);
use Time::HiRes qw(time);

use Martech::Http qw(http);
use Martech::Receiver;
use Martech::VendorRules qw(at broken fill holds too_old);


my $SAMPLES = 20;

# seconds between two looks at the connections
my $LOOK = 0.02;

my $JSON = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my $FAST = Cpanel::JSON::XS->new->utf8->allow_nonref;


# dir => folder of the data; vendors => [names], default all of it
sub new {
    my ($class, %arg) = @_;
    my %data;

    for my $file (glob "$arg{dir}/*.json") {
        my ($name) = $file =~ m{([^/]+)\.json$};

        next if $arg{vendors} && !grep { $_ eq $name } @{ $arg{vendors} };
        $data{$name} = load($file);
    }

    return $class->SUPER::new(%arg, file => '/dev/null', data => \%data);
}


sub load {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;

    return eval { $JSON->decode(scalar <$fh>) } // die "$file: $@";
}


sub vendors { sort keys %{ $_[0]{data} } }

# 1 if the vendor says that it refuses a record
sub refuses { $_[0]{data}{ $_[1] }{refuses} // 1 }
sub repeats { $_[0]{data}{ $_[1] }{repeats} // 0 }
sub base { "http://127.0.0.1:$_[0]{port}/$_[1]" }


# ---- for the test ----

sub report { $_[0]->ask('GET', '/_vendor/report') }
sub ids { $_[0]->ask('GET', "/_vendor/ids/$_[1]") }
sub kept { $_[0]->ask('GET', "/_vendor/kept/$_[1]") }
sub set { $_[0]->ask('POST', "/_vendor/set/$_[1]", { @_[2 .. $#_] }) }
sub reset { $_[0]->ask('POST', '/_vendor/reset', {}) }


sub ask {
    my ($self, $method, $path, $payload) = @_;
    my $answer = http($self->{port}, $method, $path,
                      $payload ? (type => 'application/json',
                                  body => $JSON->encode($payload)) : ());

    die "the stand-in answers $answer->{status} to $path\n"
        unless $answer->{status} == 200;

    return $JSON->decode($answer->{body});
}


# Settings for a destination, as YAML, and the environment with its secrets.
sub settings {
    my ($self, $name, $columns) = @_;
    my $data = $self->{data}{$name};
    my $base = $self->base($name);
    my ($yaml, %env) = ('');

    for my $key (sort keys %{ $data->{settings} }) {
        my $value = $data->{settings}{$key} =~ s/\{base\}/$base/r;

        if (grep { $_ eq $key } @{ $data->{secrets} }) {
            $env{ uc "${name}_$key" } = $value;
            $value = 'env:' . uc "${name}_$key";
        }

        $yaml .= ' ' x $columns . "$key: '$value'\n";
    }

    return ($yaml, %env);
}


# A copy of a destination's folder that sends to this server: where the data
# say which addresses stand for the vendor, and without its list of hosts.
sub folder {
    my ($self, $name, $from, $to) = @_;
    my $base = $self->base($name);

    mkdir "$to/$name";

    for my $file (glob "$from/$name/*.*") {
        my ($base_name) = $file =~ m{([^/]+)$};

        open my $in, '<', $file or die "$file: $!\n";
        open my $out, '>', "$to/$name/$base_name" or die "$to/$name: $!\n";
        my $text = do { local $/; <$in> };

        if ($base_name eq 'destination.yaml') {
            $text =~ s/\Q$_\E/$base/g for @{ $self->{data}{$name}{addresses} };
            $text =~ s/^hosts:.*\n(?:  +- .*\n)*//m;
        }

        print $out $text;
        close $out;
    }
}


# ---- the server process ----

sub take_request {
    my ($self, $fh, $line, $headers, $body) = @_;
    my ($method, $target) = split / /, $line;
    my $answer = $target =~ m{^/_vendor/(\w+)(?:/([\w-]+))?$}
        ? $self->control($1, $2, $body)
        : $target =~ m{^/([\w-]+)(/[^?]*)(?:\?(.*))?$} && $self->{data}{$1}
            ? $self->play($1, $method, $2, $3 // '', $headers, $body)
            : { status => 404, body => 'no such vendor' };
    my $text = $answer->{body} // '';

    push @{ $self->{later} }, {
        fh => $fh, status => $answer->{status},
        at => time() + ($answer->{delay} // 0),
        body => ref $text ? $FAST->encode($text) : $text,
        headers => [%{ $answer->{headers} // {} }], cut => $answer->{cut},
    };
}


sub control {
    my ($self, $what, $name, $body) = @_;
    my $given = length $body ? eval { $JSON->decode($body) } // {} : {};

    if ($what eq 'report') {
        return { status => 200, body => { map { $_ => $self->told($_) }
                                          $self->vendors() } };
    }

    if ($what eq 'reset') {
        delete $self->{state};

    } elsif ($what eq 'ids') {
        my $state = $self->state($name);

        return { status => 200, body => { accepted => $state->{accepted},
                                          refused => $state->{refused},
                                          marks => $state->{marks} } };

    } elsif ($what eq 'kept') {
        my $state = $self->state($name);

        return { status => 200, body => { map { $_ => $state->{$_} }
                 qw(objects times links calls unknown log request_ids) } };

    } elsif ($what eq 'set') {
        my $state = $self->state($name);

        if (my ($kind, $key) = @{ $given->{forget} // [] }) {
            my $id = delete $state->{objects}{$kind}{$key};

            delete $state->{known}{"$kind/$id"};
        }

        $state->{$_} = $given->{$_} for grep { exists $given->{$_} }
            qw(answers delay life now mark first rates faults);
        $state->{tokens} = {} if $given->{revoke};
        @$state{qw(windows persons)} = ({}, {}) if $given->{fresh};
        $state->{chance} = $given->{faults}{seed} // 1 if $given->{faults};
    }

    return { status => 200, body => {} };
}


sub state {
    my ($self, $name) = @_;

    return $self->{state}{$name} //= {
        requests => 0, records => 0, taken => 0, violations => {},
        samples => [], statuses => {}, accepted => {}, refused => {},
        later => {}, windows => {}, persons => {}, answers => [],
        tokens => {}, serial => 0, refresh => 1, unauthorized => 0,
        refreshes => 0, once => {}, faulty => {}, excused => {},
        marks => { accepted => {}, refused => {} },
        objects => {}, known => {}, times => {}, links => {}, calls => {},
        unknown => 0, log => [], request_ids => {},
    };
}


# kept(): objects { kind: { key: id } }; times { "kind key": written };
# links { "kind/id kind/id": times }; calls { endpoint: requests }; unknown:
# requests with an id that is not kept; log: the names of all that was
# written, in their order; request_ids { id: { path: times } }
#
# report(): requests; records; taken; distinct, duplicates (of the ids taken;
# not those whose answer was lost on the way); refused (records, in the vendor's
# way), later (put off); violations by kind, and samples of them; statuses;
# unauthorized; refreshes (of tokens); faulty (faults by kind)
sub told {
    my ($self, $name) = @_;
    my $state = $self->state($name);
    my ($accepted, $excused) = @$state{qw(accepted excused)};
    my $duplicates = 0;

    for my $id (grep { $accepted->{$_} > 1 } keys %$accepted) {
        my $more = $accepted->{$id} - 1 - ($excused->{$id} // 0);

        $duplicates += $more if $more > 0;
    }

    return {
        (map { $_ => $state->{$_} } qw(requests records taken violations
            samples statuses unauthorized refreshes faulty)),
        distinct => scalar keys %$accepted, duplicates => $duplicates,
        refused => scalar keys %{ $state->{refused} },
        later => scalar keys %{ $state->{later} },
    };
}


# Asked before each look at the connections.  What is found by the next one has
# come after this one at the earliest.
sub pause {
    my ($self) = @_;
    my $pause = $self->SUPER::pause();

    @$self{qw(before here)} = ($self->{here}, time());

    return defined $pause && $pause < $LOOK ? $pause : $LOOK;
}


# One request to a vendor.
sub play {
    my ($self, $name, $method, $path, $query, $headers, $body) = @_;
    my $state = $self->state($name);
    my $call = { name => $name, path => $path, headers => $headers,
                 query => query($query), now => $state->{now} // time(),
                 since => $state->{now} // $self->{before} // time(),
                 base => $self->base($name), state => $state };
    my $answer = eval { $self->judge($call, $method, $body) }
        // { status => 500, body => "the stand-in fails: $@" };

    $self->violation($call, "stand-in: $@") if $@;
    $state->{requests}++;
    $state->{statuses}{ $answer->{status} }++;

    return { delay => $state->{delay}, %$answer };
}


sub query {
    my ($text) = @_;
    my %query;

    for my $pair (split /&/, $text) {
        my ($name, $value) = map { s/\+/ /gr =~ s/%(..)/chr hex $1/ger }
            split /=/, $pair, 2;

        $query{$name} = $value // '';
    }

    return \%query;
}


sub judge {
    my ($self, $call, $method, $body) = @_;
    my $state = $call->{state};

    for my $endpoint (@{ $self->{data}{ $call->{name} }{endpoints} }) {
        next unless $method eq $endpoint->{method}
            && $call->{path} =~ /$endpoint->{path}/;

        return $self->give_token($call, $endpoint, $body)
            if $endpoint->{token};

        # what the pattern has found: kinds and ids of what is kept
        $call->{found} = [$call->{path} =~ /$endpoint->{path}/];
        $call->{endpoint} = $endpoint;
        $state->{calls}{ $endpoint->{name} }++;
        $self->told_twice($call);

        my $forced = $self->forced($call);

        return $forced if $forced;

        return $self->fault($call, $body) // $self->judge_request($call, $body);
    }

    $self->violation($call, "unknown endpoint $method $call->{path}");

    return { status => 404, body => 'not found' };
}


# "request_id": the header by which the vendor knows a request again
sub told_twice {
    my ($self, $call) = @_;
    my $header = $self->{data}{ $call->{name} }{request_id} // return;
    my $id = $call->{headers}{$header} // return;

    $call->{state}{request_ids}{$id}{ $call->{path} }++;
}


# the first of the answers that a test wants for this address
sub forced {
    my ($self, $call) = @_;
    my $answers = $call->{state}{answers};

    for my $n (0 .. $#$answers) {
        next if defined $answers->[$n]{path}
            && $call->{path} !~ /$answers->[$n]{path}/;
        return splice @$answers, $n, 1;
    }

    return undef;
}


# ---- faults ----

# What happens to one request in so many: faults => { seed, throttled, error,
# cut (the connection, before anything was read), lost (the answer, after all
# was done), retry_after (s), most => { kind => times } }.  The seed decides
# which requests these are.
sub plan_fault {
    my ($state) = @_;
    my $plan = $state->{faults} // return '';

    # any generator of our own: rand() is everybody's
    $state->{chance} = ($state->{chance} * 1103515245 + 12345) % 2 ** 31;

    my $chance = $state->{chance} / 2 ** 31;

    for my $kind (qw(throttled error cut lost)) {
        my $most = $plan->{most}{$kind};

        next if defined $most && ($state->{faulty}{$kind} // 0) >= $most;

        $chance -= $plan->{$kind} // 0;
        return $kind if $chance < 0;
    }

    return '';
}


# the answer of a request that something happens to, else undef
sub fault {
    my ($self, $call, $body) = @_;
    my $state = $call->{state};
    my $kind = plan_fault($state) || return undef;

    $state->{faulty}{$kind}++;

    return { cut => 1, status => 0 } if $kind eq 'cut';

    if ($kind eq 'throttled') {
        my $answer = $self->answer($call, 'throttled', 429);
        my $wait = $state->{faults}{retry_after};

        $answer->{headers}{'Retry-After'} = $wait if defined $wait;

        return $answer;
    }

    if ($kind eq 'error') {
        my @errors = (
            { status => 500, body => '' },
            { status => 502, body => '<html><body>Bad Gateway</body></html>',
              headers => { 'Content-Type' => 'text/html' } },
            { status => 503, body => 'Service Unavailable' });

        return $errors[$state->{faulty}{$kind} % @errors];
    }

    $call->{lost} = 1;

    return { %{ $self->judge_request($call, $body) }, cut => 1 };
}


sub violation {
    my ($self, $call, $kind, $text) = @_;
    my $state = $call->{state};

    $state->{violations}{$kind}++;
    push @{ $state->{samples} }, { kind => $kind, text => substr $text // '',
                                   0, 500 }
        if @{ $state->{samples} } < $SAMPLES;
}


# an answer of the data, or the plain one
sub answer {
    my ($self, $call, $word, $status, %about) = @_;
    my $given = $call->{endpoint}{answers}{$word}
        // $self->{data}{ $call->{name} }{answers}{$word}
        // { status => $status, body => '' };
    my $about = { now => int($call->{now}), now_ms => int($call->{now} * 1000),
                  base => $call->{base}, records => [],
                  requests => $call->{state}{requests} + 1, %about };

    return { status => $given->{status},
             headers => fill($given->{headers} // {}, $about),
             body => fill($given->{body} // '', $about) };
}


# a limit of the request was not kept
sub refuse {
    my ($self, $call, $kind, $word, $status) = @_;

    $self->violation($call, $kind);

    return $self->answer($call, $word, $status);
}


sub judge_request {
    my ($self, $call, $body) = @_;
    my ($endpoint, $headers) = @$call{qw(endpoint headers)};

    return $self->judge_bare($call) if $endpoint->{bare};

    my $type = $headers->{'content-type'} // '';

    if (($headers->{'content-encoding'} // '') eq 'gzip') {
        return $self->refuse($call, 'compressed', 'invalid', 400)
            unless $endpoint->{gzip};

        $body = Compress::Zlib::memGunzip($body);
        return $self->refuse($call, 'no gzip', 'invalid', 400)
            unless defined $body;
    }

    return $self->refuse($call, "content type $type", 'invalid', 400)
        if $type !~ m{^\Q$endpoint->{type}\E(?:;|$)};

    for my $name (keys %{ $endpoint->{headers} // {} }) {
        return $self->refuse($call, "header $name", 'invalid', 400)
            unless ($headers->{ lc $name } // '')
                =~ /$endpoint->{headers}{$name}/;
    }

    for my $name (keys %{ $endpoint->{query} // {} }) {
        return $self->refuse($call, "query $name", 'invalid', 400)
            unless ($call->{query}{$name} // '')
                =~ /$endpoint->{query}{$name}/;
    }

    return $self->refuse($call, 'bytes of a request', 'too_large', 413)
        if $endpoint->{bytes} && length $body > $endpoint->{bytes};

    # lines that are no JSON are refused as records are
    my ($whole, $records, $texts) = $self->open_body($call, $body);

    return $self->refuse($call, 'no JSON, or no records', 'invalid', 400)
        unless $records;

    if (!$self->authorized($call, $whole, $records)) {
        $call->{state}{unauthorized}++;
        return $self->answer($call, 'unauthorized', 401);
    }

    return $self->refuse($call, 'no records', 'invalid', 400) unless @$records;
    return $self->refuse($call, 'records of a request', 'too_many', 413)
        if $endpoint->{count} && @$records > $endpoint->{count};

    my ($field, $wrong) = broken($whole, $endpoint->{body} // []);

    return $self->refuse($call, "$field $wrong", 'invalid', 400)
        if defined $field;
    return $self->refuse($call, 'rate', 'throttled', 429)
        unless $self->within_rates($call, $records, length $body);

    return $self->answer($call, 'ok', 200, count => scalar @$records,
                         accepted => scalar @$records)
        if $endpoint->{once} && $self->seen_before($call);

    my $slow = $endpoint->{person} && $self->slow_down($call, $records);

    return $slow if $slow;
    return $self->judge_records($call, $records, $texts);
}


# once => name of a header or parameter: what had that value is not taken twice
sub seen_before {
    my ($self, $call) = @_;
    my $once = $call->{endpoint}{once};
    my $value = $call->{headers}{$once} // $call->{query}{$once} // return 0;

    return 1 if $call->{state}{once}{$value};

    $call->{once} = $value;

    return 0;
}


# person => { at, count, per }: so many records of one person in a window, the
# others are named and nothing of the request is taken
sub slow_down {
    my ($self, $call, $records) = @_;
    my $person = $call->{endpoint}{person};
    my $persons = $call->{state}{persons};
    my (@about, %now, $slow);

    for my $n (0 .. $#$records) {
        my ($who) = grep { defined } map { at($records->[$n], $_) }
            @{ $person->{at} };
        my $list = $persons->{ $who // '' } //= [];

        shift @$list
            while @$list && $list->[0] <= $call->{now} - $person->{per};

        my $ok = @$list + $now{ $who // '' }++ < $person->{count};

        $slow = 1 unless $ok;
        push @about, { index => $n, state => $ok ? 'ok' : 'slow',
                       id => $who };
    }

    if ($slow) {
        $self->violation($call, 'rate of a person');
        return $self->answer($call, 'slow', 429, records => \@about);
    }

    push @{ $persons->{$_} }, ($call->{now}) x $now{$_} for keys %now;

    return undef;
}


# a request that says all in its address
sub judge_bare {
    my ($self, $call) = @_;

    if (!$self->authorized($call, undef, [])) {
        $call->{state}{unauthorized}++;
        return $self->answer($call, 'unauthorized', 401);
    }

    return $self->refuse($call, 'rate', 'throttled', 429)
        unless $self->within_rates($call, [], 0);
    return $self->answer($call, 'unknown', 404)
        unless $self->link_or_drop($call);
    return $self->answer($call, 'ok', 200);
}


# ---- what a vendor keeps ----

# An object is kept by its kind and its key, and has an id from its first time
# on, as { keeps => { kind => 0, key => 'id' } } says: the kind is what the
# first group of the path has found.
sub keep {
    my ($self, $call, $record) = @_;
    my ($state, $keeps) = ($call->{state}, $call->{endpoint}{keeps});
    my $kind = $call->{found}[ $keeps->{kind} ];
    my $key = at($record, $keeps->{key});
    my $new = !defined $state->{objects}{$kind}{$key};
    my $id = $state->{objects}{$kind}{$key} //= 100 + ++$state->{serial};

    $state->{known}{"$kind/$id"} = $key;
    $state->{times}{"$kind $key"}++;
    push @{ $state->{log} }, "$kind/$id";

    return (kept => "$id", new => $new ? Cpanel::JSON::XS::true
                                       : Cpanel::JSON::XS::false);
}


# "links": groups of the path with kind and id of two objects; "drops": of one.
# 0 if one of them is not known.
sub link_or_drop {
    my ($self, $call) = @_;
    my ($state, $endpoint) = @$call{qw(state endpoint)};
    my @groups = @{ $endpoint->{links} // $endpoint->{drops} // [] };
    my @names;

    while (my ($kind, $id) = splice @groups, 0, 2) {
        push @names, "$call->{found}[$kind]/$call->{found}[$id]";
    }

    if (grep { !defined $state->{known}{$_} } @names) {
        $state->{unknown}++;
        return 0;
    }

    $state->{links}{"@names"}++ if $endpoint->{links};
    push @{ $state->{log} }, "@names";

    if ($endpoint->{drops}) {
        my ($kind) = split m{/}, $names[0];

        delete $state->{objects}{$kind}{ delete $state->{known}{$names[0]} };
    }

    return 1;
}


# the body, its records, and the text of each
sub open_body {
    my ($self, $call, $body) = @_;
    my $endpoint = $call->{endpoint};

    if ($endpoint->{lines} && ($endpoint->{lines} ne 'too'
                               || $body =~ /\}\n\{/))
    {
        my @texts = split /\n/, $body;
        my @records = map { eval { $FAST->decode($_) } } @texts;

        return @records == @texts ? (undef, \@records, \@texts) : ();
    }

    my $whole;

    if ($endpoint->{form}) {
        $whole = query($body);
        $whole->{ $endpoint->{form} }
            = eval { $FAST->decode($whole->{ $endpoint->{form} }) } // return;

    } else {
        $whole = eval { $FAST->decode($body) } // return;
    }

    my $records = $endpoint->{single} ? [$whole]
        : at($whole, $endpoint->{records} // '');

    $records = [$records] if ref $records eq 'HASH';

    return unless ref $records eq 'ARRAY';

    # texts are looked at only where a record could be too long, or asks for
    # something
    my $needed = $call->{state}{mark} || index($body, 'vendor-') >= 0
        || $endpoint->{record} && length $body > $endpoint->{record};

    return ($whole, $records,
            $needed ? [map { $FAST->encode($_) } @$records] : undef);
}


# ---- who may ----

sub authorized {
    my ($self, $call, $whole, $records) = @_;
    my $auth = $call->{endpoint}{auth} // { kind => 'none' };
    my $kind = $auth->{kind};
    my $header = $call->{headers}{authorization} // '';

    return 1 if $kind eq 'none';
    return ($call->{headers}{ lc $auth->{name} } // '') eq $auth->{value}
        if $kind eq 'header';
    return ($call->{query}{ $auth->{name} } // '') eq $auth->{value}
        if $kind eq 'query';
    return (at($whole, $auth->{at}) // '') eq $auth->{value}
        if $kind eq 'body';
    return $header =~ /^Basic (\S+)$/
            && decode_base64($1) eq "$auth->{user}:$auth->{password}"
        if $kind eq 'basic';

    if ($kind eq 'record') {
        return !grep { (at($_, $auth->{at}) // '') ne $auth->{value} }
            @$records;
    }

    my ($token) = $header =~ /^Bearer (\S+)$/ or return 0;

    return 1 if grep { $_ eq $token } @{ $auth->{tokens} // [] };
    return ($call->{state}{tokens}{$token} // 0) > $call->{now};
}


# An OAuth 2.0 answer: { grants, life, one_time, answer }.  A one-time refresh
# token counts once; the answer has the next one.
sub give_token {
    my ($self, $call, $endpoint, $body) = @_;
    my ($state, $token) = ($call->{state}, $endpoint->{token});
    my $form = query($body);
    my $grant = $form->{grant_type} // '';

    $call->{endpoint} = $endpoint;

    return $self->refuse($call, "grant $grant", 'unauthorized', 400)
        unless grep { $_ eq $grant } @{ $token->{grants} };

    for my $name (keys %{ $token->{fields} // {} }) {
        next if ($form->{$name} // '') =~ /$token->{fields}{$name}/;
        $state->{unauthorized}++;
        return $self->answer($call, 'unauthorized', 400);
    }

    if ($token->{one_time} && $grant eq 'refresh_token') {
        return $self->refuse($call, 'refresh token used twice',
                             'unauthorized', 400)
            if $form->{refresh_token} ne "refresh-$state->{refresh}";

        $state->{refresh}++;
    }

    my $life = $state->{life} // $token->{life};
    my $name = 'token-' . ++$state->{serial};

    $state->{tokens}{$name} = $call->{now} + $life;
    $state->{refreshes}++;

    return $self->answer($call, 'ok', 200, token => $name, life => $life,
                         refresh => "refresh-$state->{refresh}");
}


# ---- rates ----

# In no window of that length, wherever it starts, may there be more.  On a
# machine that is busy we look late: a request counts from the moment on when it
# can have come, so that our lateness is nobody's fault.
sub within_rates {
    my ($self, $call, $records, $bytes) = @_;
    my $endpoint = $call->{endpoint};
    my $rates = $call->{state}{rates} // $endpoint->{rates}
        // $self->{data}{ $call->{name} }{rates} // [];
    my $shared = $endpoint->{rates} ? "$endpoint->{name}/" : '';
    my %amount = (requests => 1, events => scalar @$records, bytes => $bytes);
    my @windows;

    for my $n (0 .. $#$rates) {
        my $rate = $rates->[$n];
        my $window = $call->{state}{windows}{"$shared$n"} //= { sum => 0,
                                                               list => [] };
        my $list = $window->{list};

        while (@$list && $list->[0][0] <= $call->{now} - $rate->{per}) {
            $window->{sum} -= (shift @$list)->[1];
        }

        my $amount = $amount{ $rate->{unit} };

        return 0 if $window->{sum} + $amount > $rate->{count};

        push @windows, [$window, $amount];
    }

    for (@windows) {
        my ($window, $amount) = @$_;

        $window->{sum} += $amount;
        push @{ $window->{list} }, [$call->{since}, $amount];
    }

    return 1;
}


# ---- records ----

sub judge_records {
    my ($self, $call, $records, $texts) = @_;
    my ($endpoint, $state) = @$call{qw(endpoint state)};
    my ($failed, @about, %seen) = (0);

    $state->{records} += @$records;

    for my $n (0 .. $#$records) {
        my $one = $self->judge_record($call, $records->[$n],
                                      $texts ? $texts->[$n] : '', \%seen);

        $one->{index} = $n;
        $failed++ if $one->{state} ne 'ok';
        push @about, $one;
    }

    # some vendors say nothing about what they refuse
    my $taken = !$failed || !$endpoint->{atomic} ? @about - $failed : 0;

    note($call, $_, $taken) for @about;

    $state->{taken} += $taken;
    $state->{once}{ $call->{once} } = 1
        if defined $call->{once} && $taken == @about;

    # some name one at a time
    if ($state->{first} && $failed) {
        my $named = 0;

        for my $one (grep { $_->{state} eq 'bad' } @about) {
            $one->{state} = 'unnamed' if $named++;
        }
    }

    my ($first) = grep { $_->{state} ne 'ok' } @about;

    return $self->answer($call, $failed ? 'partial' : 'ok', 200,
        count => scalar @about, accepted => $taken, failed => $failed,
        records => \@about,
        first => $first ? $first->{index} : 0);
}


# what has become of a record, by its id and by the event's mark
sub note {
    my ($call, $one, $taken) = @_;
    my ($state, $id, $mark) = ($call->{state}, @$one{qw(id mark)});
    my $what = $one->{state} eq 'bad' ? 'refused'
        : $one->{state} eq 'ok' && $taken ? 'accepted' : return;

    $state->{$what}{$id}++ if defined $id;
    $state->{marks}{$what}{$mark}++ if defined $mark;
    $state->{excused}{$id}++
        if defined $id && $what eq 'accepted' && $call->{lost};
}


sub judge_record {
    my ($self, $call, $record, $text, $seen) = @_;
    my $endpoint = $call->{endpoint};
    my $pattern = $call->{state}{mark};
    my ($id) = grep { defined } map { at($record, $_) }
        ref $endpoint->{id} ? @{ $endpoint->{id} } : $endpoint->{id} // ();
    my ($mark) = defined $pattern ? $text =~ /$pattern/ : ();
    my %one = (id => $id // $mark, mark => $mark);
    my ($field, $wrong) = $self->wrong_of($call, $record, $text, $seen);

    if (defined $field) {
        $self->violation($call, "$endpoint->{name}: $field $wrong",
                         $FAST->encode($record));
        return { %one, state => 'bad', field => $field, message => $wrong };
    }

    # what must be refused without a fault of its own
    return { %one, state => 'bad', field => 'asked for', message => 'refused' }
        if index($text, 'vendor-reject') >= 0;
    return { %one, state => 'later', field => 'asked for', message => 'later' }
        if $endpoint->{later} && index($text, 'vendor-later') >= 0
            && !$call->{state}{later}{ $id // $text }++;

    return { %one, state => 'ok',
             $endpoint->{keeps} ? $self->keep($call, $record) : () };
}


sub wrong_of {
    my ($self, $call, $record, $text, $seen) = @_;
    my $endpoint = $call->{endpoint};

    return ('bytes of a record', '')
        if $endpoint->{record} && length $text > $endpoint->{record};

    my @broken = broken($record, $endpoint->{fields} // []);

    return @broken if @broken;

    my $age = $endpoint->{age};

    # the first that is meant
    ($age) = grep { !$_->{when} || holds($record, $_->{when}) } @$age
        if ref $age eq 'ARRAY';

    if ($age) {
        my $wrong = too_old($record, $age, $call->{now});

        return ($age->{at}, $wrong) if $wrong;
    }

    for my $path (@{ $endpoint->{unique} // [] }) {
        my $value = at($record, $path) // next;

        return ($path, 'twice') if $seen->{"$path $value"}++;
    }

    for my $path (@{ $endpoint->{same} // [] }) {
        my $value = $JSON->encode(at($record, $path));

        return ($path, 'differs') if ($seen->{"= $path"} //= $value) ne $value;
    }

    return;
}


1;
