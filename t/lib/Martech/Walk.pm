package Martech::Walk;

# A page that can be followed: its files are written, its commands are run.
#
#     my $walk = Martech::Walk->new($t, $text);
#     for my $step ($walk->steps()) { ... }
#
# A line that is a name in backquotes and a colon makes the indented block
# behind it a file.  An indented block that begins with "$ " is a command and
# what it prints.  All other blocks are to look at.

use strict;
use warnings;

use File::Basename ();
use File::Path ();


sub new {
    my ($class, $t, $text) = @_;
    my $folder = $t->dir() . '/walk';
    my $program = $t->{asan} ? 'build/asan/martech-forwarder'
                             : 'build/martech-forwarder';

    File::Path::make_path("$folder/bin");
    symlink $t->root() . "/$program", "$folder/bin/martech-forwarder"
        or die "$folder/bin/martech-forwarder: $!\n";

    return bless { folder => $folder, text => $text }, $class;
}


# { file, text } or { command, text }, in the order of the page
sub steps {
    my ($self) = @_;
    my @steps;

    while ($self->{text} =~ /(?:^`([^`\n]+)`:\n)?\n
                             ((?:\x20{4}.*\n|\n(?=\x20{4}))+)/mgx)
    {
        my ($file, $block) = ($1, $2);

        $block =~ s/^ {4}//mg;
        $block =~ s/\n+\z/\n/;

        if (defined $file) {
            push @steps, { file => $file, text => $block };
            next;
        }

        # commands may follow each other
        while ($block =~ /^\$ (.*)\n((?:(?!\$ ).*\n)*)/mg) {
            my ($command, $printed) = ($1, $2);

            $printed =~ s/\n+\z/\n/;
            push @steps, { command => $command, text => $printed };
        }
    }

    return @steps;
}


sub file {
    my ($self, $name, $text) = @_;
    my $file = "$self->{folder}/$name";

    File::Path::make_path(File::Basename::dirname($file));
    open my $fh, '>', $file or die "$file: $!\n";
    print {$fh} $text;
    close $fh or die "$file: $!\n";

    return $file;
}


# What a command prints, without blanks at the ends of lines.
sub run {
    my ($self, $command) = @_;
    local $ENV{PATH} = "$self->{folder}/bin:$ENV{PATH}";
    local $ENV{ASAN_OPTIONS} = 'detect_leaks=0';

    my $printed = `cd '$self->{folder}' && { $command; } 2>&1`;

    return $printed =~ s/ +$//mgr;
}


1;
