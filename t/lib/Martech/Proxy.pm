package Martech::Proxy;

# Stands between a client and a server, for TCP or unix sockets, and behaves
# as badly as the test says.
#
#     my $proxy = $t->proxy(to => $redis->socket());
#     # martech_redis  <address>, as address() names it
#     $proxy->cut_after(to_client => 100);
#
# One process and one loop; nothing in it blocks.  What is on the way is
# limited (see $ROOM): a side that does not read stops the other side.
# Orders are in force when the method returns, for all connections, those of
# later too, until resume().

use strict;
use warnings;

use Errno qw(EAGAIN EINPROGRESS EINTR);
use IO::Socket::INET;
use IO::Socket::UNIX;
use List::Util qw(min sum0);
use Socket qw(PF_INET PF_UNIX SOCK_STREAM SOL_SOCKET SO_LINGER IPPROTO_TCP
              TCP_NODELAY SO_ERROR inet_aton pack_sockaddr_in pack_sockaddr_un);
use Time::HiRes qw(time);

use Martech::Control;

# bytes on the way in one direction, and of one read
my ($ROOM, $CHUNK) = (1 << 20, 1 << 16);

my %OTHER = (client => 'server', server => 'client');


# to => port or path of a socket; port => TCP port, or path => where it
# listens; neither: any port
sub new {
    my ($class, %arg) = @_;
    my $self = bless { %arg }, $class;
    my $listener = $self->listener();

    $self->{port} = $listener->sockport() unless defined $self->{path};
    $self->{control} = Martech::Control->start(
        name => 'proxy', closes => [$listener],
        code => sub { $self->serve($listener, $_[0]) });

    return $self;
}


sub port { $_[0]{port} }
sub pid { $_[0]{control}->pid() }
sub stop { $_[0]{control}->stop() }


# as martech_redis wants it
sub address {
    my ($self) = @_;

    return defined $self->{path} ? "unix:$self->{path}"
                                 : "127.0.0.1:$self->{port}";
}


# Everything passes again, new connections are taken.  Bytes that were swallowed
# are lost: a client that is still connected gets the answers to other commands.
sub resume { $_[0]->order('resume') }

# Ends all connections now.  reset => 1: with RST and without what is on the
# way; else with FIN.  New ones are taken.
sub cut { my ($self, %arg) = @_; $self->order('cut', %arg) }

# Ends the connection that carries the last of so many bytes, counted from now
# on over all connections: to_client => bytes or to_server => bytes, reset => 1.
# These bytes arrive, no other one does.
sub cut_after { my ($self, %arg) = @_; $self->order('cut_after', %arg) }

