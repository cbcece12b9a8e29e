package Martech::Sentinel;

# A master, its replicas, and the sentinels that watch them.
#
#     my $group = $t->sentinel(replicas => 1, sentinels => 3);
#     $group->kill_master();
#     $group->wait_for_master_change();
#     my @events = $group->master()->events();
#
# The nodes are Martech::Redis objects; their numbers, and those of the
# sentinels, stay with the processes.

use strict;
use warnings;

use List::Util qw(first);
use Redis ();

use Martech::Process;
use Martech::Redis;
use Martech::Wait qw(becomes wait_until);


# dir => folder of its own; port => sub that gives the real port behind a name;
# base => 6400 for the nodes, 26400 for the sentinels; replicas => 1;
# sentinels => 1; quorum => the majority; name => "martech"; down_after => ms;
# failover_timeout => ms; min_replicas => 0; options => [...]; password
sub new {
    my ($class, %arg) = @_;
    my $self = bless {
        base => 6400, sentinel_base => 26400, replicas => 1, sentinels => 1,
        name => 'martech', down_after => 1000, failover_timeout => 2000,
        min_replicas => 0, options => [], %arg, nodes => [], watchers => [],
    }, $class;

    $self->{quorum} //= int($self->{sentinels} / 2) + 1;

    mkdir $self->{dir};
    $self->add_node($_) for 0 .. $self->{replicas};
    $self->wait_replica_synced($_) for 1 .. $self->{replicas};
    $self->add_sentinel($_) for 0 .. $self->{sentinels} - 1;
    $self->{seen} = $self->master_address();
    $self->wait_ready();

    return $self;
}


# ---- nodes ----

sub add_node {
    my ($self, $number) = @_;
    my $password = $self->{password};
    my @options = (
        '--repl-diskless-sync-delay', 0, '--repl-ping-replica-period', 1,
        '--min-replicas-to-write', $self->{min_replicas},
        '--min-replicas-max-lag', 2,
        ($password ? ('--masterauth', $password) : ()), @{ $self->{options} },
    );

    my $node = Martech::Redis->new(
        dir => "$self->{dir}/node$number", password => $password,
        port => $self->{port}->($self->{base} + $number),
        options => [ @options, $number ? $self->follow(0) : () ]);

    $node->{base_options} = \@options;
    push @{ $self->{nodes} }, $node;
}


sub follow { ('--replicaof', '127.0.0.1 ' . $_[0]->node($_[1])->{port}) }

sub node { $_[0]{nodes}[$_[1]] }
sub nodes { @{ $_[0]{nodes} } }


# the address of the master, as the first sentinel that runs says it
sub master_address {
    my ($self) = @_;
    my $answer = $self->ask('get-master-addr-by-name', $self->{name});

    return join ':', @$answer;
}


# number of the node that is the master for the sentinels
sub master_number {
    my ($self, $address) = @_;

    $address //= $self->master_address();

    return first { '127.0.0.1:' . $self->node($_)->{port} eq $address }
        0 .. $#{ $self->{nodes} };
}


sub master { $_[0]->node($_[0]->master_number()) }


# Kills the master at once; its number.
sub kill_master {
    my ($self) = @_;

    $self->{seen} = $self->master_address();

    my $number = $self->master_number($self->{seen});

    $self->node($number)->{process}->kill_now();

    return $number;
}


# Starts a node that was killed: as a replica of the present master; with
# master => 1 as the master it was, which the sentinels have to change.
sub start_node {
    my ($self, $number, %arg) = @_;
    my $node = $self->node($number);
    my $master = $self->master_number();

    $node->{options} = [ @{ $node->{base_options} }, $arg{master}
                         || $master == $number ? () : $self->follow($master) ];
    $node->start();
}


# Makes the sentinels choose another master, without waiting for it.
sub failover {
    my ($self) = @_;

    $self->{seen} = $self->master_address();

    # they look now and then which replicas are good
    wait_until(sub { eval { $self->ask('failover', $self->{name}) } }, 20,
               'the sentinels begin a failover');
}


