package Martech::Test;

# What every system test begins with:
#
#     my $t = Martech::Test->new();
#     my $redis = $t->redis();
#     my $nginx = $t->nginx(<<'END');
#         martech_redis %%REDIS%%;
#         server { listen 127.0.0.1:8080; location / { martech_collect; } }
#     END
#     is(post($t->port(8080), '/v1/track', {...})->{status}, 200, '...');
#     $t->done();
#
# In a configuration, 127.0.0.1:NNNN with four digits stands for a free port,
# the same for the whole test ($t->port(NNNN)); %%REDIS%% for the socket of
# the first Redis, %%PREFIX%% for the folder of the test, %%ROOT%% for the
# project, and %%NAME%% for what $t->define(NAME => ...) gave.
#
# done() stops everything and adds tests of its own: nothing crashed, nothing
# leaked, nothing serious was logged.  $t->expect(qr/.../) excuses a line.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Temp ();
use IO::Socket::INET;
use Test::More;

use Martech::Cluster;
use Martech::Dns;
use Martech::Forwarder;
use Martech::Http qw(http get post post_bytes basic to_json from_json);
use Martech::Load;
use Martech::Nginx;
use Martech::Process;
use Martech::Proxy;
use Martech::Receiver;
use Martech::Redis;
use Martech::Sentinel;
use Martech::Shim;
use Martech::Tls;
use Martech::Tmpfs;
use Martech::Wait qw(becomes wait_until);

our @EXPORT = (@Test::More::EXPORT,
    qw(http get post post_bytes basic to_json from_json becomes wait_until
       curl));

my $ROOT = abs_path(dirname(__FILE__) . '/../../..');

# below the ports that the kernel gives to clients
my ($PORT_MIN, $PORT_MAX) = (20000, 29999);

# what no log may contain
my $SERIOUS = qr{ \[(?:alert|emerg|crit)\] | Sanitizer | runtime\ error:
                | exited\ on\ signal | open\ socket\ .*\ left }x;

my $CURRENT;


# timeout => seconds for the whole test; asan => 1: the sanitized programs
sub new {
    my ($class, %arg) = @_;
    my $self = bless {
        timeout => 120, asan => $ENV{MARTECH_ASAN}, expected => [],
        ports => {}, defines => {}, nginx => [], redis => [],
        forwarders => [], receivers => [], helpers => [], number => {}, %arg,
    }, $class;

    $self->{dir} = File::Temp::tempdir('martech-XXXXXX', TMPDIR => 1);
    chmod 0755, $self->{dir};
    $CURRENT = $self;

    $self->{timeout} *= 2 if $self->{asan};

    $SIG{ALRM} = sub {
        diag("the test did not end within $self->{timeout} s");
        exit 2;
    };
    $SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 2 };
    alarm $self->{timeout};

    return $self;
}


sub dir { $_[0]{dir} }
sub root { $ROOT }


sub define {
    my ($self, %values) = @_;

    $self->{defines}{$_} = $values{$_} for keys %values;
}


# The real port behind a number of the configuration.  It stays locked while
# the test lives, so that no other test takes it.
sub port {
    my ($self, $virtual) = @_;

    return $self->{ports}{$virtual}{number} if $self->{ports}{$virtual};

    my $locks = "$ROOT/build/ports";
    my $span = $PORT_MAX - $PORT_MIN;

    mkdir "$ROOT/build";
    mkdir $locks;

    for (1 .. 1000) {
        my $number = $PORT_MIN + int rand $span;

        open my $lock, '>', "$locks/$number" or die "$locks: $!\n";
        next unless flock $lock, LOCK_EX | LOCK_NB;
        next unless IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                        LocalPort => $number, Listen => 1, ReuseAddr => 1);

        $self->{ports}{$virtual} = { number => $number, lock => $lock };
        return $number;
    }

    die "no free port\n";
}


