package Martech::Spool;

# A spool folder as a test looks at it, and the books of the status page.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(books segments folders overwrite file_size);


# '' when both identities of the ledger hold; else the one that does not
sub books {
    my ($s) = @_;
    my $events = $s->{events_stored} + $s->{events_spooled}
        + $s->{events_rejected} + $s->{events_dropped} + $s->{events_waiting};
    my $disk = $s->{spool_replayed} + $s->{spool_waiting} + $s->{spool_lost}
        + $s->{spool_taken};

    return "$s->{events_received} received, $events in the books"
        if $s->{events_received} != $events;
    return $s->{events_spooled} + $s->{spool_found} . " on disk, $disk in the"
        . ' books' if $s->{events_spooled} + $s->{spool_found} != $disk;

    return '';
}


# folders of workers
sub folders { grep { !m{/damaged$} } glob "$_[0]/*" }


# files with events, by folder and id
sub segments { sort glob "$_[0]/w*/*.seg" }


sub file_size { -s $_[0] }


# writes bytes over those of a file
sub overwrite {
    my ($file, $offset, $bytes) = @_;

    open my $fh, '+<', $file or die "$file: $!\n";
    binmode $fh;
    sysseek $fh, $offset, 0;
    syswrite $fh, $bytes;
    close $fh;
}


1;
