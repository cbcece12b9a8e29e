package Chaos::Oracle;

# Knows what was promised, and compares it with what has come.
#
# Events are those of Martech::Pace: each is a function of its number.  An
# event that was answered with success is an obligation; one that was sent and
# not promised may come or not; anything else was invented.
#
# The edge may have a plan that keeps some of them aside, and a rule that masks
# a word in each (Chaos::Stage): an event must be where it belongs, and without
# the word.

use strict;
use warnings;

use Martech::Http qw(from_json);
use Martech::Pace;


# clients => [Chaos::Client]; aside => each event whose number it divides is in
# quarantine; masked => the word that "***" stands for
sub new {
    my ($class, %arg) = @_;

    return bless { %arg, came => {}, altered => {}, invented => {} }, $class;
}


# An event that has come: the bytes of its JSON, the id that it was stored
# under, if that is said beside it, and whether it is from the quarantine.
sub take {
    my ($self, $bytes, $id, $aside) = @_;
    my ($in) = $bytes =~ /"messageId":"([^"\\]+)"/;

    $in //= '';
    $self->{came}{$in}++;
    $self->{quarantined}++ if $aside;
    $self->{altered}{$in} = "stored as \"$id\""
        if defined $id && $id ne $in;
    $self->{altered}{$in} = $aside ? 'in quarantine' : 'not in quarantine'
        if $self->belongs_aside($in) xor $aside;

    if (defined $self->{masked}) {
        $self->{altered}{$in} = 'not masked' if $bytes =~ /\Q$self->{masked}/;
        $bytes =~ s/\*{3}/$self->{masked}/g;
    }

    return if as_sent($in, $bytes);

    my $event = eval { from_json($bytes) } // {};
    my $field = ref $event eq 'HASH' ? Martech::Pace::altered($event)
                                     : 'everything';

    $self->{altered}{$in} = "field $field" if $field ne '';
}


sub belongs_aside {
    my ($self, $id) = @_;

    return $self->{aside} && $id =~ /-(\d{8,})\z/ && $1 % $self->{aside} == 0;
}


# True if the bytes are what the edge makes of an event.  Whatever is not is
# looked at more closely, which takes longer.
sub as_sent {
    my ($id, $bytes) = @_;
    my ($name, $n) = $id =~ /\A(.+)-(\d{8,})\z/ or return 0;
    my ($visitor, $rest) = Martech::Pace::payload($name, $n)
        =~ /"anonymousId":"([^"]+)".*?,("properties":.*)\z/s;

    return $bytes =~ m{\A\{"type":"track","messageId":"\Q$id\E",
        "receivedAt":"[^"]+","timestamp":"[^"]+",
        "anonymousId":"\Q$visitor\E","context":(\{(?:[^{}]|(?-1))*\}),
        "event":"Paced",\Q$rest\E\z}x;
}


# Compares, once the clients have stopped: { acked, came, missing => [{ id,
# ack, at }], invented => [ids], altered => { id => what }, twice => how many
# came more than once, quarantined => how often one came to the quarantine }
sub verdict {
    my ($self) = @_;
    my $came = $self->{came};
    my %sent;
    my @acked = map { $_->acked_list() } @{ $self->{clients} };

    $sent{$_->{name}} = $_->sent() for @{ $self->{clients} };

    my @invented = grep {
        my ($name, $n) = /\A(.+)-(\d{8,})\z/;

        !defined $name || $n < 1 || $n > ($sent{$name} // 0);
    } sort keys %$came;

    return {
        acked => scalar @acked, came => scalar keys %$came,
        missing => [ grep { !$came->{$_->{id}} } @acked ],
        invented => \@invented, altered => $self->{altered},
        twice => scalar(grep { $_ > 1 } values %$came),
        quarantined => $self->{quarantined} // 0,
    };
}


1;
