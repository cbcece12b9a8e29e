package Martech::VendorRules;

# What a vendor's data say about records: which fields they need and how those
# look; and the answers that are made of templates.  Nothing here knows a
# vendor.  The words of the data are in t/vendor/README.md.

use strict;
use warnings;

use B qw(svref_2object SVf_IOK SVf_NOK SVf_POK);
use Exporter qw(import);
use Time::Local qw(timegm);

our @EXPORT_OK = qw(at broken fill holds seconds_of too_old);

# paths, in their parts
my %PARTS;

our %SECONDS = (s => 1, ms => 1000, us => 1_000_000);


# The value at a path of names and numbers: "user.ids.0"; '' is all of it.
sub at {
    my ($value, $path) = @_;

    for my $name (@{ $PARTS{$path} //= [split /\./, $path] }) {
        if (ref $value eq 'HASH') {
            $value = $value->{$name};

        } elsif (ref $value eq 'ARRAY' && $name =~ /^\d+$/) {
            $value = $value->[$name];

        } else {
            return undef;
        }
    }

    return $value;
}


# The first rule that a record breaks: the path and what is wrong; else ().
sub broken {
    my ($record, $rules) = @_;

    for my $rule (@$rules) {
        next if $rule->{when} && !holds($record, $rule->{when});

        my $name = $rule->{at} // join '|', @{ $rule->{any} };

        if ($rule->{any}) {
            return ($name, 'missing')
                unless grep { filled(at($record, $_)) } @{ $rule->{any} };
            next;
        }

        my $value = at($record, $rule->{at});

        if (!filled($value)) {
            return ($name, 'missing') if $rule->{need};
            next;
        }

        if ($rule->{each}) {
            return ($name, 'no list')
                if ($rule->{type} // '') eq 'list' && ref $value ne 'ARRAY';

            # of each, a type "list" is not asked
            for my $one (ref $value eq 'ARRAY' ? @$value : $value) {
                my $wrong = wrong($one, { %$rule, type => undef });

                return ($name, $wrong) if $wrong;
            }

            next;
        }

        my $wrong = wrong($value, $rule);

        return ($name, $wrong) if $wrong;
    }

    return;
}


sub filled { defined $_[0] && (ref $_[0] || length $_[0]) }


# { at, is } or { at, in } or { at }: the field is there
sub holds {
    my ($record, $when) = @_;
    my $value = at($record, $when->{at});

    return filled($value) unless exists $when->{is} || $when->{in};
    return 0 unless defined $value && !ref $value;
    return scalar grep { $_ eq $value } @{ $when->{in} // [$when->{is}] };
}


sub wrong {
    my ($value, $rule) = @_;
    my $type = $rule->{type} // '';
    my $kind = ref $value;

    return 'null' unless defined $value;
    return 'no object' if $type eq 'object' && $kind ne 'HASH';
    return 'no list' if $type eq 'list' && $kind ne 'ARRAY';
    return 'no text' if $type eq 'text' && ($kind || is_number($value));
    return 'no number'
        if ($type eq 'number' || $type eq 'int')
            && ($kind || !is_number($value));
    return 'no whole number' if $type eq 'int' && $value !~ /^-?\d+$/;
    return 'no scalar' if $type eq 'scalar' && $kind && $kind !~ /Boolean/;

    return 'too long'
        if $rule->{max} && !$kind && length($value) > $rule->{max};
    return 'too many bytes'
        if $rule->{bytes} && !$kind && bytes($value) > $rule->{bytes};
    return 'too short'
        if $rule->{min} && !$kind && length($value) < $rule->{min};
    return 'too many' if $rule->{count} && size($value) > $rule->{count};
    return 'too much' if defined $rule->{most} && $value > $rule->{most};
    return 'too little' if defined $rule->{least} && $value < $rule->{least};
    return 'malformed'
        if defined $rule->{like} && ($kind || $value !~ /$rule->{like}/);
    return 'reserved'
        if defined $rule->{unlike} && !$kind && $value =~ /$rule->{unlike}/;
    return 'unknown'
        if $rule->{one_of} && !grep { $_ eq $value } @{ $rule->{one_of} };

    return 'name malformed'
        if $rule->{names} && grep { !/$rule->{names}/ } keys %$value;
    return 'value malformed'
        if $rule->{values} && grep { wrong($value->{$_}, $rule->{values}) }
            but($value, $rule->{but});

    return $rule->{rules} ? join ' ', broken($value, $rule->{rules}) : '';
}


# the names in an object, without some
sub but {
    my ($value, $but) = @_;
    my %but = map { $_ => 1 } @{ $but // [] };

    return grep { !$but{$_} } keys %$value;
}


sub bytes {
    my ($text) = @_;

    utf8::encode($text);

    return length $text;
}


sub size { ref $_[0] eq 'ARRAY' ? scalar @{ $_[0] } : scalar keys %{ $_[0] } }


# a number in JSON, as the decoder tells it
sub is_number {
    my $flags = svref_2object(\$_[0])->FLAGS;

    return $flags & (SVf_IOK | SVf_NOK) && !($flags & SVf_POK);
}


# 'too old', 'in the future', or ''; age => { at, unit, max, future }
sub too_old {
    my ($record, $age, $now) = @_;
    my $value = at($record, $age->{at});

    return '' unless defined $value;

    my $time = $age->{unit} eq 'iso'
        ? seconds_of($value) : $value / $SECONDS{$age->{unit}};

    return 'no time' unless defined $time;
    return 'too old' if $age->{max} && $time < $now - $age->{max};
    return 'in the future'
        if defined $age->{future} && $time > $now + $age->{future};
    return '';
}


sub seconds_of {
    my ($text) = @_;

    $text =~ /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d+)?Z?$/
        or return undef;

    return timegm($6, $5, $4, $3, $2 - 1, $1) + ($7 // 0);
}


# An answer of a template.  $about: count, accepted, failed, now, base, token,
# records => [{ index, id, state (ok, bad, later), field, message }]
sub fill {
    my ($value, $about) = @_;

    return [map { fill($_, $about) } @$value] if ref $value eq 'ARRAY';

    if (ref $value eq 'HASH') {
        return fill_each($value, $about) if exists $value->{'@each'};
        return { map { $_ => fill($value->{$_}, $about) } keys %$value };
    }

    return $value if ref $value || !defined $value || $value !~ /[\@{]/;

    if ($value =~ /^\@(\w+)$/) {
        return [map { $_->{index} } grep { $_->{state} !~ /^(?:ok|unnamed)$/ }
                @{ $about->{records} }]
            if $1 eq 'indexes';

        return $about->{$1};
    }

    $value =~ s/\{(\w+)\}/$about->{$1} \/\/ ''/ge;

    return $value;
}


# { "@each": [states] or "all", ok, bad, later }: a list with what is given
# for the state of each
sub fill_each {
    my ($value, $about) = @_;
    my $states = $value->{'@each'};
    my %wanted = map { $_ => 1 } ref $states ? @$states
        : qw(ok bad later slow);

    return [map { fill($value->{ $_->{state} } // $value->{bad},
                       { %$about, %$_ }) }
            grep { $wanted{ $_->{state} } } @{ $about->{records} }];
}


1;
