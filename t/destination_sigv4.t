#!/usr/bin/perl

# Requests signed by AWS Signature Version 4: a server computes the signature
# of what it got by itself, from the same keys, and compares.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use Time::Local qw(timegm);

use Martech::Command;
use Martech::Path;
use Martech::Service;
use Martech::Test;

my %key = (AKIDEXAMPLE => 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY');
my $session = 'FwoGZXIvYXdzEXAMPLE+/=TOKEN';

my $t = Martech::Test->new();
my $redis = $t->redis();
my $folder = $t->dir() . '/destinations';


# ---- a server that knows the key ----

my $service = Martech::Service->new(name => 'vendor', state => {
    seen => [], bad => [] }, answer => sub {
    my ($s, $request) = @_;
    my $why = $request->{path} eq '/open' ? undef : wrong($request);

    push @{ $s->{seen} }, { map { $_ => $request->{$_} }
                            qw(method path query headers) };
    push @{ $s->{bad} }, "$request->{method} $request->{path}: $why" if $why;

    return $why ? [403, { message => $why }] : [200, {}];
}, order => sub { return { %{ $_[0] } } });


sub encode { return $_[0] =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ger }

sub decode { return $_[0] =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger }


# undef, or what is wrong with the signature of a request
sub wrong {
    my ($request) = @_;
    my $headers = $request->{headers};
    my ($id, $day, $region, $name, $signed, $signature) =
        ($headers->{authorization} // '') =~ m{^AWS4-HMAC-SHA256\ Credential=
            ([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request,\ SignedHeaders=
            ([^,]+),\ Signature=([0-9a-f]{64})$}x
        or return 'no signature';
    my $secret = $key{$id} or return 'no such key';
    my $stamp = $headers->{'x-amz-date'} // '';
    my ($year, $month, @rest) =
        $stamp =~ /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
        or return 'no date';

    return 'another day' if substr($stamp, 0, 8) ne $day;
    return 'too old' if abs(time() - timegm(reverse(@rest), $month - 1, $year))
                        > 300;

    my @names = split /;/, $signed;

    return 'the names are not sorted' if "@names" ne join ' ', sort @names;

    # what the vendor wants to be signed
    for my $header ('host', 'content-type', grep { /^x-amz-/ } keys %$headers)
    {
        return "$header is not signed"
            if defined $headers->{$header} && !grep { $_ eq $header } @names;
    }

    return "$_ is signed, and did not come"
        for grep { !defined $headers->{$_} } @names;

    my $path = $name eq 's3' ? $request->{path}
        : join '/', map { encode($_) } split m{/}, $request->{path}, -1;
    my $query = join '&', map { "$_->[0]=$_->[1]" }
        sort { $a->[0] cmp $b->[0] || $a->[1] cmp $b->[1] }
        map { my ($n, $v) = split /=/, $_, 2;
              [ encode(decode($n)), encode(decode($v // '')) ] }
        split /&/, $request->{query};
    my $lines = join '', map {
        my $value = $headers->{$_} =~ s/^\s+|\s+$//gr =~ s/ +/ /gr;
        "$_:$value\n" } @names;
    my $hash = sha256_hex($request->{body});

    return 'the digest of the body is wrong'
        if ($headers->{'x-amz-content-sha256'} // $hash) ne $hash
           || $name eq 's3' && !$headers->{'x-amz-content-sha256'};

    my $scope = "$day/$region/$name/aws4_request";
    my $text = join "\n", 'AWS4-HMAC-SHA256', $stamp, $scope, sha256_hex(
        join "\n", $request->{method}, $path, $query, $lines, $signed, $hash);
    my $derived = "AWS4$secret";

    $derived = hmac_sha256($_, $derived)
        for $day, $region, $name, 'aws4_request';

    return hmac_sha256_hex($text, $derived) eq $signature
        ? undef : 'the signature does not match';
}


# ---- a destination ----

mkdir $folder;
mkdir "$folder/signed";

$t->file('destinations/signed/destination.yaml', <<'END');
name: signed
kind: http
settings:
  url: { type: url, required: true }
  access: { secret: true, required: true }
  key: { secret: true, required: true }
  session: { secret: true }
  odd: { default: "x y/+&=~*" }
  accent: { default: "caf\u00e9" }
auth: { kind: sigv4, access_key: "{access}", secret_key: "{key}",
        session_token: "{session}", region: eu-west-1, service: execute-api }
endpoints:
  plain:
    url: "{url}/prod/events"
    framing: array
    batch: { count: 10 }
  query:
    url: "{url}/prod/{record.name}/events?z=1&a-b=2&a=%7e"
    query: { b: "2", a: "{odd}", empty: "", c: "{accent}" }
    headers: { X-Amz-Meta: "  two   words ", X-Other: "not signed" }
    method: PUT
    compress: gzip
  bucket:
    url: "{url}/bucket/{record.name}"
    method: PUT
    auth: { kind: sigv4, access_key: "{access}", secret_key: "{key}",
            region: us-east-1, service: s3 }
  get:
    url: "{url}/prod/{record.name}"
    method: GET
  open:
    url: "{url}/open"
    auth: none
END

$t->file('destinations/signed/map.jq', <<'END');
.event.messageId as $id
| ("plain", "query", "bucket", "get", "open")
| { "@endpoint": ., "@path": { name: ("Gr\u00fcn & " + $id) }, id: $id }
END


sub conf {
    my (%arg) = @_;
    my $session_of = $arg{session} ? ', session: env:SESSION' : '';

    return <<"END";
redis: { address: "%%REDIS%%" }
owner: { name: tester, lease: 1s }
loops: 1
destinations_path: $folder
allow_private: [127.0.0.1]
destinations:
  signed:
    use: signed
    settings: { url: "@{[ $service->url('') ]}", access: env:ACCESS,
                key: env:KEY$session_of }
    retry: { base: 100ms, factor: 2, cap: 1s }
END
}


my %env = (ACCESS => 'AKIDEXAMPLE', KEY => $key{AKIDEXAMPLE},
           SESSION => $session);
my $forwarder = $t->forwarder(conf(session => 1), env => \%env);

add_events($redis, 3);
ok(becomes(sub { @{ $service->ask()->{seen} } >= 3 * 5 - 2 }, 20),
   'requests come');
ok(becomes(sub { drained($redis, 'signed') }, 20), 'all of them');

# the one without credentials has no signature
my @seen = @{ $service->ask()->{seen} };
my ($open) = grep { $_->{path} eq '/open' } @seen;

is($open->{headers}{authorization}, undef, 'an endpoint has its own "auth"');
is($open->{headers}{'x-amz-date'}, undef, 'which is none');
is_deeply($service->ask()->{bad}, [],
          'every signature is right');

for my $path (qw(events bucket Gr)) {
    ok((grep { $_->{path} =~ m{/$path} } @seen), "of $path too");
}

ok((grep { ($_->{headers}{'content-encoding'} // '') eq 'gzip' } @seen),
   'and of a packed body');
ok((grep { ($_->{headers}{'x-amz-security-token'} // '') eq $session } @seen),
   'the session token goes along');
is(scalar(grep { $_->{path} =~ /bucket/
                 && $_->{headers}{'x-amz-security-token'} } @seen), 0,
   'where there is one');
unlike($forwarder->log_text(), qr/\Q$key{AKIDEXAMPLE}\E|\Q$session\E|AWS4-HMAC/,
       'nothing of it is in the log');
$forwarder->stop();

# ---- the command for people signs as well ----

my $cli = Martech::Command->new($t, conf(), env => \%env);
my $event = $t->file('event.json', to_json({ type => 'track', event => 'x',
                                             messageId => 'm-1' }));
my $before = @{ $service->ask()->{seen} };
my $r = $cli->run('send', 'signed', '--live', '--event', $event);

cmp_ok(scalar @{ $service->ask()->{seen} }, '>', $before, 'send --live')
    or diag($r->{out}, $r->{err});
is_deeply($service->ask()->{bad}, [],
          'its signatures are right too');
unlike($r->{out} . $r->{err},
       qr/\Q$key{AKIDEXAMPLE}\E|Signature=[0-9a-f]|AKIDEXAMPLE/,
       'and are not shown');

# ---- what cannot be signed ----

$t->file('destinations/signed/map.jq', '{ "@endpoint": "get", '
         . '"@path": { name: "a" }, id: 1 }');
{
    my $text = Martech::Forwarder::slurp("$folder/signed/destination.yaml");

    $text =~ s{/prod/\{record\.name\}"}{/prod//{record.name}"} or die;
    $t->file('destinations/signed/destination.yaml', $text);
}

$r = $cli->run('send', 'signed', '--live', '--event', $event);
is($r->{status}, 1, 'a path that servers read in two ways');
like($r->{err}, qr/empty or dot segments cannot be signed/, 'is refused');

$service->stop();
$t->done();
