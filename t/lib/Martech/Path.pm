package Martech::Path;

# The way behind the edge for a test: a forwarder with a file and a webhook,
# and what has arrived there.

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes ();

use Martech::Http qw(from_json to_json);
use Martech::Wait qw(becomes wait_until);

our @EXPORT = qw(forwarder_conf file_lines file_ids hook_ids ids_of missing
                 add_events ledger ledger_holds waiting drained resumed);


# The configuration of a forwarder; hook => port of the receiver.  Pieces in
# YAML: archive, hook_settings, hook_limits, top.  without => 'archive'.  One
# loop, as its name and what it decides alone are tested, unless top says else.
sub forwarder_conf {
    my (%arg) = @_;
    my $conf = <<"END";
redis:
  address: %%REDIS%%

# a short lease: the next owner of a test need not wait long
owner:
  name: tester
  lease: 1s

destinations_path: %%ROOT%%/destinations

# receivers of tests are on this machine
allow_private: [127.0.0.0/8]
END

    my $top = $arg{top} // '';

    # one loop has the owner's name, and all shards; as many as there are
    # processors would make a test another one on another machine
    $top = "loops: 1\n$top" unless $top =~ /^loops:/m;

    $conf .= "$top\ndestinations:\n";

    unless (($arg{without} // '') eq 'archive') {
        $conf .= <<"END";
  archive:
    use: file
    settings:
      path: %%PREFIX%%/archive
END
        $conf .= indent($arg{archive}, 6);
    }

    unless (($arg{without} // '') eq 'hook') {
        $conf .= <<"END";
  hook:
    use: webhook
    settings:
      url: $arg{hook}
END
        $conf .= indent($arg{hook_settings}, 6);
        $conf .= indent($arg{hook_limits}
                        // "retry: { base: 50ms, factor: 2, cap: 1s }", 4);
    }

    return $conf;
}


sub indent {
    my ($text, $columns) = @_;

    return '' unless defined $text;
    return join '', map { ' ' x $columns . "$_\n" } split /\n/, $text;
}


# ---- what has arrived ----

# decoded events of the file destination, of all files of the folder
sub file_lines {
    my ($t) = @_;
    my @events;

    for my $file (sort glob $t->dir() . '/archive/*') {
        open my $fh, '<', $file or next;
        push @events, map { from_json($_) } grep { /\n\z/ } <$fh>;
    }

    return @events;
}


sub ids_of { map { $_->{messageId} } @_ }
sub file_ids { ids_of(file_lines($_[0])) }
sub hook_ids { ids_of($_[0]->events()) }


# how many of the wanted ids are not among those that came
sub missing {
    my ($wanted, @came) = @_;
    my %came = map { $_ => 1 } @came;

    return grep { !$came{$_} } @$wanted;
}


# ---- the stream ----

# Puts events straight into the stream, as the edge would; their ids.
sub add_events {
    my ($redis, $count, %more) = @_;
    my @ids;

    for my $n (1 .. $count) {
        my $id = ($more{prefix} // 'e') . "-$n";
        my $tag = sprintf '{mt:%02d}', $more{shard} // $n % 16;

        $redis->call('xadd', "$tag:in", '*', 'v', 1, 'id', $id, 'src', 'test',
            'e', to_json({
                type => 'track', event => 'Added', messageId => $id,
                userId => 'u', receivedAt => '2026-01-01T00:00:00.000Z',
                timestamp => '2026-01-01T00:00:00.000Z',
                properties => { n => $n },
                context => { martech => { v => 1, source => 'test',
                                          requestId => 'r' x 32,
                                          dialect => 'segment' } },
            }));
        push @ids, $id;
    }

    return @ids;
}


# The sum of the ledgers of all shards; a field with a source ("in:web",
# "routed:hook:web") counts once as it is, and once without the source.
sub ledger {
    my ($redis) = @_;
    my %sum;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        my %shard = @{ $redis->call('hgetall', "$tag:ledger") };

        delete $shard{last};

        for my $field (keys %shard) {
            $sum{$field} += $shard{$field};

            next unless $field =~ /^(?:in~?|duplicate):/
                        || $field =~ tr/:// > 1;

            $sum{ $field =~ s/:[^:]*\z//r } += $shard{$field};
        }
    }

    return \%sum;
}


# docs/SPEC.md, section 4: for a destination
# routed = done + drop + dead + expired + moved + dry + waiting
sub ledger_holds {
    my ($redis, $dest) = @_;
    my $ledger = ledger($redis);
    my $finished = 0;

    $finished += $ledger->{"$_:$dest"} // 0
        for qw(done drop dead expired moved dry);

    return ($ledger->{"routed:$dest"} // 0)
        == $finished + waiting($redis, $dest);
}


# events of a destination that have no end yet
sub waiting {
    my ($redis, $dest) = @_;
    my $waiting = 0;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        $waiting += $redis->call('xlen', "$tag:q:$dest")
            + $redis->call('xlen', "$tag:q:$dest:hi")
            + $redis->call('zcard', "$tag:retry:$dest");
    }

    return $waiting;
}


# true when no destination has anything left to do
sub drained {
    my ($redis, @dests) = @_;

    return !grep { waiting($redis, $_) } @dests;
}


# The same of one destination that may have been parked: an operator resumes it.
sub resumed {
    my ($redis, $dest) = @_;

    $redis->call('hdel', "{mt:00}:state:$dest", 'parked');

    return drained($redis, $dest);
}


1;
