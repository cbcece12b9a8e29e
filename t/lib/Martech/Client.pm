package Martech::Client;

# The clients of others, as they come from their registries, and what they
# believe to have sent held against what is stored.
#
#     Martech::Client::install();
#     my $client = Martech::Client->start($t, 'segment_node', 'session', $port);
#     my @sent = $client->events();
#     same_events('session', \@sent, [ $redis->events() ], rows => [...]);
#
# A client runs in a driver, t/clients/NAME.js (see t/clients/lib/driver.js).

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use JSON::PP ();
use POSIX qw(dup2);
use Test::More ();
use Time::HiRes qw(time);

use Martech::Http qw(from_json to_json);
use Martech::Process;
use Martech::Wait qw(becomes wait_until);

our @EXPORT_OK = qw(same_events outage at_time milliseconds number text
                    page_url screen_size);

my $ROOT = abs_path(dirname(__FILE__) . '/../../..');
my $HOME = "$ROOT/build/clients";

# a client and its events may take so long
my $LIMIT = 60;

# a client that was refused sends again within so many seconds
my $RETRIES = 40;

# what was sent arrives so soon, or not at all
my $ARRIVAL = 15;

# times that are the same: what lies between an event and its arrival
my $SKEW_MS = 2000;


# Brings the clients; dies with the reason.
sub install {
    system("$ROOT/tools/clients.sh") == 0
        or die "the clients cannot be installed, see ./build.sh deps\n";
}


# Starts a driver in a mode; further arguments are its ports.
sub start {
    my ($class, $t, $name, @arguments) = @_;
    my $self = bless { name => "$name @arguments", buffer => '',
                       lines => [], places => [] },
        $class;

    install();
    pipe my $out, my $tell or die "pipe: $!\n";
    pipe my $hear, my $in or die "pipe: $!\n";

    $self->{errors} = $t->folder('client') . '.err';
    $self->{process} = Martech::Process->start(name => $name, code => sub {
        open STDERR, '>>', $self->{errors};
        dup2(fileno $hear, 0);
        dup2(fileno $tell, 1);
        $ENV{NODE_PATH} = "$HOME/node_modules";
        exec "$HOME/node", "$ROOT/t/clients/$name.js", @arguments
            or die "$HOME/node: $!\n";
    });

    close $tell;
    close $hear;
    $in->autoflush(1);
    @{$self}{qw(out in)} = ($out, $in);

    return $self;
}


# Runs a driver to its end; what it said.
sub run {
    my ($class, @arguments) = @_;
    my $self = $class->start(@arguments);

    $self->end();

    return $self;
}


# Runs one that stops at places.  At "sent" and "left" it has to wait until all
# events that it told of are stored, or a while if they never are.
sub visit {
    my ($class, $redis, @arguments) = @_;
    my $self = $class->start(@arguments);

    while (defined(my $place = $self->next_place())) {
        if ($place =~ /^(?:sent|left)$/) {
            becomes(sub { $self->read(0);
                          $redis->count() >= $self->events() }, $ARRIVAL);
        }

        $self->go();
    }

    $self->end();

    return $self;
}


# The next place that the driver says to be at; undef at its end.
sub next_place {
    my ($self) = @_;
    my $deadline = time() + $LIMIT;

    while (1) {
        my ($place) = splice @{ $self->{places} }, 0, 1;

        return $place if defined $place;
        return undef unless $self->read(0.1);
        die "$self->{name} says nothing\n" if time() > $deadline;
    }
}


# Reads what the driver says, for so long; false at its end.
sub read {
    my ($self, $limit) = @_;
    my $bits = '';

    vec($bits, fileno $self->{out}, 1) = 1;

    return 1 unless select $bits, undef, undef, $limit;
    return 0 unless sysread $self->{out}, $self->{buffer}, 65536,
                            length $self->{buffer};

    while ($self->{buffer} =~ s/\A(.*)\n//) {
        my $line = from_json($1);

        push @{ $self->{lines} }, $line;
        push @{ $self->{places} }, $line->{at} if defined $line->{at};
    }

    return 1;
}


# Waits until the driver is at a place, its next one.
sub reach {
    my ($self, $place) = @_;
    my $next = $self->next_place() // 'its end';

    die "$self->{name} is at $next, not at $place: ", $self->errors()
        unless $next eq $place;
}


