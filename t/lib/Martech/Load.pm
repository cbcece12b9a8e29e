package Martech::Load;

# Clients that send numbered events until they are stopped, and remember each
# one that was answered with success: what was promised must arrive.
#
# Without "rate" each client is a process that sends as fast as it is answered.
# With it one process sends so many events a second (Martech::Pace).

use strict;
use warnings;

use Martech::Http qw(post_bytes);
use Martech::Pace;
use Martech::Process;
use Martech::Wait qw(wait_until);


# port; dir => folder for the lists; path => '/v1/batch'; clients => 2;
# key => write key; batch => events a request; rate => see Martech::Pace
sub new {
    my ($class, %arg) = @_;

    return Martech::Pace->new(%arg) if $arg{rate};

    my $self = bless { clients => 2, path => '/v1/batch', batch => 2, %arg },
        $class;

    for my $n (1 .. $self->{clients}) {
        push @{ $self->{processes} }, Martech::Process->start(
            name => "client $n", code => sub { $self->client($n) });
    }

    return $self;
}


sub client {
    my ($self, $n) = @_;
    my ($connection, $stop, $number) = (undef, 0, 0);

    local $SIG{TERM} = sub { $stop = 1 };

    open my $list, '>>', "$self->{dir}/acked.$n" or die "acked.$n: $!\n";
    $list->autoflush(1);

    until ($stop) {
        my @ids = map { sprintf 'c%d-%06d', $n, ++$number }
            1 .. $self->{batch};
        my $request = post_bytes($self->{path}, { batch => [ map { {
            type => 'track', event => 'Load', anonymousId => "visitor-$n",
            messageId => $_,
        } } @ids ] }, key => $self->{key});

        $connection //= eval { Martech::Http->connect($self->{port}) };

        my $status = $connection && $connection->send($request)
            ? $connection->response(limit => 30)->{status} : 0;

        if ($status == 200) {
            print $list map { "$_\n" } @ids;
            next;
        }

        # refused, cut or unanswered: nothing was promised
        $connection->close() if $connection;
        undef $connection;
        select undef, undef, undef, 0.01;
    }
}


# messageIds that were answered with success so far
sub acked {
    my ($self) = @_;
    my @ids;

    for my $n (1 .. $self->{clients}) {
        open my $fh, '<', "$self->{dir}/acked.$n" or next;
        push @ids, map { s/\n\z// ? $_ : () } <$fh>;
    }

    return @ids;
}


# waits until so many more were answered than at the time of the call
sub wait_more {
    my ($self, $count, $limit) = @_;
    my $want = $count + (() = $self->acked());

    wait_until(sub { my $have = () = $self->acked(); $have >= $want },
               $limit // 30, "$count more events are answered");
}


sub stop {
    my ($self) = @_;

    $_->signal('TERM') for @{ $self->{processes} };
    $_->wait_end(35) or $_->kill_now() for @{ $self->{processes} };

    return $self->acked();
}


1;
