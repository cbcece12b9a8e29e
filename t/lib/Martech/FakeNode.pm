package Martech::FakeNode;

# A node of a Redis Cluster that answers each event by a list: what it says of
# the first one, of the second one, and of all others what stands last.
#
#     my $node = $t->helper(Martech::FakeNode->new(
#         port => $t->port(7001),
#         plain => ["-MOVED 1 127.0.0.1:$other\r\n", "+OK\r\n"]));
#     is_deeply([ $node->taken() ], ['m1', 'm2'], '...');
#
# "asking" is the list for what comes behind ASKING.  An empty answer is none:
# the event is swallowed, and so is all that comes behind it on its connection,
# as the next answer would be taken for its own.

use strict;
use warnings;

use parent -norequire, 'Martech::Fake';

use Martech::Fake;


# port; plain => [bytes], asking => [bytes]: "+OK" without them

# Begins new lists, and forgets what was heard so far.
sub script {
    my ($self, %lists) = @_;

    $self->{control}->ask(script => { plain => [], asking => [], %lists });
}


# what was heard, in order: a list of { id, asking, answer }
sub heard { @{ $_[0]{control}->ask()->{heard} // [] } }

# messageIds of those that were taken
sub taken { map { $_->{id} } grep { $_->{answer} =~ /\A\+/ } $_[0]->heard() }


# ---- the process ----

sub obey {
    my ($self, $order, @keep) = @_;

    if ($order->{script}) {
        @{$self}{qw(plain asking)} = @{ $order->{script} }{qw(plain asking)};
        $self->{heard} = [];
    }

    my $asked = $self->SUPER::obey($order, @keep);

    return { %$asked, heard => $self->{heard} // [] };
}


sub answer {
    my ($self, $name, $bytes, $fh) = @_;
    my $answer = $self->{mute}{$fh} ? '' : undef;

    # each connection asks for itself
    my $asking = delete $self->{behind}{$fh};

    $self->{behind}{$fh} = 1 if $name eq 'asking';

    my ($id) = $bytes =~ /"messageId":"([^"]+)"/
        or return $answer // $self->SUPER::answer($name);
    my $list = $self->{ $asking ? 'asking' : 'plain' } // [];

    $answer //= (@$list > 1 ? shift @$list : $list->[0]) // "+OK\r\n";
    $self->{mute}{$fh} = 1 if $answer eq '';

    push @{ $self->{heard} },
        { id => $id, asking => $asking // 0, answer => $answer };

    return $answer;
}


sub drop {
    my ($self, $fh) = @_;

    # the next connection may have the same name
    delete $self->{$_}{$fh} for qw(behind mute);

    return $self->SUPER::drop($fh);
}


1;
