package Martech::Tls;

# Keys and certificates of one test, made by openssl:
#
#     ca, ca-other              two authorities; the second one is a stranger
#     server, server-other      CN=redis.test; SAN redis.test, localhost,
#                               127.0.0.1; signed by ca and by ca-other
#     client, client-other      for clients that must show a certificate
#     server-wrong              of ca, for the name "wrong.test" only
#
# cert($name) and key($name) are their files.

use strict;
use warnings;

use POSIX ();

my $NAMES = 'DNS:redis.test,DNS:localhost,IP:127.0.0.1';


# dir => folder of its own
sub new {
    my ($class, %arg) = @_;
    my $self = bless { %arg }, $class;

    mkdir $self->{dir};
    chmod 0755, $self->{dir};

    for my $end ('', '-other') {
        $self->authority("ca$end");
        $self->sign("server$end", "ca$end", 'redis.test', $NAMES);
        $self->sign("client$end", "ca$end", 'client');
    }

    $self->sign('server-wrong', 'ca', 'wrong.test', 'DNS:wrong.test');

    return $self;
}


sub cert { "$_[0]{dir}/$_[1].crt" }
sub key { "$_[0]{dir}/$_[1].key" }


sub openssl {
    my ($self, @arg) = @_;
    my $log = "$self->{dir}/openssl.log";
    my $pid = fork() // die "cannot fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>>', $log;
        open STDERR, '>&', \*STDOUT;
        exec 'openssl', @arg or POSIX::_exit(127);
    }

    waitpid $pid, 0;
    die "openssl $arg[0] failed: see $log\n" if $?;
}


sub new_key { qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes) }


sub authority {
    my ($self, $name) = @_;

    $self->openssl('req', '-x509', new_key(), '-days', 2, '-subj', "/CN=$name",
                   '-keyout', $self->key($name), '-out', $self->cert($name));
}


# A certificate; the files of an earlier one are replaced.
sub sign {
    my ($self, $name, $ca, $subject, $names) = @_;
    my $request = "$self->{dir}/$name.csr";
    my @more;

    if (defined $names) {
        my $file = "$self->{dir}/$name.ext";

        open my $fh, '>', $file or die "$file: $!\n";
        print $fh "subjectAltName=$names\n";
        close $fh;
        @more = ('-extfile', $file);
    }

    $self->openssl('req', new_key(), '-subj', "/CN=$subject",
                   '-keyout', $self->key($name), '-out', $request);
    $self->openssl('x509', '-req', '-in', $request, '-days', 2, @more,
                   '-CA', $self->cert($ca), '-CAkey', $self->key($ca),
                   '-CAcreateserial', '-out', $self->cert($name));
    chmod 0644, $self->key($name);
}


# Arguments of redis-server: port => of TLS; server => name of its certificate;
# clients => "no" (the default), "yes" or "optional": whether they show theirs.
# $t->redis(options => [$tls->redis_options(port => ...)])
sub redis_options {
    my ($self, %arg) = @_;
    my $server = $arg{server} // 'server';

    return ('--tls-port', $arg{port},
            '--tls-cert-file', $self->cert($server),
            '--tls-key-file', $self->key($server),
            '--tls-ca-cert-file', $self->cert('ca'),
            '--tls-auth-clients', $arg{clients} // 'no');
}


1;
