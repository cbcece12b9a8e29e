package Martech::Visitor;

# One visitor who sends numbered events over one connection, until stopped: the
# order in which they are stored must be the order of the numbers.
#
#     my $visitor = Martech::Visitor->new(port => $port, dir => $t->dir(),
#                                         name => 'v7', pipeline => 8);
#     $visitor->wait_more(100);
#     $visitor->stop();
#     is_deeply($visitor->faults([ $redis->events(decode => 0) ]), [], '...');
#
# What is not answered with success is not sent again; the answers are in a
# file, in the order of the numbers.

use strict;
use warnings;

use Martech::Http qw(post_bytes);
use Martech::Process;
use Martech::Wait qw(wait_until);

my $REST = 0.004;


# port; dir => folder of the list; name => anonymousId, and what the messageIds
# begin with; path => where the API is; pipeline => 1: requests at once; batch
# => 1: events a request; first => 1
sub new {
    my ($class, %arg) = @_;
    my $self = bless {
        path => '', pipeline => 1, batch => 1, first => 1, %arg,
    }, $class;

    $self->{process} = Martech::Process->start(
        name => "visitor $self->{name}", code => sub { $self->run() });

    return $self;
}


sub list { "$_[0]{dir}/visitor.$_[0]{name}" }


# ---- the process ----

sub run {
    my ($self) = @_;
    my ($connection, $stop, $number) = (undef, 0, $self->{first});

    local $SIG{TERM} = sub { $stop = 1 };

    open my $list, '>>', $self->list() or die $self->list() . ": $!\n";
    $list->autoflush(1);

    until ($stop) {
        my @round;

        for (1 .. $self->{pipeline}) {
            push @round, [ $number .. $number + $self->{batch} - 1 ];
            $number += $self->{batch};
        }

        $connection //= eval { Martech::Http->connect($self->{port}) };
        $connection->send(join '', map { $self->request($_) } @round)
            if $connection;

        for my $numbers (@round) {
            my $answer = $connection ? $connection->response(limit => 30)
                                     : { status => 0 };
            my $ack = $answer->{headers}{'x-martech-ack'} // '-';

            print $list map { "$_ $answer->{status} $ack\n" } @$numbers;
            undef $connection unless $answer->{status};
        }

        # a rest: what is tested is order, not speed
        select undef, undef, undef, $REST;
    }
}


sub request {
    my ($self, $numbers) = @_;
    my @events = map { { type => 'track', event => 'Numbered',
                         anonymousId => $self->{name},
                         messageId => "$self->{name}.$_" } } @$numbers;

    return $self->{batch} > 1
        ? post_bytes("$self->{path}/v1/batch", { batch => \@events })
        : post_bytes("$self->{path}/v1/track", $events[0]);
}


# ---- what became of it ----

# a list of { n, status, ack }
sub answers {
    my ($self) = @_;

    open my $fh, '<', $self->list() or return ();

    return map { /\A(\d+) (\d+) (\S+)\n\z/
                 ? { n => $1, status => $2, ack => $3 } : () } <$fh>;
}


# how many were answered with success
sub acked { scalar grep { $_->{status} == 200 } $_[0]->answers() }


# how often which status came: { 200 => 17 }
sub statuses {
    my ($self) = @_;
    my %count;

    $count{$_->{status}}++ for $self->answers();

    return \%count;
}


sub wait_more {
    my ($self, $count, $limit) = @_;
    my $want = $self->acked() + $count;

    wait_until(sub { $self->acked() >= $want }, $limit // 30,
               "$count more events of $self->{name} are answered");
}


sub stop {
    my ($self) = @_;

    $self->{process}->signal('TERM');
    $self->{process}->wait_end(35) or $self->{process}->kill_now();
}


# numbers of this visitor among stored events, in their order
sub numbers {
    my ($self, @events) = @_;

    return map { $_->{id} =~ /\A\Q$self->{name}\E\.(\d+)\z/ ? $1 : () }
        @events;
}


# What is wrong with stored events: a text each for what was answered with
# success and is not there, for what is there twice (unless twice => 1: a
# connection was lost), and for what comes after a later one.
sub faults {
    my ($self, $events, %arg) = @_;
    my ($last, %seen, @faults) = (0);

    for my $n ($self->numbers(@$events)) {
        if ($seen{$n}++) {
            push @faults, "$n again" unless $arg{twice};
            next;
        }

        push @faults, "$n after $last" if $n < $last;
        $last = $n;
    }

    push @faults, map { "$_->{n} lost" }
        grep { $_->{status} == 200 && !$seen{$_->{n}} } $self->answers();

    return \@faults;
}


1;
