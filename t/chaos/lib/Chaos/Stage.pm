package Chaos::Stage;

# One topology of Redis with an NGINX before it: what runs, what can be hurt,
# and what has arrived at the end.  The classes below differ in the Redis.

use strict;
use warnings;

use Chaos::Disk;
use Chaos::Edge;
use Martech::Http qw(to_json);
use Martech::Test;
use Martech::Tmpfs;

# so that a Redis may be killed at any time, and its file tells what it got
our @REDIS = qw(--appendfsync always --auto-aof-rewrite-percentage 0);

my $DISK_MB = 24;
my $WORKERS = 2;

# The plan keeps each event aside whose number is divisible by the one, and the
# other is a word of the text of each.
my $ASIDE = 5;
my $MASKED = 'lazy';

my $PLAN = to_json({
    martech_plan => 1, name => 'chaos', version => '1', events => {
        Paced => {
            violation => 'quarantine',
            properties => { properties => {
                n => { not => { multipleOf => $ASIDE } },
                text => { type => 'string' },
            } },
        },
    },
});

# by name on the command line
my %CLASS = (single => 'Chaos::Stage::Single',
             sentinel => 'Chaos::Stage::Sentinel',
             cluster => 'Chaos::Stage::Cluster');


sub names { sort keys %CLASS }


# t => the Martech::Test that owns everything
sub new {
    my ($class, $name, $t) = @_;
    my $self = bless { name => $name, t => $t }, $CLASS{$name};

    $self->{disk} = Martech::Tmpfs->new(dir => $t->dir() . '/disk',
                                        mb => $DISK_MB);
    mkdir $self->{disk}->dir();
    $self->{spool} = $self->{disk}->dir() . '/spool';
    mkdir $self->{spool};
    $self->{shim} = $t->shim(folder => $self->{spool});

    $self->{plan} = $t->file('plan.json', $PLAN);
    $self->make_redis();
    $self->{nginx} = $t->nginx($self->conf(), workers => $WORKERS, daemon => 1,
                               $self->{shim}->preload());
    $self->start_rest();
    $self->{edge} = Chaos::Edge->new(name => 'nginx', nginx => $self->{nginx});

    return $self;
}


sub lanes {
    my ($self) = @_;

    return ($self->{edge},
            Chaos::Disk->new(name => 'disk', rest => [0.2, 3],
                             disk => $self->{disk}, shim => $self->{shim}),
            $self->redis_lanes());
}


# the faults of a topology, without starting anything
sub blank_lanes {
    my ($class, $name) = @_;
    my $self = bless { edge => Chaos::Edge->new(name => 'nginx') },
        $CLASS{$name};

    return $self->lanes();
}


sub conf {
    my ($self) = @_;

    return <<"END";
    martech_redis   @{[ $self->address() ]} timeout=2s connect_timeout=500ms;
    martech_spool   $self->{spool} max_size=16m segment=1m after=300ms;
    martech_buffer  1m;
    martech_plan    $self->{plan};
    martech_redact  value~$MASKED mask;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END
}


sub start_rest { }


