package Martech::Vault;

# A server that answers as HashiCorp Vault does, as far as secrets are read:
# AppRole logins, tokens that end and are renewed up to a longest time, KV
# version 2 with its paths and versions, namespaces, and leases of an engine
# that makes a new value for each reader.  What the real one refuses is refused:
# no token, one that has ended, one whose policy does not have the path, a path
# of the other version, a namespace that is not ours.
#
#     my $vault = Martech::Vault->new(role => [ID, SECRET], ttl => 4,
#         kv => { 'secret/app/hook' => { key => 'value' } });
#     $vault->put('secret/app/hook', { key => 'other' });   # a new version
#     $vault->seen();                       # { renewed, logins, reads, ... }

use strict;
use warnings;

use List::Util qw(max min);
use Time::HiRes qw(time);

use Martech::Http qw(from_json);
use Martech::Service;


# role; ttl, max_ttl of tokens; lease_ttl; lease_until => when leases end; kv;
# namespace; root => a token that never ends; forbidden => a path that the
# policy does not have
sub new {
    my ($class, %arg) = @_;
    my %state = (
        ttl => 4, max_ttl => 3600, lease_ttl => 4, tokens => {},
        versions => {}, leases => {},
        seen => { map { $_ => 0 } qw(logins renewed leased reads
                                     refused gaps) },
        number => 0, away => 0, %arg,
    );

    $state{versions}{$_} = [ $arg{kv}{$_} ] for keys %{ $arg{kv} };

    return bless { service => Martech::Service->new(
        name => 'vault', state => \%state, answer => \&answer,
        order => \&order) }, $class;
}


sub url { $_[0]{service}->url('') }
sub stop { $_[0]{service}->stop() }
sub put { $_[0]{service}->ask(put => $_[1], data => $_[2]) }
sub revoke { $_[0]{service}->ask(revoke => 1) }
sub away { $_[0]{service}->ask(away => $_[1]) }
sub forbid { $_[0]{service}->ask(forbidden => $_[1]) }
sub lease_until { $_[0]{service}->ask(lease_until => time() + $_[1]) }
sub seen { $_[0]{service}->ask()->{seen} }


# ---- the process ----

sub order {
    my ($s, $order) = @_;

    push @{ $s->{versions}{$order->{put}} }, $order->{data} if $order->{put};
    $s->{tokens} = {} if $order->{revoke};
    exists $order->{$_} and $s->{$_} = $order->{$_}
        for qw(away forbidden lease_until);

    return { seen => $s->{seen} };
}


sub refuse {
    my ($s, $status, $why) = @_;

    $s->{seen}{refused}++;

    return [$status, { errors => [ $why // () ] }];
}


sub answer {
    my ($s, $request) = @_;
    my $path = $request->{path};
    my $method = $request->{method};

    return [503, { errors => ['Vault is sealed'] }] if $s->{away};

    return refuse($s, 404, 'no handler for route')
        if ($request->{headers}{'x-vault-namespace'} // '')
           ne ($s->{namespace} // '') || $path !~ s{^/v1/}{};

    return login($s, $request)
        if $path eq 'auth/approle/login' && $method =~ /^(?:POST|PUT)$/;

    my $name = $request->{headers}{'x-vault-token'} // '';
    my $token = $name eq ($s->{root} // "\0") ? { root => 1 }
                                               : $s->{tokens}{$name};

    return refuse($s, 403, 'permission denied')
        if !$token || (!$token->{root} && $token->{ends} < time());

    if ($path eq 'auth/token/lookup-self' && $method eq 'GET') {
        return [200, { data => $token->{root} ? { ttl => 0 } : {
            ttl => int($token->{ends} - time()), renewable => \1 } }];
    }

    if ($path eq 'auth/token/renew-self' && $method =~ /^(?:POST|PUT)$/) {
        return renew($s, $name, $token);
    }

    if ($path eq 'sys/leases/renew' && $method =~ /^(?:POST|PUT)$/) {
        return renew_lease($s, from_json($request->{body}));
    }

    return refuse($s, 405, 'unsupported operation') if $method ne 'GET';
    return dynamic($s, $path) if $path =~ m{^made/};
    return kv($s, $path);
}


sub grant {
    my ($s, $name) = @_;

    $s->{tokens}{$name}{ends} = time() + $s->{ttl};

    return [200, { auth => { client_token => $name, renewable => \1,
                             lease_duration => $s->{ttl},
                             policies => ['default'] } }];
}


sub login {
    my ($s, $request) = @_;
    my $said = from_json($request->{body});

    return refuse($s, 400, 'invalid role or secret ID')
        unless $s->{role} && $said->{role_id} eq $s->{role}[0]
               && $said->{secret_id} eq $s->{role}[1];

    $s->{seen}{logins}++;

    my $name = 'hvs.secret-token-' . ++$s->{number};

    $s->{tokens}{$name} = { began => time() };

    return grant($s, $name);
}


sub renew {
    my ($s, $name, $token) = @_;

    return refuse($s, 400, 'lease is not renewable')
        if $token->{root} || time() - $token->{began} > $s->{max_ttl};

    $s->{seen}{renewed}++;

    return grant($s, $name);
}


sub kv {
    my ($s, $path) = @_;

    $path =~ s{^([^/]+)/data/}{$1/}
        or return refuse($s, 404,
                         'Invalid path for a versioned K/V secrets engine');

    return refuse($s, 403, 'permission denied')
        if $path eq ($s->{forbidden} // '');

    my $versions = $s->{versions}{$path} or return refuse($s, 404);

    $s->{seen}{reads}++;

    return [200, { request_id => 'r', lease_id => '', renewable => \0,
        lease_duration => 0, data => {
            data => $versions->[-1],
            metadata => { version => scalar @$versions,
                          destroyed => \0, deletion_time => '' } } }];
}


# A value of its own for each reader; it ends with its lease.
sub dynamic {
    my ($s, $path) = @_;
    my $number = ++$s->{number};
    my $id = "$path/lease-$number";

    # the one before should be good for as long as the new one is on its way
    $s->{seen}{gaps}++
        if %{ $s->{leases} } && !grep { $_ > time() } values %{ $s->{leases} };

    $s->{leases}{$id} = time() + $s->{lease_ttl};
    $s->{seen}{made}++;

    return [200, { lease_id => $id, renewable => \1,
                   lease_duration => $s->{lease_ttl},
                   data => { key => "made-secret-$number" } }];
}


sub renew_lease {
    my ($s, $said) = @_;
    my $id = $said->{lease_id} // '';

    return refuse($s, 400, 'lease not found')
        if ($s->{leases}{$id} // 0) < time();

    # at the end of its longest life it is made longer by less and less
    my $left = int(($s->{lease_until} // time() + 3600) - time());
    my $more = max(0, min($left, $s->{lease_ttl}));

    $s->{leases}{$id} = time() + $more;
    $s->{seen}{leased}++;

    return [200, { lease_id => $id, renewable => \1,
                   lease_duration => $more }];
}


1;
