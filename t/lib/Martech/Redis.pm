package Martech::Redis;

# A private redis-server of one test: unix socket, AOF, nothing evicted.

use strict;
use warnings;

use Redis ();
use Time::HiRes qw(time);

use Martech::Http qw(from_json);
use Martech::Process;
use Martech::Wait qw(becomes wait_until);


# dir => folder of its own; port => TCP port as well; options => [...] further
# arguments of redis-server; password => requirepass
sub new {
    my ($class, %arg) = @_;
    my $self = bless { %arg, options => $arg{options} // [] }, $class;

    mkdir $self->{dir};
    $self->start();

    return $self;
}


sub socket { "$_[0]{dir}/redis.sock" }
sub pid { $_[0]{process}->pid() }
sub running { $_[0]{process}->alive() }


sub start {
    my ($self) = @_;
    my @options = @{ $self->{options} };

    push @options, '--requirepass', $self->{password} if $self->{password};

    unlink $self->socket();

    $self->{process} = Martech::Process->start(
        name => 'redis-server',
        output => "$self->{dir}/redis.log",
        argv => [
            'redis-server', '--port', $self->{port} // 0,
            '--bind', '127.0.0.1', '--unixsocket', $self->socket(),
            '--unixsocketperm', '777', '--dir', $self->{dir},
            '--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '',
            '--maxmemory-policy', 'noeviction', '--daemonize', 'no', @options,
        ]);

    wait_until(sub { !$self->running() || $self->answers() }, 20,
               'redis-server answers');

    die "redis-server did not start: see $self->{dir}/redis.log\n"
        unless $self->running();
}


# false while it loads or does not listen yet
sub answers {
    my ($self) = @_;

    return 1 if eval { $self->client()->ping() };

    # Redis.pm does not mend a connection that was refused an answer
    delete $self->{client};

    return 0;
}


# a connection; made anew after a restart, or when Redis has closed it
sub client {
    my ($self) = @_;
    my $client = $self->{client};

    if (!$client || $self->{client_of} != $self->pid() || closed($client)) {
        $client = $self->connect();
        @{$self}{qw(client client_of)} = ($client, $self->pid());
    }

    return $client;
}


# nothing but its end can come from Redis when nothing was asked
sub closed {
    my ($client) = @_;
    my $bits = '';

    return 1 unless $client->{sock};

    vec($bits, fileno $client->{sock}, 1) = 1;

    return select $bits, undef, undef, 0;
}


sub connect {
    my ($self) = @_;

    return Redis->new(
        sock => $self->socket(), no_auto_connect_on_new => 0,
        ($self->{password} ? (password => $self->{password}) : ()));
}


# one command: $redis->call('xlen', $key)
sub call {
    my ($self, $command, @arg) = @_;

    # in a list Redis.pm would take an array reply apart
    return scalar $self->client()->__std_cmd($command, @arg);
}


# a command about a key, wherever that is: a cluster has many places
sub call_key {
    my ($self, $key, $command, @arg) = @_;

    return $self->call($command, $key, @arg);
}


# as a process that hangs: connections stay, nothing is answered
sub freeze {
    my ($self) = @_;

    $self->{frozen} = 1;
    $self->{process}->signal('STOP');
}


sub thaw {
    my ($self) = @_;

    $self->{frozen} = 0;
    $self->{process}->signal('CONT');
}


# Kills it when all that it has answered is in its file.  With "everysec" Redis
# puts a write off while an fsync runs, at the turn of a second, and answers
# all the same; a kill in that moment would be a test of Redis.
sub kill_now {
    my ($self) = @_;

    wait_until(sub { $self->settled() }, 10, 'its file is written')
        unless $self->{frozen};

    $self->{frozen} = 0;
    $self->{process}->kill_now();
}


sub settled {
    my ($self) = @_;
    my $part = time() - int time();
    my $info = $self->connect()->info();

    return $info->{aof_buffer_length} == 0
        && $info->{aof_pending_bio_fsync} == 0 && $part > 0.3 && $part < 0.8;
}


sub stop { $_[0]{process}->stop('TERM', 10) }


sub restart {
    my ($self) = @_;

    $self->kill_now();
    $self->start();
}


# one value of INFO
sub info {
    my ($self, $name) = @_;

    return $self->client()->info()->{$name};
}


# ---- streams (docs/SPEC.md) ----

sub tags {
    my ($prefix, $shards) = @_;

    return map { sprintf '{%s:%02d}', $prefix, $_ } 0 .. $shards - 1;
}


# All entries of all shards, in the order of their shards:
# { shard, entry (its ID), v, id, src, e (bytes), event (decoded) }.
# decode => 0 leaves the event out; key => 'quarantine' reads that stream, whose
# field of the event is q.
sub events {
    my ($self, %arg) = @_;
    my $shard = 0;
    my $key = $arg{key} // 'in';
    my @events;

    for my $tag (tags($arg{prefix} // 'mt', $arg{shards} // 16)) {
        my $entries = $self->call_key("$tag:$key", 'xrange', '-', '+');

        for my $entry (@$entries) {
            my %event = (@{ $entry->[1] }, entry => $entry->[0],
                         shard => $shard, tag => $tag);

            $event{event} = from_json($event{e} // $event{q})
                if $arg{decode} // 1;
            push @events, \%event;
        }

        $shard++;
    }

    return @events;
}


# how many entries all shards hold
sub count {
    my ($self, %arg) = @_;
    my $count = 0;

    $count += $self->call_key("$_:in", 'xlen')
        for tags($arg{prefix} // 'mt', $arg{shards} // 16);

    return $count;
}


1;
