package Martech::Cluster;

# A real Redis Cluster of one test.
#
#     my $cluster = $t->cluster(masters => 3, replicas => 1);
#     # martech_redis  127.0.0.1:7000 ...: in the configuration of NGINX these
#     # ports stand for the nodes
#     $cluster->move_slot($cluster->slot('{mt:03}:in'), 1);
#
# A node is named by its number: the masters 0 .. masters - 1 with the slots in
# equal parts, then their replicas, then what add_node() brought.  After a
# failover the numbers stay with the processes.

use strict;
use warnings;

use List::Util qw(first);

use Martech::Redis;
use Martech::Wait qw(becomes wait_until);

my $SLOTS = 16384;


# dir => folder of its own; port => sub that gives the real port behind a name;
# base => 7000; masters => 3; replicas => 0 of each; timeout => ms after which
# a node counts as dead; options => [...]; password
sub new {
    my ($class, %arg) = @_;
    my $self = bless {
        base => 7000, masters => 3, replicas => 0, timeout => 1000,
        options => [], %arg, nodes => [],
    }, $class;

    mkdir $self->{dir};
    $self->start_node() for 1 .. $self->{masters} * (1 + $self->{replicas});
    $self->join_nodes();
    $self->give_slots();
    $self->give_replicas();
    $self->wait_ok();

    return $self;
}


sub start_node {
    my ($self) = @_;
    my $number = @{ $self->{nodes} };
    my $virtual = $self->{base} + $number;
    my $node = Martech::Redis->new(
        dir => "$self->{dir}/node$number",
        port => $self->{port}->($virtual), password => $self->{password},
        options => [
            '--cluster-enabled', 'yes', '--cluster-node-timeout',
            $self->{timeout}, '--cluster-port', $self->{port}->("bus$virtual"),
            '--cluster-allow-replica-migration', 'no',
            '--repl-diskless-sync-delay', 0,
            ($self->{password} ? ('--masterauth', $self->{password}) : ()),
            @{ $self->{options} },
        ]);

    $node->{bus} = $self->{port}->("bus$virtual");
    $node->{id} = $node->call('cluster', 'myid');
    push @{ $self->{nodes} }, $node;

    return $number;
}


# ---- nodes ----

# the Martech::Redis of a node, or of all
sub node { $_[0]{nodes}[$_[1]] }
sub nodes { @{ $_[0]{nodes} } }

