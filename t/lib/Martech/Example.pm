package Martech::Example;

# A started NGINX with a file of lua-free-conf as it is, but for its addresses.
#
#     my $nginx = example($t, 'cluster.conf',
#                         files => { 'redis.password' => "secret\n" });
#     post($t->port(8080), '/collect/v1/track', {...}, key => 'cluster');

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(dirname);

use Martech::Test ();

our @EXPORT = qw(example);


# files => { path below the prefix => content }; replace => { text => other }
sub example {
    my ($t, $name, %arg) = @_;
    my $dir = "$t->{dir}/nginx" . @{ $t->{nginx} };
    my $root = Martech::Test->root();
    my $conf = Martech::Nginx::slurp("$root/lua-free-conf/$name")
        or die "no $name\n";

    mkdir $_ for $dir, "$dir/temp";
    symlink "$root/build/" . ($t->{asan} ? 'nginx-asan' : 'nginx'),
        "$dir/modules";

    for my $path (keys %{ $arg{files} // {} }) {
        mkdir dirname("$dir/$path");
        open my $fh, '>', "$dir/$path" or die "$path: $!\n";
        print $fh $arg{files}{$path};
        close $fh;
    }

    for my $text (keys %{ $arg{replace} // {} }) {
        $conf =~ s/\Q$text\E/$arg{replace}{$text}/g
            or die "$name has no \"$text\"\n";
    }

    return $t->nginx('', whole => $t->fill($conf));
}


1;
