package Martech::Nginx;

# A private NGINX of one test, with the module loaded.

use strict;
use warnings;

use Martech::Process;
use Martech::Wait qw(becomes wait_until);


# dir => its prefix; module => path of the module; conf => the http block's
# content, or whole => the whole configuration; workers => 1; main => lines
# outside the http block; asan => the module is sanitized; events => lines of
# the events block
sub new {
    my ($class, %arg) = @_;

    return bless {
        workers => 1, main => '', events => '', %arg,
        starts => 0,
    }, $class;
}


sub dir { $_[0]{dir} }
sub pid { $_[0]{process}->pid() }
sub error_log { "$_[0]{dir}/error.log" }
sub running { $_[0]{process} && $_[0]{process}->alive() }


sub write_conf {
    my ($self, $conf) = @_;

    $self->{conf} = $conf if defined $conf;

    mkdir $self->{dir};
    open my $fh, '>', "$self->{dir}/nginx.conf"
        or die "cannot write nginx.conf: $!\n";
    print $fh $self->{whole} // $self->frame();
    close $fh;

    return $self;
}


# the configuration around what a test wrote
sub frame {
    my ($self) = @_;
    my $dir = $self->{dir};
    my $level = $ENV{MARTECH_DEBUG} ? 'debug' : 'info';
    my $user = $> == 0 ? 'user root;' : '';

    return <<"END";
load_module $self->{module};

$user
worker_processes $self->{workers};
pid $dir/nginx.pid;
error_log $dir/error.log $level;
$self->{main}

events {
    worker_connections 1024;
    $self->{events}
}

http {
    access_log off;
    client_body_temp_path $dir/client_body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;

$self->{conf}
}
END
}


# What NGINX needs when the module is sanitized but NGINX is not: the runtime
# loaded first.  NGINX leaks by design when it exits, and a module shares two
# symbols with it.
sub environment {
    my ($self) = @_;

    return {} unless $self->{asan};

    my @runtime = map { chomp(my $path = `gcc -print-file-name=$_`); $path }
        qw(libasan.so libubsan.so);

    return {
        LD_PRELOAD => join(' ', @runtime),
        ASAN_OPTIONS => "detect_leaks=0:detect_odr_violation=0"
            . ":log_path=$self->{dir}/sanitizer",
        UBSAN_OPTIONS => "print_stacktrace=1"
            . ":log_path=$self->{dir}/sanitizer",
    };
}


sub command {
    my ($self, @arg) = @_;

    # the absolute path: a binary upgrade looks in no PATH
    my ($nginx) = grep { -x }
        map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin';

    return ($nginx, '-p', $self->{dir}, '-e', $self->error_log(),
            '-c', "$self->{dir}/nginx.conf", '-g', 'daemon off;', @arg);
}


sub start {
    my ($self) = @_;

    $self->write_conf() unless -e "$self->{dir}/nginx.conf";

    $self->{process} = Martech::Process->start(
        name => 'nginx', argv => [$self->command()],
        output => "$self->{dir}/stderr.log", env => $self->environment());
    $self->{starts} += $self->{workers};

    wait_until(sub { !$self->running() || $self->started() }, 20,
               'nginx starts its workers');

    die "nginx did not start:\n", $self->log_text(), "\n"
        unless $self->running();

    return $self;
}


# true when as many workers were started as should have been
sub started {
    my ($self) = @_;

    return $self->logged(qr/start worker process \d/) >= $self->{starts};
}


# "nginx -t": true when it accepts the configuration, and what it said
sub test_conf {
    my ($self, $conf) = @_;
    my $output = "$self->{dir}/test.log";

    $self->write_conf($conf);
    unlink $output;

    my $process = Martech::Process->start(
        name => 'nginx -t', argv => [$self->command('-t')],
        output => $output, env => $self->environment());

    $process->wait_end(20) or die "nginx -t does not end\n";

    return ($process->status() == 0, slurp($output));
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;

    return scalar <$fh> // '';
}


sub log_text { slurp($_[0]->error_log()) . slurp("$_[0]{dir}/stderr.log") }


# how many lines of the error log match
sub logged {
    my ($self, $pattern) = @_;

    return scalar grep { /$pattern/ } split /\n/, $self->log_text();
}


# process ids of the workers, of all generations
sub workers {
    my ($self) = @_;
    my $pid = $self->pid();

    return split ' ', slurp("/proc/$pid/task/$pid/children");
}


sub reload {
    my ($self) = @_;

    $self->{starts} += $self->{workers};
    $self->{process}->signal('HUP');

    wait_until(sub { $self->started() }, 20, 'nginx starts new workers');
}


# kills a worker as the kernel would, and waits for the one that replaces it
sub kill_worker {
    my ($self) = @_;
    my ($worker) = $self->workers();

    $self->{starts}++;
    kill KILL => $worker;

    wait_until(sub { $self->started() }, 20, 'nginx starts another worker');

    return $worker;
}


# Ends gracefully; true if it did so within the limit.
sub stop {
    my ($self, $limit) = @_;

    return 1 unless $self->{process};
    return $self->{process}->stop('QUIT', $limit // 20);
}


1;