sub port { $_[0]->node($_[1])->{port} }
sub address { '127.0.0.1:' . $_[0]->port($_[1]) }
sub addresses { my ($self) = @_; map { $self->address($_) } $self->numbers() }
sub numbers { 0 .. $#{ $_[0]{nodes} } }
sub stop { $_->stop() for $_[0]->nodes() }


# one command to a node: $cluster->call(0, 'info')
sub call {
    my ($self, $number, @command) = @_;

    return $self->node($number)->call(@command);
}


sub running {
    my ($self) = @_;

    return grep { $self->node($_)->running() && !$self->node($_)->{frozen} }
        $self->numbers();
}


# Kills a node at once, whatever it has not written yet.
sub kill { $_[0]->node($_[1])->{process}->kill_now() }
sub start { $_[0]->node($_[1])->start() }


# What a node (the first that runs) knows: a list of { number, id, flags,
# master (id or "-"), connected, slots => [[first, last], ...] }
sub view {
    my ($self, $from) = @_;

    $from //= ($self->running())[0] // die "no node of the cluster runs\n";

    return map { $self->view_of($_) }
        split /\n/, $self->call($from, 'cluster', 'nodes');
}


sub view_of {
    my ($self, $line) = @_;
    my ($id, undef, $flags, $master, undef, undef, undef, $link, @slots) =
        split / /, $line;

    return {
        id => $id, flags => $flags, master => $master,
        number => first(sub { $self->node($_)->{id} eq $id }, $self->numbers()),
        connected => $link eq 'connected',
        slots => [ map { /\A(\d+)(?:-(\d+))?\z/ ? [$1, $2 // $1] : () }
                   @slots ],
    };
}


# numbers of the masters that have slots and are not known to be dead
sub masters {
    my ($self) = @_;

    return sort { $a <=> $b } map { $_->{number} }
        grep { @{ $_->{slots} } && $_->{flags} =~ /master(?!,fail\b)/ }
        $self->view();
}


# numbers of the replicas of a node
sub replicas {
    my ($self, $number) = @_;
    my $id = $self->node($number)->{id};

    return map { $_->{number} } grep { $_->{master} eq $id } $self->view();
}


# ---- slots ----

sub slot { $_[0]->call(($_[0]->running())[0], 'cluster', 'keyslot', $_[1]) }


# number of the master of a slot
sub owner {
    my ($self, $slot, $from) = @_;

    for my $node ($self->view($from)) {
        my @ranges = @{ $node->{slots} };

        return $node->{number}
            if grep { $_->[0] <= $slot && $slot <= $_->[1] } @ranges;
    }

    return undef;
}


sub call_key {
    my ($self, $key, $command, @arg) = @_;

    my $owner = $self->owner($self->slot($key));
    my $answer = eval { $self->call($owner, $command, $key, @arg) };

    return $answer unless $@;

    # the slot is on its way, and this key is there already
    my ($port) = $@ =~ /\bASK \d+ \S+:(\d+)/ or die $@;
    my $to = first { $self->port($_) == $port } $self->numbers();

    $self->call($to, 'asking');

    return $self->call($to, $command, $key, @arg);
}


# of all shards, as Martech::Redis has them
sub events { Martech::Redis::events(@_) }
sub count { Martech::Redis::count(@_) }


# Moves a slot with its keys to another node; live, in three steps of which a
# test may take each on its own.
sub move_slot {
    my ($self, $slot, $to) = @_;

    $self->begin_move($slot, $to);
    $self->finish_move($slot, $to);
}


# From now on the owner answers ASK for keys that it does not have.
sub begin_move {
    my ($self, $slot, $to) = @_;
    my $from = $self->owner($slot);

    $self->call($to, 'cluster', 'setslot', $slot, 'importing',
                $self->node($from)->{id});
    $self->call($from, 'cluster', 'setslot', $slot, 'migrating',
                $self->node($to)->{id});
}


# Moves the keys that are there, so many at the most; their number.
sub move_keys {
    my ($self, $slot, $to, $max) = @_;
    my $from = $self->owner($slot);
    my $keys = $self->call($from, 'cluster', 'getkeysinslot', $slot,
                           $max // 1000);

    return 0 unless @$keys;

    $self->call($from, 'migrate', '127.0.0.1', $self->port($to), '', 0, 5000,
                ($self->{password} ? ('auth', $self->{password}) : ()),
                'keys', @$keys);

    return scalar @$keys;
}


# Moves the rest and gives the slot away: from now on it is MOVED.
sub finish_move {
    my ($self, $slot, $to) = @_;
    my $from = $self->owner($slot);

    while ($self->move_keys($slot, $to)) { }

    # the new owner first: no moment without one
    $self->give($slot, $to, $from);
    $self->wait_owner($slot, $to);
}


sub give {
    my ($self, $slot, $to, @others) = @_;
    my $id = $self->node($to)->{id};
    my %named = map { $_ => 1 } $to, @others;

    $self->call($_, 'cluster', 'setslot', $slot, 'node', $id)
        for $to, @others, grep { !$named{$_} } $self->masters();

    # the others believe the newest
    $self->call($to, 'cluster', 'bumpepoch');
}


# Makes all that runs see one owner of each of the slots: who has its keys, else
# whom most of them name.  A node that was killed may have forgotten a move,
# and nobody but the owner tells of a slot.
sub agree {
    my ($self, @slots) = @_;

    for my $slot (@slots) {
        my %votes;

        $votes{ $self->owner($slot, $_) // -1 }++ for $self->running();
        next if keys %votes == 1 && !exists $votes{-1};

        my ($owner) = grep {
            $self->call($_, 'cluster', 'countkeysinslot', $slot)
        } $self->masters();

        $owner //= (sort { $votes{$b} <=> $votes{$a} }
                    grep { $_ >= 0 } keys %votes)[0];
        $self->give($slot, $owner);
        $self->wait_owner($slot, $owner);
    }
}


# Gives a move up that has been begun; keys that are there already stay there.
sub stable {
    my ($self, $slot) = @_;

    $self->call($_, 'cluster', 'setslot', $slot, 'stable') for $self->masters();
}


# ---- changes ----

# A master without slots; its number.
sub add_node {
    my ($self) = @_;
    my $number = $self->start_node();

    $self->join_nodes();
    $self->wait_ok();

    return $number;
}


# A replica takes its master's place; that becomes its replica, unless it is
# dead.  force => 1 or takeover => 1 when it cannot agree.
sub failover {
    my ($self, $replica, %arg) = @_;
    my ($known) = grep { $_->{number} == $replica } $self->view();
    my ($old) = grep { $_->{id} eq $known->{master} } $self->view();

    $self->call($replica, 'cluster', 'failover', $arg{force} ? 'force'
                : $arg{takeover} ? 'takeover' : ());
    $self->wait_owner($_->[0], $replica, $arg{limit}) for @{ $old->{slots} };
    $self->wait_ok();
}


sub is_master { $_[0]->call($_[1], 'role')->[0] eq 'master' }


# until all that runs sees a whole cluster
sub wait_ok {
    my ($self, $limit) = @_;

    wait_until(sub {
        !grep { $self->call($_, 'cluster', 'info') !~ /cluster_state:ok/ }
            $self->running();
    }, $limit // 30, 'the cluster is whole');
}


# until all that runs sees that owner
sub wait_owner {
    my ($self, $slot, $owner, $limit) = @_;

    wait_until(sub {
        !grep { ($self->owner($slot, $_) // -1) != $owner } $self->running();
    }, $limit // 20, "slot $slot belongs to node $owner");
}


# ---- how it is made ----

sub join_nodes {
    my ($self) = @_;
    my $count = () = $self->nodes();

    for my $number ($self->numbers()) {
        my $node = $self->node($number);

        # with numbers of their own from the beginning they need not quarrel
        eval { $node->call('cluster', 'set-config-epoch', $number + 1) };
        next if $number == 0;

        $self->call(0, 'cluster', 'meet', '127.0.0.1', $node->{port},
                    $node->{bus});
    }

    wait_until(sub {
        !grep { $count != grep { $_->{connected} && $_->{flags} !~ /handshake/ }
                $self->view($_) } $self->running();
    }, 20, 'the nodes know each other');
}


sub give_slots {
    my ($self) = @_;
    my $masters = $self->{masters};
    my @bounds = map { int($SLOTS * $_ / $masters) } 0 .. $masters;

    $self->call($_, 'cluster', 'addslotsrange', $bounds[$_],
                $bounds[$_ + 1] - 1) for 0 .. $masters - 1;
}


sub give_replicas {
    my ($self) = @_;
    my $masters = $self->{masters};

    for my $number ($masters .. $#{ $self->{nodes} }) {
        my $master = $self->node($number % $masters)->{id};

        $self->call($number, 'cluster', 'replicate', $master);
    }

    $self->wait_synced($_) for $masters .. $#{ $self->{nodes} };
}


# until a replica has all of its master
sub wait_synced {
    my ($self, $replica, $limit) = @_;

    wait_until(sub {
        my $role = $self->call($replica, 'role');

        return $role->[0] eq 'slave' && $role->[3] eq 'connected';
    }, $limit // 20, "node $replica follows its master");
}


1;
