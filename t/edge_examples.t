#!/usr/bin/perl

# The examples of a web shop, of several tenants, and of a receiver of
# webhooks, as they stand in lua-free-conf but for their addresses.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex);
use MIME::Base64 qw(encode_base64);

use Martech::Example;
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();


# the events stored since it was asked last
sub stored {
    my @events = map { $_->{event} } $redis->events();

    $redis->call('flushall');

    return @events;
}


sub cookies {
    my ($response) = @_;

    return map { /^Set-Cookie:\s*([^=]+)=([^;]*)/i ? ($1 => $2) : () }
        @{ $response->{fields} };
}


sub at {
    my ($port) = @_;

    return replace => { '127.0.0.1:6379' => '%%REDIS%%',
                        '127.0.0.1:8080' => "127.0.0.1:$port" };
}


# ---- a web shop ----

{
    my $nginx = example($t, 'shop.conf', at(8083));
    my $port = $t->port(8083);
    my @shop = (host => 'www.shop.example');

    my $page = get($port, '/?utm_source=news&token=1', @shop,
                   headers => [ 'User-Agent' => 'A' ]);
    my %cookie = cookies($page);

    is($page->{status}, 200, 'shop: a page');
    is(join(' ', sort keys %cookie), 'campaign visitor visitor_page',
       'with its cookies');
    wait_until(sub { $redis->count() == 1 }, 5, 'an event of the server');

    my ($served) = stored();
    my $id = $cookie{visitor_page};

    is($served->{event}, 'Page Served', 'that it was served');
    is($served->{context}{page}{url},
       'http://www.shop.example/?utm_source=news', 'scrubbed');
    is($served->{context}{campaign}{source}, 'news', 'with its campaign');

    my @with = (Cookie => join('; ', map { "$_=$cookie{$_}" } keys %cookie),
                'User-Agent' => 'A', Origin => 'https://checkout.shop.example');
    my $r = post($port, '/collect/v1/track', { event => 'e', userId => 'u' },
                 @shop, key => 'shop', headers => \@with);
    my ($event) = stored();

    is($r->{headers}{'access-control-allow-origin'},
       'https://checkout.shop.example', 'pages of the shop may send');
    is($event->{anonymousId}, $served->{anonymousId}, 'one visitor');
    is($event->{context}{martech}{pageRequestId},
       $served->{context}{martech}{requestId}, 'one page');
    is($event->{context}{campaign}{source}, 'news', 'one campaign');

    $r = post($port, '/collect/i/v0/e/', { api_key => 'shop', event => 'e',
              distinct_id => 'd' }, @shop, headers => \@with);
    is($r->{status}, 200, 'another tracker');
    is((stored())[0]{context}{martech}{dialect}, 'posthog', 'is understood');

    is(get($port, '/', @shop, headers => [ 'User-Agent' => 'Googlebot' ])
       ->{status}, 200, 'a bot gets its page');
    wait_until(sub { get($port, '/status')->{json}{pages}{shop}{observed} },
               5, 'pages are counted');

    my $pages = get($port, '/status')->{json}{pages}{shop};

    is("$pages->{served} $pages->{confirmed} $pages->{open}", '1 1 0',
       'but no bot');
    is(http($port, 'POST', '/collect/forget', @shop, body => '')->{status},
       204, 'forgets');
    $nginx->stop();
}


# ---- tenants ----

{
    my $plan = Martech::Nginx::slurp($t->root() . '/lua-free-conf/plan.json');
    my $nginx = example($t, 'tenants.conf', at(8084), files => {
        'plan.json' => $plan, 'alpha.keys' => "alpha-server\n" });
    my $port = $t->port(8084);
    my %event = (event => 'e', userId => 'u');
    my @alpha = (host => 'events.alpha.example');
    my @beta = (host => 'www.beta.example');

    my $r = post($port, '/collect/v1/track', \%event, @alpha, key => 'alpha');
    my ($event) = stored();
    my %cookie = cookies($r);

    is($r->{status}, 200, 'tenants: the first');
    is($event->{context}{martech}{source}, 'alpha-web', 'has its source');
    ok($event->{context}{martech}{plan}, 'its plan');
    is($event->{anonymousId}, $cookie{alpha_id}, 'and its cookie');

    post($port, '/collect/v1/track', \%event, @alpha, key => 'alpha-server');
    ($event) = stored();
    is($event->{context}{martech}{source}, 'alpha-shop', 'a key of a file');
    is($event->{context}{martech}{plan}, undef, 'has no plan');

    is(post($port, '/collect/v1/track', \%event, @alpha, key => 'beta')
       ->{status}, 401, 'keys of others are unknown');

    $r = post($port, '/collect/api/event', { name => 'pageview',
              domain => 'beta', url => 'https://www.beta.example/' }, @beta,
              headers => [ Origin => 'https://www.beta.example',
                           'User-Agent' => 'A' ]);
    ($event) = stored();
    is($r->{status}, 202, 'the second, by another tracker');
    is($event->{context}{martech}{source}, 'beta', 'has its own');
    is({ cookies($r) }->{beta_id}, undef, 'no cookie');
    like($event->{anonymousId} // '', qr/^.{14}8/, 'an id of the day');
    is($event->{context}{ip}, '127.0.0.0', 'and half an address');

    is(post($port, '/collect/v1/track', \%event, key => 'alpha')->{status},
       404, 'nobody\'s');
    is(get($port, '/status')->{status}, 200, 'the status');
    $nginx->stop();
}


# ---- webhooks ----

{
    my $raw = 'secret of thirty-two bytes......';
    my $nginx = example($t, 'webhooks.conf', at(8086), files => {
        'secrets/payments' => 'whsec_' . encode_base64($raw, '') . "\n",
        map { ("secrets/$_" => "old-secret-of-$_-16\n$raw\n") }
            qw(code orders other) });
    my $port = $t->port(8086);
    my $body = '{"type":"paid","data":{"id":1}}';
    my $now = time();

    for (
        [ 'payments', 'webhook-id' => 'msg_1', 'webhook-timestamp' => $now,
          'webhook-signature' => 'v1,' . encode_base64(
              hmac_sha256("msg_1.$now.$body", $raw), '') ],
        [ 'code', 'X-GitHub-Event' => 'push', 'X-GitHub-Delivery' => 'd1',
          'X-Hub-Signature-256' => 'sha256=' . hmac_sha256_hex($body, $raw) ],
        [ 'orders', 'X-Shopify-Topic' => 'orders/paid',
          'X-Shopify-Hmac-Sha256' => encode_base64(hmac_sha256($body, $raw),
                                                   '') ],
        [ 'other', 'X-Signature' => hmac_sha256_hex($body, $raw) ],
    ) {
        my ($path, @headers) = @$_;
        my $r = post($port, "/hooks/$path", $body, headers => \@headers);
        my @events = stored();

        is($r->{status}, 200, "webhooks: $path");
        is(scalar @events, 1, 'an event');
        is($events[0]{context}{martech}{dialect}, 'webhook', 'of a webhook');

        $r = post($port, "/hooks/$path", "$body ", headers => \@headers);
        is($r->{status}, 401, 'one byte more: 401');
        is(scalar(my @none = stored()), 0, 'and nothing');
    }

    $nginx->stop();
}

$t->done();
