package Chaos::Courier;

# What happens to the forwarder: it is killed.

use strict;
use warnings;

use parent qw(Chaos::Lane);


sub faults { return [kill => [0, 3]] }

sub begin_kill { $_[0]{forwarder}->kill_now() }
sub end_kill { $_[0]{forwarder}->start() }


1;
