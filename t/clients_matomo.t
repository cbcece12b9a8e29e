#!/usr/bin/perl

# matomo-tracker, a library for servers: what it sends is what is stored.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode qw(encode_utf8);

use Martech::Client qw(same_events at_time number page_url screen_size text);
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->nginx(<<'END');
    martech_redis   %%REDIS%% timeout=300ms connect_timeout=300ms;
    martech_source  shop key=1;
    martech_cookie  visitor mode=anonymous;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
            martech_dialect matomo;
        }
    }
END

my $port = $t->port(8080);


# What a request is of is seen from what it has.
sub type_of {
    my (undef, $event) = @_;
    my $name = defined $event->{e_a} ? $event->{e_a}
        : defined $event->{idgoal} ? 'Order Completed'
        : defined $event->{search} ? 'Search'
        : defined $event->{download} ? 'File Downloaded'
        : defined $event->{link} ? 'Link Clicked' : undef;

    return defined $name ? { type => 'track', event => $name }
                         : { type => 'page' };
}


# [sku, name, category, price, quantity] each
sub products {
    my $items = from_json(encode_utf8($_[0]));
    my @names = qw(sku name category price quantity);
    my %products;

    for my $i (0 .. $#$items) {
        for my $n (0 .. $#names) {
            my $value = $items->[$i][$n];
            my $path = "properties.products.$i.$names[$n]";

            $products{ ref $value ? "$path.$_" : $path }
                = ref $value ? $value->[$_] : $value
                for ref $value ? 0 .. $#$value : 0;
        }
    }

    return \%products;
}


# How a request of the client is stored.
my @ROWS = (
    ['rec', \&type_of],
    ['url', \&page_url],
    ['urlref', 'context.page.referrer'],
    ['action_name', sub { { 'context.page.title' => $_[0], name => $_[0] } }],
    ['_id', 'anonymousId'],
    ['uid', 'userId'],
    ['cdt', 'timestamp', sub { at_time($_[0] * 1000, $_[1]) }],
    ['res', \&screen_size],
    ['lang', 'context.locale'],
    ['ua', 'context.userAgent'],
    ['pv_id', 'context.matomo.pv_id'],

    ['e_c', 'properties.category'],
    ['e_a', 'event'],
    ['e_n', 'properties.label'],
    ['e_v', 'properties.value'],
    ['search', 'properties.query'],
    ['search_cat', 'properties.category'],
    ['search_count', 'properties.count'],
    ['revenue', 'properties.total'],
    ['ec_id', 'properties.order_id'],
    ['ec_st', 'properties.subtotal'],
    ['ec_tx', 'properties.tax'],
    ['ec_items', \&products],
    ['download', 'properties.url'],
    ['link', 'properties.url'],
    [qr/^(dimension\d+)$/, 'properties.$1'],

    # the key, what is said by the type, and plumbing
    [qr/^(?:idsite|idgoal|ca|rand|apiv|send_image)$/, undef],
);


# An event by what makes it different from the others.
sub sent_id {
    my ($event) = @_;

    return $event->{e_a} // $event->{search} // $event->{ec_id}
        // $event->{download} // $event->{link} // $event->{action_name}
        // 'first';
}

sub stored_id {
    my ($event) = @_;
    my $properties = $event->{properties};

    return $event->{name} // 'first' if $event->{type} eq 'page';

    return $properties->{query} // $properties->{order_id}
        // $properties->{url} // $event->{event};
}


{
    my $client = Martech::Client->run($t, 'matomo_node', 'session', $port);
    my @sent = $client->events();
    my @stored = $redis->events();

    is(scalar @sent, 14, 'seven requests and a bulk of seven');
    is(join(' ', $client->said('status')), '200 200 204 200 200 200 200',
       'the client is told that they are taken, with an image unless it says');
    is_deeply([ $client->said('body') ],
              [{ status => 'success', tracked => 7, invalid => 0 }],
              'and so are those of the bulk');
    is(join(' ', $client->said('error')), '', 'it knows of no failure');
    same_events('session', \@sent, \@stored, rows => \@ROWS,
                exact => ['properties'], sent_id => \&sent_id,
                stored_id => \&stored_id);

    my ($first) = grep { stored_id($_->{event}) eq 'first' } @stored;

    like($first->{event}{anonymousId}, qr/^[0-9a-f-]{36}$/,
         'who comes without an id gets that of the day');
}


# ---- 503 ----

# It sends nothing again: what was refused is lost, and its caller is told.
{
    $redis->call('flushall');
    $redis->kill_now();

    my $client = Martech::Client->run($t, 'matomo_node', 'refused', $port);

    is(join(' ', $client->said('error')), '503 503',
       '503: the client is told, and does not send again');
    $redis->start();
    is($redis->count(), 0, '503: nothing is stored');
}

$t->done();
