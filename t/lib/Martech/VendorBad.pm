package Martech::VendorBad;

# Bad requests, made of a good one and of what a vendor's data say: one for
# each word of each rule.  So a rule that the stand-in does not keep is found,
# and so is one that can never be broken.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Exporter qw(import);

use Martech::VendorRules qw(at holds);

our @EXPORT_OK = qw(bad_values clone put without);

my $JSON = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;

# texts of which one does not fit a pattern, or fits one that must not be
my @TEXTS = ("\x{1} ?", 'anonymous', 'ga_x', 'Upper Case', 'x' x 200,
             'user_id');


sub clone { $JSON->decode($JSON->encode($_[0])) }


# Puts a value at a path; what is missing on the way is made.
sub put {
    my ($value, $path, $new) = @_;
    my @names = split /\./, $path;
    my $last = pop @names;

    for my $name (@names) {
        $value = ref $value eq 'ARRAY' ? $value->[$name] //= {}
            : ref $value->{$name} ? $value->{$name} : ($value->{$name} = {});
    }

    if (ref $value eq 'ARRAY') {
        $value->[$last] = $new;

    } else {
        $value->{$last} = $new;
    }
}


sub without {
    my ($value, $path) = @_;
    my ($way, $last) = $path =~ /^(?:(.*)\.)?([^.]+)$/;
    my $in = defined $way ? at($value, $way) : $value;

    delete $in->{$last} if ref $in eq 'HASH';
}


# [what is wrong, changed copy of the record] for each word of a rule.
sub bad_values {
    my ($record, $rule) = @_;

    if ($rule->{any}) {
        my $bad = clone($record);

        without($bad, $_) for @{ $rule->{any} };
        return ['missing', $bad];
    }

    my $base = clone($record);

    put($base, $rule->{when}{at}, $rule->{when}{is} // $rule->{when}{in}[0])
        if $rule->{when} && !holds($base, $rule->{when});

    my @bad;

    if ($rule->{need}) {
        my $bad = clone($base);

        without($bad, $rule->{at});
        push @bad, ['missing', $bad];
    }

    my $old = at($base, $rule->{at});

    # of an element, where each of a list is meant
    my $one = $rule->{each} && ref $old eq 'ARRAY' ? $old->[0] : $old;
    my $list = $rule->{each} && ($rule->{type} // '') eq 'list';

    push @bad, changed($base, $rule->{at}, ['no list', {}]) if $list;

    for my $wrong (wrong_values($one, { %$rule, $list ? (type => '') : () })) {
        $wrong->[1] = [$wrong->[1]] if $list;
        push @bad, changed($base, $rule->{at}, $wrong);
    }

    return @bad;
}


sub changed {
    my ($base, $path, $wrong) = @_;
    my $bad = clone($base);

    put($bad, $path, $wrong->[1]);

    return [$wrong->[0], $bad];
}


# [what is wrong, value] for each word of a rule of a value
sub wrong_values {
    my ($old, $rule) = @_;
    my $type = $rule->{type} // '';
    my %of_type = (text => 12345, int => 1.5, number => '12', list => 'text',
                   scalar => { a => 1 }, object => 'text');
    my @wrong;

    push @wrong, ["type $type", $of_type{$type}] if exists $of_type{$type};
    push @wrong, ["max $rule->{max}", 'x' x ($rule->{max} + 1)]
        if $rule->{max};
    push @wrong, ["bytes $rule->{bytes}",
                  "\x{fc}" x (int($rule->{bytes} / 2) + 1)] if $rule->{bytes};
    push @wrong, ["min $rule->{min}", 'x' x ($rule->{min} - 1)]
        if $rule->{min};
    push @wrong, ["most $rule->{most}", $rule->{most} + 1]
        if defined $rule->{most};
    push @wrong, ["least $rule->{least}", $rule->{least} - 1]
        if defined $rule->{least};
    push @wrong, ['like', first_text(sub { $_[0] !~ /$rule->{like}/ })]
        if defined $rule->{like};
    push @wrong, ['unlike', first_text(sub { $_[0] =~ /$rule->{unlike}/ })]
        if defined $rule->{unlike};
    push @wrong, ['one_of', 'none of these'] if $rule->{one_of};
    push @wrong, ["count $rule->{count}", many($rule)] if $rule->{count};
    push @wrong, ['names', { first_text(sub { $_[0] !~ /$rule->{names}/ })
                             => 1 }] if $rule->{names};

    if ($rule->{values}) {
        push @wrong, map { ["values, $_->[0]", { name => $_->[1] }] }
            wrong_values(undef, $rule->{values});
    }

    for my $inner (@{ $rule->{rules} // [] }) {
        push @wrong, map { ["rules, $_->[0]", $_->[1]] }
            bad_values(ref $old ? $old : {}, $inner);
    }

    return @wrong;
}


sub first_text {
    my ($fits) = @_;

    for (@TEXTS) {
        return $_ if $fits->($_);
    }

    die "no text breaks the pattern\n";
}


sub many {
    my ($rule) = @_;

    return [(1) x ($rule->{count} + 1)] if ($rule->{type} // '') eq 'list';
    return { map { ("name$_" => 1) } 0 .. $rule->{count} };
}


1;