sub fill {
    my ($self, $text) = @_;
    my $redis = $self->{redis}[0];
    my %value = (
        PREFIX => $self->{dir}, ROOT => $ROOT,
        REDIS => $redis ? 'unix:' . $redis->socket() : '',
        REDIS_SOCKET => $redis ? $redis->socket() : '',
        %{ $self->{defines} },
    );

    $text =~ s/%%(\w+)%%/$value{$1} \/\/ die "no value for %%$1%%\n"/ge;
    $text =~ s/127\.0\.0\.1:(\d{4})\b/'127.0.0.1:' . $self->port($1)/ge;

    return $text;
}


sub redis {
    my ($self, %arg) = @_;
    my $number = @{ $self->{redis} };
    my $redis = Martech::Redis->new(dir => "$self->{dir}/redis$number", %arg);

    push @{ $self->{redis} }, $redis;

    return $redis;
}


# ---- what stands around (each class says what it takes) ----

# the folder of a new object of its kind
sub folder {
    my ($self, $kind) = @_;

    return "$self->{dir}/$kind" . $self->{number}{$kind}++;
}


# what done() has to stop
sub helper {
    my ($self, $helper) = @_;

    push @{ $self->{helpers} }, $helper;

    return $helper;
}


# between the module and the first Redis, unless to => ... says otherwise
sub proxy {
    my ($self, %arg) = @_;
    my $redis = $self->{redis}[0];

    $arg{to} //= $redis->socket() if $redis;
    $arg{port} = $self->port($arg{port}) if $arg{port};

    return $self->helper(Martech::Proxy->new(%arg));
}


sub cluster {
    my ($self, %arg) = @_;

    return $self->helper(Martech::Cluster->new(
        dir => $self->folder('cluster'), port => sub { $self->port($_[0]) },
        %arg));
}


sub sentinel {
    my ($self, %arg) = @_;

    return $self->helper(Martech::Sentinel->new(
        dir => $self->folder('sentinel'), port => sub { $self->port($_[0]) },
        %arg));
}


sub dns {
    my ($self, %arg) = @_;

    $arg{port} = $self->port($arg{port}) if $arg{port};

    return $self->helper(Martech::Dns->new(%arg));
}


sub tls {
    my ($self, %arg) = @_;

    return Martech::Tls->new(dir => $self->folder('tls'), %arg);
}


sub shim {
    my ($self, %arg) = @_;

    mkdir "$ROOT/build";

    return Martech::Shim->new(build => "$ROOT/build/shim",
                              file => $self->folder('shim'), %arg);
}


# A disk of so many megabytes.  Where mounting is not allowed the whole test is
# skipped: to be called before its first assertion.
sub tmpfs {
    my ($self, $mb) = @_;
    my $disk = Martech::Tmpfs->new(dir => $self->folder('disk'), mb => $mb);

    plan(skip_all => $disk->reason()) if defined $disk->reason();

    return $disk;
}


# a started NGINX; run => 0: only its configuration is written
sub nginx {
    my ($self, $conf, %arg) = @_;
    my $number = @{ $self->{nginx} };
    my $asan = $arg{asan} // $self->{asan};
    my $folder = $asan ? 'nginx-asan' : 'nginx';
    my $run = delete $arg{run} // 1;

    $arg{main} = $self->fill($arg{main}) if $arg{main};

    my $nginx = Martech::Nginx->new(
        dir => "$self->{dir}/nginx$number", asan => $asan,
        module => "$ROOT/build/$folder/ngx_http_martech_module.so",
        conf => $self->fill($conf), %arg);

    push @{ $self->{nginx} }, $nginx;

    return $run ? $nginx->start() : $nginx->write_conf();
}


sub receiver {
    my ($self, %arg) = @_;
    my $number = @{ $self->{receivers} };
    my $receiver = Martech::Receiver->new(
        file => "$self->{dir}/receiver$number.ndjson", %arg);

    push @{ $self->{receivers} }, $receiver;

    return $receiver;
}


