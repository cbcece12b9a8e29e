#!/usr/bin/perl

# Deliveries signed by the vendors' own libraries: standardwebhooks, svix,
# stripe, @octokit/webhooks-methods.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Client qw(same_events);
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

# a secret of each vendor, and the one that replaces it; both are valid now
my %secret = (
    standard => [map { 'whsec_' . $_ } 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
                                       'C2FVsBQIhrscChlQIMV+b5sSYspob7oD'],
    svix => [map { 'whsec_' . $_ } 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
                                   'C2FVsBQIhrscChlQIMV+b5sSYspob7oD'],
    stripe => ['whsec_demo_secret', 'whsec_another_secret'],
    github => ["It's a Secret to Everybody", 'another secret'],
);

my @VENDORS = sort keys %secret;

my %file = map {
    $_ => $t->file("$_.secret", join '', map { "$_\n" } @{ $secret{$_} })
} @VENDORS;

my $locations = join "\n", map { <<"END" } @VENDORS;
        location = /hooks/$_ {
            martech_webhook $_ secret_file=$file{$_};
        }
END

my $nginx = $t->nginx(<<"END");
    martech_redis  %%REDIS%%;

    server {
        listen 127.0.0.1:8080;

$locations
    }
END

my $client = Martech::Client->run($t, 'webhooks', 'session', $t->port(8080),
    map { my $n = $_; to_json({ map { $_ => $secret{$_}[$n] } @VENDORS }) }
        0, 1);

my %answers = map { $_->{vendor} => $_ }
    grep { defined $_->{vendor} } @{ $client->{lines} };

for my $vendor (@VENDORS) {
    my $answer = $answers{$vendor};

    is(join(' ', @{$answer}{qw(first second)}), '200 200',
       "$vendor: what the vendor's library signs is taken, by both secrets");
    is($answer->{again}, 200, "$vendor: and so is the vendor's retry");
    is(join(' ', @{$answer}{qw(forged changed)}), '401 401',
       "$vendor: a forged signature and a changed body are not");
}


# How a delivery is stored.
my @ROWS = (
    ['vendor', 'context.webhook.scheme'],
    ['id', 'messageId'],
    ['payload.type', sub { { 'properties.type' => $_[0], event => $_[0] } }],
    ['payload.*', 'properties.*'],
);

# of a retry, the first one
my %seen;
my @stored = grep { !$seen{ $_->{id} }++ } $redis->events();

same_events('deliveries', [ $client->events() ], \@stored, rows => \@ROWS,
            exact => ['properties'], sent_id => sub { $_[0]{id} });

unlike($nginx->log_text(), qr/zoe\@example|A-1001|whsec/,
       'the log knows neither a payload nor a secret');

$t->done();