sub port { $_[0]{t}->port(8080) }
sub status { get($_[0]->port(), '/status', limit => 5)->{json} // {} }


# folders of the spool whose worker has gone: "w<number>.<process>...."
sub orphans {
    my ($self) = @_;

    return grep { !m{/w\d+\.(\d+)\.[^/]+\z} || !Martech::Process::lives($1) }
        grep { !m{/damaged\z} } glob "$self->{spool}/*";
}


# true when the events behind the edge are where they are looked for
sub settled { 1 }


# what the oracle must know of the plan and the rule
sub expected { (aside => $ASIDE, masked => $MASKED) }


# Gives each event that has arrived to the oracle.
sub collect {
    my ($self, $oracle) = @_;

    for my $event ($self->source()->events(decode => 0)) {
        $oracle->take($event->{e}, $event->{id});
    }

    $self->collect_quarantine($oracle);
}


sub collect_quarantine {
    my ($self, $oracle) = @_;

    for my $event ($self->source()->events(key => 'quarantine', decode => 0)) {
        $oracle->take($event->{q}, $event->{id}, 1);
    }
}


# what no log may contain
sub serious_lines {
    my ($self) = @_;
    my $log = $self->{nginx} ? $self->{nginx}->log_text() : '';

    return $self->{t}->serious_lines(without_hurry($log)
        . ($self->{forwarder} ? $self->{forwarder}->log_text() : ''));
}


# NGINX 1.22 complains of open sockets, those of clients, when a worker that
# waits for them in a graceful shutdown is told to end at once.
sub without_hurry {
    my ($log) = @_;
    my (%leaving, $hurry, @kept);

    for (split /^/, $log) {
        $leaving{$1} = 1 if /\[notice\] (\d+)#.* gracefully shutting down/;
        $hurry = 1 if /signal 15 \(SIGTERM\) received/;

        next if $hurry && /\[alert\] (\d+)#.* (?:open socket|aborting)/
                && $leaving{$1};
        push @kept, $_;
    }

    return join '', @kept;
}


# Where a Redis has noted that it got an event, if any has.
sub traces {
    my ($self, $id) = @_;
    my @files = glob $self->{t}->dir() . '/{redis*,*/node*}/appendonlydir/*';

    return map { s{.*/([^/]+)/appendonlydir/}{$1 }r }
        grep { Martech::Nginx::slurp($_) =~ /\Q"messageId":"$id"/ } @files;
}


package Chaos::Stage::Single;

use parent -norequire, qw(Chaos::Stage);

use Chaos::Courier;
use Chaos::Net;
use Chaos::Server;
use Martech::Path qw(forwarder_conf drained);


sub make_redis {
    my ($self) = @_;

    $self->{redis} = $self->{t}->redis(options => \@Chaos::Stage::REDIS);
    $self->{proxy} = $self->{t}->proxy();
}


sub address { $_[0]{proxy}->address() }
sub source { $_[0]{redis} }


sub start_rest {
    my ($self) = @_;

    $self->{forwarder} = $self->{t}->forwarder(
        forwarder_conf(without => 'hook'));
}


sub redis_lanes {
    my ($self) = @_;

    return (Chaos::Server->new(name => 'redis', redis => $self->{redis}),
            Chaos::Net->new(name => 'net', proxy => $self->{proxy}),
            Chaos::Courier->new(name => 'forwarder', rest => [3, 12],
                                forwarder => $self->{forwarder}));
}


sub settled { drained($_[0]{redis}, 'archive') && !$_[0]->unread() }


# entries that the forwarder has not looked at yet
sub unread {
    my ($self) = @_;
    my $count = 0;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        my $groups = eval { $self->{redis}->call('xinfo', 'groups', "$tag:in") }
            or next;
        my %group = @{ $groups->[0] // [] };

        $count += ($group{lag} // 0) + ($group{pending} // 0);
    }

    return $count;
}


# at the destination, to which nothing comes that is in quarantine
sub collect {
    my ($self, $oracle) = @_;

    for my $file (sort glob $self->{t}->dir() . '/archive/*') {
        open my $fh, '<', $file or next;

        while (my $line = <$fh>) {
            chomp $line;
            $oracle->take($line);
        }
    }

    $self->collect_quarantine($oracle);
}


package Chaos::Stage::Sentinel;

use parent -norequire, qw(Chaos::Stage);

use Chaos::Group;


sub make_redis {
    my ($self) = @_;

    $self->{group} = $self->{t}->sentinel(
        replicas => 1, sentinels => 1, options => \@Chaos::Stage::REDIS);
}


sub address {
    my ($self) = @_;
    my @addresses = $self->{group}->addresses();

    return "@addresses sentinel=martech wait_replicas=1:500ms";
}


sub source { $_[0]{group}->master() }


sub redis_lanes {
    my ($self) = @_;

    return Chaos::Group->new(name => 'redis', group => $self->{group});
}


package Chaos::Stage::Cluster;

use parent -norequire, qw(Chaos::Stage);

use Chaos::Slots;


sub make_redis {
    my ($self) = @_;

    $self->{cluster} = $self->{t}->cluster(options => \@Chaos::Stage::REDIS);
}


sub address {
    my ($self) = @_;
    my @addresses = $self->{cluster}->addresses();

    return "@addresses cluster";
}


sub source { $_[0]{cluster} }


sub redis_lanes {
    my ($self) = @_;

    return Chaos::Slots->new(name => 'redis', cluster => $self->{cluster});
}


1;
