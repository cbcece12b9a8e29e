package Martech::Wait;

# Waiting without fixed sleeps: a condition is polled until it holds.  The few
# milliseconds between two looks are the only sleep of all tests.

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(time);

our @EXPORT_OK = qw(becomes wait_until);


# Returns what the condition returns once it is true; '' after the limit.
sub becomes {
    my ($condition, $limit) = @_;
    my $deadline = time() + $limit;
    my $pause = 0.001;

    while (1) {
        my $value = $condition->();

        return $value if $value;
        return '' if time() >= $deadline;

        select undef, undef, undef, $pause;
        $pause *= 2 if $pause < 0.016;
    }
}


# The same, for what must come true before a test makes sense.
sub wait_until {
    my ($condition, $limit, $what) = @_;

    return becomes($condition, $limit)
           || die "waited $limit s in vain: $what\n";
}


1;