# a started forwarder; run => 0: only its configuration is written
sub forwarder {
    my ($self, $conf, %arg) = @_;
    my $number = @{ $self->{forwarders} };
    my $run = delete $arg{run} // 1;
    my $program = $self->{asan} ? 'build/asan/martech-forwarder'
                                : 'build/martech-forwarder';
    my $dir = "$self->{dir}/forwarder$number";

    $arg{env}{ASAN_OPTIONS} = 'detect_leaks=0';

    my $forwarder = Martech::Forwarder->new(
        dir => $dir, program => "$ROOT/$program",
        conf => $self->fill($conf), %arg);

    push @{ $self->{forwarders} }, $forwarder;

    return $run ? $forwarder->start() : $forwarder;
}


sub load {
    my ($self, %arg) = @_;

    return Martech::Load->new(dir => $self->{dir}, %arg);
}


# writes a file into the folder of the test; returns its path
sub file {
    my ($self, $name, $content) = @_;

    open my $fh, '>', "$self->{dir}/$name" or die "$name: $!\n";
    print $fh $content;
    close $fh;

    return "$self->{dir}/$name";
}


# curl for what a raw socket cannot do: { status, body, version }
sub curl {
    my (@arg) = @_;

    open my $fh, '-|', 'curl', '-sS', '-m', '30', '-w',
        '\n%{http_code} %{http_version}', @arg or die "curl: $!\n";
    local $/;
    my $output = <$fh>;
    close $fh;

    my ($body, $status, $version) = $output =~ /\A(.*)\n(\d+) ([\d.]+)\z/s;

    return { status => $status // 0, version => $version, body => $body,
             json => scalar eval { from_json($body) } };
}


# excuses lines that match in the logs
sub expect {
    my ($self, @patterns) = @_;

    push @{ $self->{expected} }, @patterns;
}


sub serious_lines {
    my ($self, $text) = @_;

    return grep {
        my $line = $_;
        $line =~ $SERIOUS && !grep { $line =~ $_ } @{ $self->{expected} };
    } split /\n/, $text;
}


sub done {
    my ($self) = @_;

    for my $nginx (grep { $_->{process} } @{ $self->{nginx} }) {
        ok($nginx->stop(), 'nginx ends when asked to');

        my @lines = $self->serious_lines($nginx->log_text());

        push @lines, map { split /\n/, Martech::Nginx::slurp($_) }
            glob "$nginx->{dir}/sanitizer*";
        is(join("\n", @lines), '', 'nginx logs nothing serious');
        is($nginx->{process}->crash(), '', 'nginx does not crash');
    }

    for my $forwarder (grep { $_->{process} } @{ $self->{forwarders} }) {
        ok($forwarder->stop(), 'the forwarder ends when asked to');
        is(join("\n", $self->serious_lines($forwarder->log_text())), '',
           'the forwarder logs nothing serious');
        is($forwarder->{process}->crash(), '', 'the forwarder does not crash');

        my @crashes = $forwarder->crashed_loops();

        for my $expected (@{ $self->{expected} }) {
            @crashes = grep { !/$expected/ } @crashes;
        }

        is(join("\n", @crashes), '', 'nor do its loops');
    }

    $_->stop() for map { @{ $self->{$_} } } qw(receivers helpers redis);

    alarm 0;
    done_testing();
}


sub show_logs {
    my ($self) = @_;

    for my $process (@{ $self->{nginx} }, @{ $self->{forwarders} }) {
        my @lines = split /\n/, $process->log_text();

        splice @lines, 0, @lines - 30 if @lines > 30;
        diag("last lines of $process->{dir}:", map { "\n  $_" } @lines);
    }
}


END {
    my $status = $?;

    if ($CURRENT && Martech::Process::is_owner()) {
        Martech::Process::kill_all();
        Martech::Tmpfs::unmount_all();

        my $failed = $status || !Test::More->builder->is_passing();

        $CURRENT->show_logs() if $failed;

        if ($ENV{MARTECH_LEAVE}) {
            diag("left: $CURRENT->{dir}");

        } else {
            system 'rm', '-rf', $CURRENT->{dir};
        }
    }

    $? = $status;
}


1;
