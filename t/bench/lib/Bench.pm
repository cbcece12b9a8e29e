package Bench;

# What the benchmarks share: rows with limits, the table and the JSON file,
# processor time from the kernel's accounting, and medians.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();
use List::Util qw(max);

our @EXPORT_OK = qw(ROOT BUILD cpu_ns cpu_count median pin slurp spread);


use FindBin ();

use constant ROOT => "$FindBin::Bin/../..";
use constant BUILD => ROOT . '/build';


# name => of the benchmark; quick => 1
sub new {
    my ($class, %arg) = @_;

    return bless { rows => [], %arg }, $class;
}


# Adds a row.  limit => ['<=', 1.35] or ['>=', 8], or none; format => '%.2f'.
sub row {
    my ($self, $name, $value, $unit, %arg) = @_;
    my ($sign, $limit) = @{ $arg{limit} // [] };
    my $holds = 1;

    if (defined $limit) {
        $holds = $sign eq '<=' ? $value <= $limit : $value >= $limit;
    }

    push @{ $self->{rows} }, {
        name => $name, value => $value, unit => $unit,
        sign => $sign, limit => $limit, holds => $holds ? 1 : 0,
        format => $arg{format} // '%.2f',
    };
}


# the rows as text, a line each, of equal columns
sub table {
    my ($self) = @_;
    my $width = max map { length $_->{name} } @{ $self->{rows} };
    my $text = '';

    for my $row (@{ $self->{rows} }) {
        my $limit = '';

        if (defined $row->{limit}) {
            $limit = sprintf '%s %s  %s', $row->{sign}, $row->{limit},
                $row->{holds} ? 'holds' : 'DOES NOT HOLD';
        }

        $text .= sprintf "%-${width}s  %12s  %-18s %s\n", $row->{name},
            sprintf($row->{format}, $row->{value}), $row->{unit}, $limit;
    }

    $text =~ s/ +$//mg;

    return $text;
}


# {"rows": [{"name", "value", "unit", "limit", "holds"}]}; limit is null where
# there is none, and such a row holds
sub write_json {
    my ($self, $file) = @_;
    my $json = JSON::PP->new->canonical->pretty;
    my @rows;

    for my $row (@{ $self->{rows} }) {
        push @rows, {
            name => $row->{name}, unit => $row->{unit},
            value => 0 + sprintf('%.6g', $row->{value}),
            limit => $row->{limit},
            holds => $row->{holds} ? JSON::PP::true : JSON::PP::false,
        };
    }

    open my $fh, '>', $file or die "cannot write $file: $!\n";
    print $fh $json->encode({ rows => \@rows });
    close $fh or die "cannot write $file: $!\n";
}


# Prints and writes everything; the exit status of the benchmark.
sub finish {
    my ($self) = @_;

    mkdir BUILD;
    mkdir BUILD . '/bench';

    print $self->table();
    $self->write_json(BUILD . "/bench/$self->{name}.json");

    return (grep { !$_->{holds} } @{ $self->{rows} }) ? 1 : 0;
}


sub median {
    my @sorted = sort { $a <=> $b } @_;
    my $middle = int(@sorted / 2);

    die "median of nothing\n" unless @sorted;

    return @sorted % 2 ? $sorted[$middle]
        : ($sorted[$middle - 1] + $sorted[$middle]) / 2;
}


# how far repetitions lie apart: (largest - smallest) / median
sub spread {
    my @sorted = sort { $a <=> $b } @_;

    return ($sorted[-1] - $sorted[0]) / median(@sorted);
}


# Processor time that a process has used so far, all its threads, in ns.
sub cpu_ns {
    my ($pid) = @_;
    my $sum = 0;

    for my $file (glob "/proc/$pid/task/*/schedstat") {
        my ($ns) = split ' ', slurp($file);
        $sum += $ns;
    }

    die "no process $pid\n" unless $sum;

    return $sum;
}


sub cpu_count {
    return scalar(() = slurp('/proc/cpuinfo') =~ /^processor\s/mg);
}


# Binds a process and its threads to one processor.
sub pin {
    my ($pid, $cpu) = @_;

    $cpu %= cpu_count();
    system("taskset -a -c -p $cpu $pid >/dev/null") == 0
        or die "taskset does not bind $pid to processor $cpu\n";
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "cannot read $file: $!\n";
    local $/;

    return scalar <$fh>;
}


1;