# lets it go on
sub go {
    my ($self, $word) = @_;

    print { $self->{in} } ($word // 'go'), "\n";
}


# Waits for its end, which must be a good one.
sub end {
    my ($self) = @_;
    my $deadline = time() + $LIMIT;

    while ($self->read(0.1)) {
        die "$self->{name} does not end\n" if time() > $deadline;
    }

    $self->{process}->wait_end(10) or die "$self->{name} does not end\n";

    die "$self->{name} failed: ", $self->errors()
        unless $self->{process}->status() == 0;
}


sub errors {
    my ($self) = @_;

    open my $fh, '<', $self->{errors} or return '';
    local $/;

    return <$fh> // '';
}


# the values of a member in all lines that have it
sub said {
    my ($self, $member) = @_;

    return map { $_->{$member} } grep { exists $_->{$member} }
        @{ $self->{lines} };
}


sub events { $_[0]->said('event') }


# ---- a gateway that is away ----

# Stops Redis, lets a client run that waits at "ready", and brings Redis back
# when the client has been told 503 for so many seconds; then the client ends.
# The log has the status of an answer at the start of a line.
sub outage {
    my ($redis, $log, $client, $seconds) = @_;

    $client->reach('ready');
    $redis->kill_now();
    $client->go();

    wait_until(sub { $client->read(0); refusals($log) > 0 }, 30,
               'the client is told 503');

    my $since = time();

    wait_until(sub { $client->read(0); time() - $since >= $seconds },
               $seconds + 5, 'the outage is over');
    $redis->start();

    while (defined(my $place = $client->next_place())) {
        becomes(sub { $client->read(0);
                      $redis->count() >= $client->events() }, $RETRIES);
        $client->go();
    }

    $client->end();
}


sub refusals {
    my ($log) = @_;

    open my $fh, '<', $log or return 0;

    return scalar grep { /^503 / } <$fh>;
}


# ---- what was sent and what is stored ----

# Normalisers: sub($sent, $stored) gives what is compared.

# the same moment, however it is written
sub at_time {
    my ($sent, $stored) = map { milliseconds($_) } @_[0, 1];

    return ($sent, $stored) unless defined $sent && defined $stored;
    return abs($sent - $stored) <= $SKEW_MS ? (0, 0) : ($sent, $stored);
}


# ms since 1970, of a number or of a date
sub milliseconds {
    my ($time) = @_;

    return undef unless defined $time;
    return $time if $time =~ /^\d{12,}$/;
    return undef unless $time =~ m{^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)
                                   (?:\.(\d+))?(?:Z|\+00:00)$}x;

    require Time::Local;

    return 1000 * Time::Local::timegm($6, $5, $4, $3, $2 - 1, $1)
        + int(1000 * "0." . ($7 // 0));
}


# a number that may have come as a text, a text that may have been a number
sub number { return map { defined $_ && !ref $_ ? $_ + 0 : $_ } @_[0, 1] }
sub text { return map { defined $_ && !ref $_ ? "$_" : $_ } @_[0, 1] }


# for rows: where the parts of a URL are stored
sub page_url {
    my ($url) = @_;
    my ($path, $search) = $url =~ m{^\w+://[^/?#]+([^?#]*)(\?[^#]+)?};

    return { 'context.page.url' => $url, 'context.page.path' => $path,
             defined $search ? ('context.page.search' => $search) : () };
}


# and of "1920x1080"
sub screen_size {
    my ($width, $height) = $_[0] =~ /^(\d+)x(\d+)$/;

    return { 'context.screen.width' => $width + 0,
             'context.screen.height' => $height + 0 };
}


# All values of a structure that hold no other: path => value.  The members of
# an empty object or array are the object or array itself.
sub leaves {
    my ($value, $path, $into) = @_;

    if (ref $value eq 'HASH' && %$value) {
        leaves($value->{$_}, "$path.$_", $into) for keys %$value;

    } elsif (ref $value eq 'ARRAY' && @$value) {
        leaves($value->[$_], "$path.$_", $into) for 0 .. $#$value;

    } else {
        $into->{substr $path, 1} = $value;
    }

    return $into;
}


sub show { return to_json($_[0]) }


# The first row that a path falls under, and the path it leads to.
sub row_of {
    my ($path, $rows) = @_;

    for my $row (@$rows) {
        my ($from, $to) = @$row;

        if (ref $from) {
            next unless $path =~ $from;

            my $part = $1 // '';

            $to =~ s/\$1/$part/ if defined $to && !ref $to;
            return ($row, $to, $part);
        }

        if ($from =~ s/\*\z//) {
            next unless index($path, $from) == 0;
            $to =~ s/\*\z/substr $path, length $from/e if defined $to;
            return ($row, $to);
        }

        return ($row, $to) if $from eq $path;
    }

    return ();
}


# What differs between an event as it was sent and as it is stored, by rows
# [path sent, path stored, normaliser].  "x.*" stands for all below x; a
# pattern may have a part, which is $1 of the path stored; no path stored: it
# is not kept; a sub in its place gives, for the value and the event that were
# sent and that part, all that has to be stored, by path.  A value that no row
# knows is a difference, and so is one that is stored below an exact path and
# was not sent.
sub differences {
    my ($sent, $stored, %arg) = @_;
    my $out = leaves($sent, '', {});
    my $in = leaves($stored, '', {});
    my (@differences, %known);

    for my $path (sort keys %$out) {
        my ($row, $to, $part) = row_of($path, $arg{rows});

        if (!$row) {
            push @differences, "$path is in no row of the table";
            next;
        }

        next unless defined $to;

        my $expected = ref $to ? $to->($out->{$path}, $sent, $part)
                               : { $to => $out->{$path} };

        for my $where (keys %$expected) {
            my ($want, $have) = ($expected->{$where}, $in->{$where});

            $known{$where} = 1;
            ($want, $have) = $row->[2]->($want, $have) if $row->[2];

            next if exists $in->{$where} && show($want) eq show($have);

            push @differences, "$path: sent " . show($out->{$path})
                . ", stored as $where: "
                . (exists $in->{$where} ? show($in->{$where}) : 'nothing');
        }
    }

    for my $path (sort keys %$in) {
        next if $known{$path} || !grep { index($path, "$_.") == 0 }
                                       @{ $arg{exact} // [] };
        next if grep { $path =~ $_ } @{ $arg{added} // [] };
        push @differences, "$path, stored " . show($in->{$path})
                           . ', was not sent';
    }

    return @differences;
}


# What is wrong with what is stored: lists by "lost", "doubled", "unknown" (it
# was not sent) and "different".
sub compare {
    my ($sent, $stored, %arg) = @_;
    my $sent_id = $arg{sent_id} // sub { $_[0]{messageId} };
    my $stored_id = $arg{stored_id} // sub { $_[0]{messageId} };
    my %wrong = map { $_ => [] } qw(lost doubled unknown different);
    my (%sent, %stored);

    $sent{ $sent_id->($_) // 'no id' } = $_ for @$sent;
    push @{ $stored{ $stored_id->($_) // 'no id' } }, $_ for @$stored;

    $wrong{lost} = [ grep { !$stored{$_} } sort keys %sent ];
    $wrong{unknown} = [ grep { !$sent{$_} } sort keys %stored ];
    $wrong{doubled} = [ grep { @{ $stored{$_} } > 1 } sort keys %stored ];

    for my $id (grep { $arg{rows} && $stored{$_} } sort keys %sent) {
        push @{ $wrong{different} }, map { "$id: $_" }
            differences($sent{$id}, $stored{$id}[0], %arg);
    }

    return { %wrong, ids => scalar keys %sent };
}


# Every event that was sent is stored once, with its fields, and no other.
# sent_id and stored_id: subs that give what an event is known by; rows, exact,
# added: see differences().
sub same_events {
    my ($what, $sent, $stored, %arg) = @_;
    my $wrong = compare($sent, [ map { $_->{event} } @$stored ], %arg);
    my @different = @{ $wrong->{different} };

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    # one cause gives as many lines as there are events
    push @different, sprintf 'and %d more', scalar splice @different, 40
        if @different > 40;

    Test::More::cmp_ok(scalar @$sent, '>', 0, "$what: the client sends events");
    Test::More::is($wrong->{ids}, scalar @$sent,
                   "$what: each has an id of its own");
    Test::More::is("@{ $wrong->{lost} }", '', "$what: none is lost");
    Test::More::is("@{ $wrong->{doubled} }", '', "$what: none is stored twice");
    Test::More::is("@{ $wrong->{unknown} }", '', "$what: no other is stored");
    Test::More::is(join("\n", @different), '',
                   "$what: they are stored as they were sent") if $arg{rows};
}


1;
