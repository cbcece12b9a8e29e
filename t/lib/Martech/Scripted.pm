package Martech::Scripted;

# A receiver that answers each event by a list of its own: a status, "hang"
# (no answer), or "cut" (closed without a byte).  When the list is used up, or
# there is none, the answer is 200; 400 is never used up.  A request with
# several events is taken only if all of them are; else the first one that is
# not decides, and the others keep their lists.

use strict;
use warnings;

use parent -norequire, 'Martech::Receiver';

use Martech::Http qw(from_json);
use Martech::Receiver;

# seconds; no client waits so long
my $HANG = 3600;


# script => { messageId => [500, 'hang', 200] }, and what a receiver takes

sub take_request {
    my ($self, $fh, $line, $headers, $body) = @_;
    my @lists = grep { $_ && @$_ } map { $self->{script}{$_} } ids($body);
    my ($bad) = grep { $_->[0] ne '200' } @lists;

    if ($bad) {
        my $answer = $bad->[0] eq '400' ? 400 : shift @$bad;

        local $self->{answers} = [ as_answer($answer) ];
        return $self->SUPER::take_request($fh, $line, $headers, $body);
    }

    shift @$_ for @lists;

    return $self->SUPER::take_request($fh, $line, $headers, $body);
}


sub as_answer {
    my ($answer) = @_;

    return { delay => $HANG } if $answer eq 'hang';
    return { cut => 1 } if $answer eq 'cut';
    return { status => $answer };
}


# the messageIds of a body: an event, an array of them, or one a line
sub ids {
    my ($body) = @_;
    my @events = map { ref $_ eq 'ARRAY' ? @$_ : $_ }
        map { from_json($_) } split /\n/, $body;

    return map { $_->{messageId} } @events;
}


# [messageId, status] in the order of arrival; status 0: it got no answer
sub history {
    my ($self) = @_;

    return map { my $request = $_;
                 map { [$_, $request->{status}] } ids($request->{body}) }
        $self->requests();
}


1;