# Waits until the sentinels name another master than before the last
# kill_master() or failover(), and it is one; its address.
sub wait_for_master_change {
    my ($self, $limit) = @_;

    return $self->{seen} = wait_until(sub {
        my $address = eval { $self->master_address() } // $self->{seen};

        return 0 if $address eq $self->{seen};

        my $node = $self->node($self->master_number($address));

        return eval { $node->call('role')->[0] eq 'master' } ? $address : 0;
    }, $limit // 30, 'there is another master');
}


# until a replica follows a master and has all that it has
sub wait_replica_synced {
    my ($self, $number, $limit) = @_;

    wait_until(sub {
        my $role = eval { $self->node($number)->call('role') } // [''];

        return 0 unless $role->[0] eq 'slave' && $role->[3] eq 'connected';

        my $master = first { $_->{port} == $role->[2] } $self->nodes();

        return $role->[4] >= $master->info('master_repl_offset');
    }, $limit // 30, "node $number follows the master");
}


# ---- sentinels ----

sub addresses { map { "127.0.0.1:$_->{port}" } @{ $_[0]{watchers} } }


sub add_sentinel {
    my ($self, $number) = @_;
    my $watcher = {
        port => $self->{port}->($self->{sentinel_base} + $number),
        dir => "$self->{dir}/sentinel$number",
    };
    my $name = $self->{name};
    my $port = $self->node(0)->{port};

    mkdir $watcher->{dir};
    open my $fh, '>', "$watcher->{dir}/sentinel.conf" or die "sentinel: $!\n";
    print $fh <<"END";
port $watcher->{port}
bind 127.0.0.1
dir $watcher->{dir}
sentinel monitor $name 127.0.0.1 $port $self->{quorum}
sentinel down-after-milliseconds $name $self->{down_after}
sentinel failover-timeout $name $self->{failover_timeout}
END
    print $fh "sentinel auth-pass $name $self->{password}\n"
        if $self->{password};
    close $fh;

    $self->{watchers}[$number] = $watcher;
    $self->start_sentinel($number);
}


sub start_sentinel {
    my ($self, $number) = @_;
    my $watcher = $self->{watchers}[$number];

    $watcher->{process} = Martech::Process->start(
        name => 'sentinel', output => "$watcher->{dir}/sentinel.log",
        argv => ['redis-server', "$watcher->{dir}/sentinel.conf",
                 '--sentinel']);

    wait_until(sub { $self->ask_one($number, 'myid') }, 20,
               'a sentinel answers');

    # It looks for what is new each half second instead of each 10 s.  No good
    # replica is one that it has not asked for five times the last period, and
    # it asks once a second.
    eval { $self->ask_one($number, 'debug', 'info-period', 500,
                          'publish-period', 500, 'ask-period', 200,
                          'ping-period', 300) };
}


sub stop_sentinel { $_[0]{watchers}[$_[1]]{process}->stop('TERM', 5) }


# "SENTINEL ..." to the first that runs
sub ask {
    my ($self, @command) = @_;

    for my $number (0 .. $#{ $self->{watchers} }) {
        next unless $self->{watchers}[$number]{process}->alive();

        my $answer = $self->ask_one($number, @command);

        return $answer if defined $answer;
    }

    die "no sentinel answers\n";
}


sub ask_one {
    my ($self, $number, @command) = @_;
    my $watcher = $self->{watchers}[$number];
    my $client = eval { Redis->new(server => "127.0.0.1:$watcher->{port}",
                                   no_auto_connect_on_new => 0) };

    return undef unless $client;
    return scalar $client->__std_cmd('sentinel', @command);
}


# until each sentinel knows all nodes and the other sentinels
sub wait_ready {
    my ($self, $limit) = @_;

    wait_until(sub {
        !grep {
            my %master = @{ $self->ask_one($_, 'master', $self->{name}) };

            $master{'num-slaves'} < $self->{replicas}
                || $master{'num-other-sentinels'} < $self->{sentinels} - 1;
        } 0 .. $#{ $self->{watchers} };
    }, $limit // 30, 'the sentinels know everything');
}


sub stop {
    my ($self) = @_;

    $_->{process}->stop('TERM', 5) for @{ $self->{watchers} };
    $_->stop() for $self->nodes();
}


1;
