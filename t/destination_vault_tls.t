#!/usr/bin/perl

# Vault behind TLS: its certificate is looked at, by "ca" or by those of the
# system, and a redirect is not followed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Path;
use Martech::Service;
use Martech::Test;
use Martech::Vault;

my $t = Martech::Test->new();
my $tls = $t->tls();
my $receiver = $t->receiver();
my $folder = $t->dir() . '/destinations';

my $vault = Martech::Vault->new(root => 'root-secret-token', kv => {
    'secret/app/hook' => { key => 'vault-secret-one' } });
my $turned = Martech::Service->new(name => 'standby', answer => sub {
    return [307, '', 'Location: ' . $vault->url() . '/v1/x'] });

# ---- one server a certificate ----

my %port = (right => 8441, stranger => 8442, named => 8443, old => 8444,
            standby => 8445);
my %cert = (right => 'server', stranger => 'server-other',
            named => 'server-wrong', old => 'server', standby => 'server');

$t->nginx(join '', map { <<"END" } sort keys %port);
    server {
        listen 127.0.0.1:$port{$_} ssl;
        ssl_certificate      @{[ $tls->cert($cert{$_}) ]};
        ssl_certificate_key  @{[ $tls->key($cert{$_}) ]};
        ssl_protocols        @{[ $_ eq 'old' ? 'TLSv1.1' : 'TLSv1.2 TLSv1.3' ]};
        location / {
            proxy_pass @{[ ($_ eq 'standby' ? $turned : $vault)->url('') ]};
        }
    }
END

mkdir $folder;
mkdir "$folder/keyed";
$t->file('destinations/keyed/destination.yaml', <<'END');
name: keyed
kind: http
settings:
  url: { type: url, required: true }
  key: { secret: true, required: true }
request:
  url: "{url}"
auth: { kind: header, name: X-Key, value: "{key}" }
END


sub conf {
    my ($server, %arg) = @_;
    my $host = $arg{host} // '127.0.0.1';
    my $port = $t->port($port{$server});
    my $ca = $arg{ca} // $tls->cert('ca');

    return <<"END";
redis: { address: "%%REDIS%%" }
owner: { name: tester, lease: 1s }
loops: 1
destinations_path: $folder
allow_private: [127.0.0.1]
vault:
  address: https://$host:$port
  token: env:TOKEN
@{[ $ca ne '' ? "  ca: $ca" : '' ]}
destinations:
  one:
    use: keyed
    settings: { url: "@{[ $receiver->url('/one') ]}",
                key: "vault:secret/app/hook#key" }
END
}


my %env = (TOKEN => 'root-secret-token');

sub check {
    my ($server, %arg) = @_;

    return Martech::Command->new($t, conf($server, %arg), env => \%env)
        ->run('check');
}


my $redis = $t->redis();

# ---- accepted ----

for my $host ('127.0.0.1', 'localhost') {
    my $r = check('right', host => $host);

    is($r->{status}, 0, "the right certificate, for $host") or diag($r->{err});
}

my $seen = $vault->seen()->{reads};

# ---- refused ----

for my $case (
    [ 'of an authority that is not ours', 'stranger', {} ],
    [ 'of another authority by "ca"', 'right',
      { ca => $tls->cert('ca-other') } ],
    [ 'which the system does not know', 'right', { ca => '' } ],
    [ 'for another name', 'named', {} ],
    [ 'by a "ca" that is not there', 'right', { ca => '/nowhere.pem' } ],
    [ 'with an old protocol', 'old', {} ],
    [ 'and it sends us elsewhere', 'standby', {} ])
{
    my ($what, $server, $arg) = @$case;
    my $r = check($server, %$arg);

    is($r->{status}, 1, "a certificate $what: refused");
    like($r->{err}, qr{"vault:secret/app/hook#key", which cannot be read: \S},
         'it says that it cannot be read');
    unlike($r->{err}, qr/root-secret|vault-secret/, 'without a secret');
}

is($vault->seen()->{reads}, $seen, 'and nothing was asked there');

# ---- used ----

my $forwarder = $t->forwarder(conf('right'), env => \%env);

add_events($redis, 1);
ok(becomes(sub { $receiver->requests() }, 20), 'an event is sent');
is(($receiver->requests())[0]{headers}{'x-key'}, 'vault-secret-one',
   'with the secret from behind TLS');

$forwarder->stop();
$_->stop() for $vault, $turned;
$t->done();