# Reads no more from "client", "server", or both, and keeps the sockets open.
sub stall { $_[0]->order('stall', side => $_[1] // 'both') }

# Commands reach the server, its answers are thrown away.
sub swallow { $_[0]->order('swallow') }

# Answers come so much later; commands => 1: commands as well.
sub delay {
    my ($self, $ms, %arg) = @_;

    $self->order('delay', ms => $ms, %arg);
}

# Refuses new connections; those that are open stay.
sub refuse { $_[0]->order('refuse') }

# { accepted, open, cuts, to_client, to_server (bytes), swallowed, waiting }
sub stats { $_[0]->order('stats') }


sub order {
    my ($self, $name, %arg) = @_;

    return $self->{control}->ask(%arg, order => $name);
}


sub listener {
    my ($self) = @_;

    if (defined $self->{path}) {
        unlink $self->{path};

        my $listener = IO::Socket::UNIX->new(
            Type => SOCK_STREAM, Local => $self->{path}, Listen => 128,
        ) or die "proxy cannot listen on $self->{path}: $!\n";

        chmod 0777, $self->{path};

        return $listener;
    }

    return IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $self->{port} // 0,
        Listen => 128, ReuseAddr => 1,
    ) || die "proxy cannot listen: $!\n";
}


# ---- the process ----

# A pair is { client, server (handles), queue => { client => [[due, bytes],
# ...], server => ... } (what is to be written to it), size (of the queue),
# eof => { side => 1 }, shut => { side => 1 }, cut => 1 (its end was ordered) }

sub serve {
    my ($self, $listener, $control) = @_;

    @{$self}{qw(listen pairs ends mode)} = ($listener, {}, {}, {});
    $self->{stats} = { map { $_ => 0 }
        qw(accepted cuts to_client to_server swallowed) };
    $listener->blocking(0);

    while (1) {
        my ($reads, $writes) = $self->wanted($control);

        next if select($reads, $writes, undef, $self->pause()) < 0;

        if (vec $reads, fileno $control->fh(), 1) {
            $control->orders(sub { $self->obey($_[0]) }) or return;

            # what was ready before may not be so now
            next;
        }

        $self->take_client() if $self->{listen}
            && vec $reads, fileno $self->{listen}, 1;

        # a copy: connections end on the way
        for my $end (my @ends = values %{ $self->{ends} }) {
            my ($pair, $side, $fd) = @{$end}{qw(pair side fd)};

            $self->take_bytes($pair, $side)
                if !$pair->{gone} && vec $reads, $fd, 1;
            $self->give_bytes($pair, $side)
                if !$pair->{gone} && vec $writes, $fd, 1;
        }
    }
}


# the handles to look at, as select() wants them
sub wanted {
    my ($self, $control) = @_;
    my ($reads, $writes, $now) = ('', '', time());

    vec($reads, fileno $control->fh(), 1) = 1;
    vec($reads, fileno $self->{listen}, 1) = 1 if $self->{listen};

    for my $end (values %{ $self->{ends} }) {
        my ($pair, $side, $fd) = @{$end}{qw(pair side fd)};
        my $queue = $pair->{queue}{$side};

        vec($reads, $fd, 1) = 1 if $self->may_read($pair, $side);
        vec($writes, $fd, 1) = 1
            if $pair->{connecting} && $side eq 'server'
               || @$queue && $queue->[0][0] <= $now;
    }

    return ($reads, $writes);
}


sub may_read {
    my ($self, $pair, $side) = @_;
    my $stall = $self->{mode}{stall} // '';

    return 0 if $pair->{eof}{$side}
                || $pair->{connecting} && $side eq 'server';

    # it is thrown away
    return 1 if $pair->{cut};

    return 0 if $stall eq 'both' || $stall eq $side;
    return $pair->{size}{$OTHER{$side}} < $ROOM;
}


# seconds until delayed bytes are due
sub pause {
    my ($self) = @_;
    my $now = time();
    my @due = grep { $_ > $now } map { $_->[0][0] } grep { @$_ }
        map { values %{ $_->{queue} } } values %{ $self->{pairs} };

    return @due ? min(@due) - $now : undef;
}


sub take_client {
    my ($self) = @_;
    my $client = $self->{listen}->accept() or return;
    my ($server, $connecting) = $self->connect_server();

    $self->{stats}{accepted}++;

    # a server that refuses: the client sees its connection end
    return unless $server;

    my $pair = {
        client => $client, server => $server, connecting => $connecting,
        queue => { client => [], server => [] },
        size => { client => 0, server => 0 }, eof => {}, shut => {},
    };

    $self->{pairs}{$pair} = $pair;

    for my $side (qw(client server)) {
        $pair->{$side}->blocking(0);
        setsockopt $pair->{$side}, IPPROTO_TCP, TCP_NODELAY, 1;
        $self->{ends}{fileno $pair->{$side}} =
            { pair => $pair, side => $side, fd => fileno $pair->{$side} };
    }
}


sub connect_server {
    my ($self) = @_;
    my $unix = $self->{to} !~ /^\d+$/;

    socket my $server, $unix ? PF_UNIX : PF_INET, SOCK_STREAM, 0 or return;

    $server->blocking(0);

    return $server if connect $server, $unix
        ? pack_sockaddr_un($self->{to})
        : pack_sockaddr_in($self->{to}, inet_aton('127.0.0.1'));

    return $! == EINPROGRESS ? ($server, 1) : ();
}


sub take_bytes {
    my ($self, $pair, $side) = @_;
    my $to = $OTHER{$side};
    my $bytes;
    my $n = sysread $pair->{$side}, $bytes, $CHUNK;

    if (!defined $n) {
        $self->drop($pair) unless $! == EAGAIN || $! == EINTR;
        return;
    }

    if ($n == 0) {
        $pair->{eof}{$side} = 1;
        return $self->finish($pair);
    }

    return if $pair->{cut};

    if ($self->{mode}{swallow} && $side eq 'server') {
        $self->{stats}{swallowed} += $n;
        return;
    }

    push @{ $pair->{queue}{$to} }, [$self->due($to), $bytes];
    $pair->{size}{$to} += $n;
    $self->give_bytes($pair, $to);
}


sub due {
    my ($self, $to) = @_;
    my $delay = $self->{mode}{delay} or return 0;

    return 0 if $to eq 'server' && !$delay->{commands};
    return time() + $delay->{ms} / 1000;
}


sub give_bytes {
    my ($self, $pair, $side) = @_;
    my $queue = $pair->{queue}{$side};
    my $left = \$self->{mode}{left}{$side};

    if ($side eq 'server' && $pair->{connecting}) {
        return $self->drop($pair)
            if unpack 'i', getsockopt $pair->{server}, SOL_SOCKET, SO_ERROR;

        $pair->{connecting} = defined getpeername $pair->{server} ? 0 : 1;
        return if $pair->{connecting};
    }

    while (@$queue && $queue->[0][0] <= time()) {
        my $length = length $queue->[0][1];
        my $n = syswrite $pair->{$side}, $queue->[0][1],
            defined $$left ? min($length, $$left) : $length;

        if (!defined $n) {
            $self->drop($pair) unless $! == EAGAIN || $! == EINTR;
            return;
        }

        $pair->{size}{$side} -= $n;
        $self->{stats}{"to_$side"} += $n;

        if ($n == $length) {
            shift @$queue;

        } else {
            substr $queue->[0][1], 0, $n, '';
        }

        if (defined $$left && ($$left -= $n) <= 0) {
            undef $$left;
            return $self->cut_pair($pair, $self->{mode}{reset});
        }
    }

    $self->finish($pair);
}


# passes on that one side has no more to say; forgets a pair that is through
sub finish {
    my ($self, $pair) = @_;

    for my $side (qw(client server)) {
        next if $pair->{shut}{$side} || $pair->{connecting}
                || @{ $pair->{queue}{$side} } || !$pair->{eof}{$OTHER{$side}};

        shutdown $pair->{$side}, 1;
        $pair->{shut}{$side} = 1;
    }

    $self->drop($pair) if keys %{ $pair->{eof} } == 2
        && ($pair->{cut} || keys %{ $pair->{shut} } == 2);
}


# With FIN both sides are told that nothing follows, and read until they have
# understood: to close at once would be a reset if there was anything to read.
sub cut_pair {
    my ($self, $pair, $reset) = @_;

    return if $pair->{cut};

    $self->{stats}{cuts}++;
    $pair->{cut} = 1;

    if ($reset || $pair->{connecting}) {
        setsockopt $pair->{$_}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0
            for qw(client server);
        return $self->drop($pair);
    }

    $pair->{queue} = { client => [], server => [] };
    shutdown $pair->{$_}, 1 for qw(client server);
    $self->finish($pair);
}


sub drop {
    my ($self, $pair) = @_;

    return if $pair->{gone}++;

    delete $self->{ends}{fileno $pair->{$_}} for qw(client server);
    delete $self->{pairs}{$pair};
    close $pair->{$_} for qw(client server);
}


# ---- orders ----

sub obey {
    my ($self, $order) = @_;
    my $name = $order->{order};
    my $mode = $self->{mode};

    if ($name eq 'resume') {
        $self->{mode} = {};
        $self->open_again();

    } elsif ($name eq 'cut') {
        my @pairs = values %{ $self->{pairs} };

        $self->cut_pair($_, $order->{reset}) for @pairs;

    } elsif ($name eq 'cut_after') {
        $mode->{left}{$_} = $order->{"to_$_"} for qw(client server);
        $mode->{reset} = $order->{reset};

    } elsif ($name eq 'stall') {
        $mode->{stall} = $order->{side};

    } elsif ($name eq 'swallow') {
        $mode->{swallow} = 1;

    } elsif ($name eq 'delay') {
        $mode->{delay} = $order->{ms} ? $order : undef;

    } elsif ($name eq 'refuse') {
        close delete $self->{listen} if $self->{listen};

    } elsif ($name ne 'stats') {
        die "unknown order \"$name\"\n";
    }

    my @pairs = values %{ $self->{pairs} };

    return { %{ $self->{stats} }, open => scalar(grep { !$_->{cut} } @pairs),
             waiting => sum0(map { values %{ $_->{size} } } @pairs) };
}


sub open_again {
    my ($self) = @_;

    return if $self->{listen};

    $self->{listen} = $self->listener();
    $self->{listen}->blocking(0);
}


1;
