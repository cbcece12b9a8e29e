package Martech::Nginx;

# A private NGINX of one test, with the module loaded.

use strict;
use warnings;

use Martech::Process;
use Martech::Wait qw(becomes wait_until);


# dir => its prefix; module => path of the module; conf => the http block's
# content, or whole => the whole configuration; workers => 1; main => lines
# outside the http block; asan => the module is sanitized; events => lines of
# the events block; env => {...}; preload => [libraries]; single => 1: one
# process without a master, which knows no reload; daemon => 1: in the
# background, as upgrade() wants it: NGINX takes neither USR2 nor WINCH while it
# is a child of the process that started it
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

    # a new binary gets only what is named
    my $env = join "\n", map { "env $_;" } $self->{daemon}
        ? sort keys %{ $self->environment() } : ();

    return <<"END";
load_module $self->{module};
$env

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


# The runtime of the sanitizers must be loaded first, when the module is
# sanitized but NGINX is not.  NGINX leaks by design when it exits, and a module
# shares two symbols with it.
sub environment {
    my ($self) = @_;
    my %env = %{ $self->{env} // {} };
    my @preload = @{ $self->{preload} // [] };

    if ($self->{asan}) {
        unshift @preload, map { chomp(my $path = `gcc -print-file-name=$_`);
                                $path } qw(libasan.so libubsan.so);
        $env{ASAN_OPTIONS} = "detect_leaks=0:detect_odr_violation=0"
            . ":log_path=$self->{dir}/sanitizer";
        $env{UBSAN_OPTIONS} = "print_stacktrace=1"
            . ":log_path=$self->{dir}/sanitizer";
    }

    $env{LD_PRELOAD} = join ' ', @preload if @preload;

    return \%env;
}


sub command {
    my ($self, @arg) = @_;
    my $daemon = $self->{daemon} ? 'on' : 'off';
    my $master = $self->{single} ? 'off' : 'on';

    # the absolute path: a binary upgrade looks in no PATH
    my ($nginx) = grep { -x }
        map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin';

    return ($nginx, '-p', $self->{dir}, '-e', $self->error_log(),
            '-c', "$self->{dir}/nginx.conf", '-g',
            "daemon $daemon; master_process $master;", @arg);
}


sub start {
    my ($self) = @_;

    $self->write_conf() unless -e "$self->{dir}/nginx.conf";

    # what a killed master left
    unlink "$self->{dir}/nginx.pid", "$self->{dir}/nginx.pid.oldbin";
    delete $self->{old};

    $self->{process} = Martech::Process->start(
        name => 'nginx', argv => [$self->command()],
        output => "$self->{dir}/stderr.log", env => $self->environment());
    $self->{starts} += $self->generation();
    $self->take_daemon() if $self->{daemon};
    $self->{group} = $self->pid();

    wait_until(sub { !$self->running() || $self->started() }, 20,
               'nginx starts its workers');

    die "nginx did not start:\n", $self->log_text(), "\n"
        unless $self->running();

    return $self;
}


# The master, when the process that was started has put it into the background.
sub take_daemon {
    my ($self) = @_;

    Martech::Process::keep_orphans();
    wait_until(sub { !$self->running() || $self->pid_in('nginx.pid') }, 20,
               'nginx goes into the background');

    # a process that ended without a fault has a child that is about to write
    wait_until(sub { $self->pid_in('nginx.pid') }, 5, 'nginx says its id')
        if !$self->running() && $self->{process}->status() == 0;

    my $pid = $self->pid_in('nginx.pid') or return;

    $self->{process}->wait_end(5);

    # Debian's NGINX says the id before the process has a group of its own, and
    # the guard of a group that does not exist yet takes it for gone
    becomes(sub { Martech::Process::leads_group($pid)
                  || !Martech::Process::lives($pid) }, 5);

    $self->{process} = Martech::Process->adopt($pid, name => 'nginx');
    Martech::Process->guard_group($pid);
}


sub pid_in {
    my ($self, $name) = @_;

    return slurp("$self->{dir}/$name") =~ /\A(\d+)\n/ ? $1 : 0;
}


# how many lines of the log tell of one start
sub generation { $_[0]{single} ? 1 : $_[0]{workers} }


# true when as many workers were started as should have been
sub started {
    my ($self) = @_;
    my $line = $self->{single} ? qr/using the "\w+" event method/
                               : qr/start worker process \d/;

    return $self->logged($line) >= $self->{starts};
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

    return $self->{single} ? $self->pid() : $self->workers_of($self->{process});
}


# a new master is a child of the old one, but no worker
sub workers_of {
    my ($self, $process) = @_;

    return grep { $_ != $self->pid() }
        Martech::Process::children($process->pid());
}


# memory of a process in bytes, of a worker if none is named
sub rss {
    my ($self, $pid) = @_;

    $pid //= ($self->workers())[0];

    return slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+) kB/m ? $1 * 1024 : 0;
}


# how many descriptors it has
sub fds {
    my ($self, $pid) = @_;

    $pid //= ($self->workers())[0];

    my @fds = glob "/proc/$pid/fd/*";

    return scalar @fds;
}


sub reload {
    my ($self) = @_;

    $self->{starts} += $self->generation();
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


# Kills the master alone; the workers, which go on.
sub kill_master {
    my ($self) = @_;
    my @workers = $self->workers();

    Martech::Process::keep_orphans();
    Martech::Process->guard_group($self->{group});
    $self->{process}->kill_now();
    $self->{orphans} = [ map { Martech::Process->adopt($_, name => 'orphan') }
                         @workers ];

    return @workers;
}


# process ids of the workers that a killed master left and that still run
sub orphans {
    my ($self) = @_;

    return map { $_->pid() } grep { $_->alive() } @{ $self->{orphans} // [] };
}


# Kills all there is: masters, workers and orphans.  Then the ports are free.
sub kill_all_now {
    my ($self) = @_;
    my $group = $self->{group};

    my @all = map { Martech::Process->adopt($_, name => 'nginx') }
        Martech::Process::group($group);

    $_->{stopped} = 1 for @all;
    kill KILL => -$group;

    wait_until(sub {
        return !grep({ $_->alive() } @all) && !Martech::Process::group($group);
    }, 10, 'all of nginx is gone');

    delete @{$self}{qw(old orphans)};
}


# ---- upgrade of the binary ----

# Starts the binary anew beside the old one (USR2).  pid(), running(), workers()
# and stop() are about the new master from now on.
sub upgrade {
    my ($self) = @_;
    my $failed = qr/new binary process \d+ exited/;
    my ($old, $before) = ($self->{process}, $self->logged($failed));
    my $pid;

    die "only with daemon => 1 a master can be upgraded\n"
        unless $self->{daemon};

    $self->{starts} += $self->generation();
    $old->signal('USR2');

    wait_until(sub {
        die "the new binary did not start:\n", $self->log_text()
            if $self->logged($failed) > $before;

        $pid = $self->pid_in('nginx.pid');

        return $pid && $pid != $old->pid() && $self->started();
    }, 20, 'the new binary starts');

    $self->{old} = $old;
    $self->{process} = Martech::Process->adopt($pid, name => 'nginx');
}


sub old_pid { $_[0]{old}->pid() }
sub old_workers { $_[0]->workers_of($_[0]{old}) }


# The old workers end, the old master stays (WINCH).
sub winch {
    my ($self, $limit) = @_;

    $self->{old}->signal('WINCH');

    return becomes(sub { !$self->old_workers() }, $limit // 20);
}


# The old master goes with all it has (QUIT): the upgrade is over.
sub quit_old {
    my ($self, $limit) = @_;

    return (delete $self->{old})->stop('QUIT', $limit // 20);
}


# Back to the old master: it gets workers if it has none (HUP), the new one
# goes (QUIT).
sub rollback {
    my ($self, $limit) = @_;
    my ($old, $new) = (delete $self->{old}, $self->{process});

    unless ($self->workers_of($old)) {
        $self->{starts} += $self->generation();
        $old->signal('HUP');
        wait_until(sub { $self->started() }, 20, 'the old master has workers');
    }

    my $done = $new->stop('QUIT', $limit // 20);

    $self->{process} = $old;
    wait_until(sub { $self->pid_in('nginx.pid') == $old->pid() }, 10,
               'the old master is the master again');

    return $done;
}


# Ends gracefully; true if it did so within the limit.
sub stop {
    my ($self, $limit) = @_;

    return 1 unless $self->{process};

    my $done = $self->{process}->stop('QUIT', $limit // 20);

    return $done unless $self->{old};
    return $self->quit_old($limit) && $done;
}


1;
