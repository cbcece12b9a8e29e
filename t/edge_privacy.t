#!/usr/bin/perl

# What is stored of an event is what the directives of privacy leave of it:
# in the event, in what the request adds, in the context of its batch, in the
# id that names it, and in the log.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Spool qw(books);
use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->define(KEY => $t->file('key', "0123456789abcdef0123456789abcdef\n"),
           SHORT => $t->file('short', "0123\n"),
           EMPTY => $t->file('empty', ''));

my $nginx = $t->nginx(<<'END');
    log_format  ids '$martech_message_id';

    set_real_ip_from  127.0.0.1;
    real_ip_header    X-Client;

    martech_redis       %%REDIS%%;
    martech_limits      event=512k batch=4m tokens=200000;
    martech_redact_key  %%KEY%%;
    client_max_body_size 4m;
    martech_ip          mask;

    server {
        listen 127.0.0.1:8080;
        access_log %%PREFIX%%/access.log ids;

        martech_redact pointer=/properties/email mask;
        martech_redact pointer=/properties/items/*/sku drop;
        martech_redact name=password drop;
        martech_redact name~^secret_ hash;
        martech_redact value~(?i)token-[a-z0-9]+ mask;
        martech_redact pattern=card,email mask;
        martech_scrub_url default sid;
        martech_user_agent reduce;

        location / {
            martech_collect;
        }

        location /hash/ {
            martech_redact pointer=/userId hash;
            martech_redact pointer=/anonymousId drop;
            martech_redact pointer=/messageId hash;
            martech_collect;
        }

        location /plain/ {
            martech_redact off;
            martech_scrub_url off;
            martech_ip keep;
            martech_user_agent keep;
            martech_collect;
        }

        location /drop/ {
            martech_ip drop;
            martech_user_agent drop;
            martech_collect;
        }

        location /status {
            martech_status;
        }
    }
END

my $port = $t->port(8080);
my $AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 '
    . 'Firefox/128.4';


sub status { get($port, '/status')->{json} }


sub stored {
    my ($path, $payload) = @_;

    $redis->call('flushall');

    my $r = post($port, $path, $payload, headers => [
        'User-Agent' => $AGENT, 'X-Client' => '198.51.100.77' ]);
    my @events = $redis->events();

    return wantarray ? ($r, @events) : $events[0];
}


# ---- an event ----

my %event = (
    event => 'Paid', userId => 'u-1', anonymousId => 'a-1', messageId => 'm-1',
    properties => {
        email => 'ann@example.org', password => 'x',
        secret_number => '12345', note => 'Token-abc and ann@example.org',
        items => [ { sku => 'S1', n => 1 }, { sku => 'S2' } ],
        card => '4111 1111 1111 1111',
    },
    context => { page => {
        url => 'https://a.example/p?x=1&sid=99&email=ann%40example.org' } },
);

my $e = stored('/v1/track', \%event)->{event};
my $properties = $e->{properties};

unlike($properties->{email}, qr/ann|example/, 'masked by pointer');
ok(!exists $properties->{password}, 'dropped by name');
like($properties->{secret_number}, qr/^[0-9a-f]{32}$/, 'hashed by name');
like($properties->{note}, qr/^\S* and \S*$/, 'the rest of a text stays');
unlike($properties->{note}, qr/abc|ann/, 'masked by what it finds');
unlike($properties->{card}, qr/1111 1111/, 'masked by a pattern');
is_deeply($properties->{items}, [ { n => 1 }, {} ], 'dropped by a wildcard');
like($e->{context}{page}{url}, qr{^https://a\.example/p\?x=1}, 'url: stays');
unlike($e->{context}{page}{url}, qr/99|ann/, 'url: parameters go');
is($e->{context}{ip}, '198.51.100.0', 'the address is masked');
like($e->{context}{userAgent}, qr/Firefox/, 'the user agent says what it is');
unlike($e->{context}{userAgent}, qr/128\.4|20100101/, '... and no more');
is($e->{userId}, 'u-1', 'other ids stay');

my $again = stored('/v1/track', \%event)->{event};

is($again->{properties}{secret_number}, $properties->{secret_number},
   'a hash is the same again');

$e = stored('/plain/v1/track', \%event)->{event};
is_deeply($e->{properties}, $event{properties}, 'off: as it was sent');
is($e->{context}{page}{url}, $event{context}{page}{url}, 'off: the url');
is($e->{context}{ip}, '198.51.100.77', 'keep: the address');
is($e->{context}{userAgent}, $AGENT, 'keep: the user agent');

$e = stored('/drop/v1/track', { %event, context => {
    ip => '203.0.113.9', userAgent => $AGENT } })->{event};
ok(!exists $e->{context}{$_}, "drop: no $_, and none of the request")
    for qw(ip userAgent);

$e = stored('/v1/track', { %event, context => { ip => '203.0.113.9' } });
is($e->{event}{context}{ip}, '203.0.113.0', 'an address of the sender\'s');


# ---- ids ----

my $entry = stored('/hash/v1/track', \%event);

like($entry->{id}, qr/^[0-9a-f]{32}$/, 'a hashed message id');
is($entry->{event}{messageId}, $entry->{id}, '... is the same in the event');
like($entry->{event}{userId}, qr/^[0-9a-f]{32}$/, 'a hashed user id');
ok(!exists $entry->{event}{anonymousId}, 'a dropped anonymous id');
is(stored('/hash/v1/track', \%event)->{id}, $entry->{id},
   'the same event has the same id');

$entry = stored('/v1/track', { %event, messageId => 'ann@example.org' });
like($entry->{id}, qr/^[0-9a-f-]{36}$/, 'a masked message id is made anew');
ok(becomes(sub { Martech::Nginx::slurp($t->dir() . '/access.log')
                     =~ /^$entry->{id}$/m }, 5), '... and so logged');


# ---- a batch ----

my ($r, @events) = stored('/v1/batch', {
    batch => [ { type => 'page', userId => 'u', context => { b => 1 } },
               { type => 'page', userId => 'u', properties =>
                 { password => 1 } } ],
    context => { password => 'p', email => 'ann@example.org', c => 2 },
    integrations => { password => 'p', All => \1 },
});

is(@events, 2, 'a batch');

for my $e (map { $_->{event} } @events) {
    ok(!exists $e->{context}{password}, 'its context: dropped');
    unlike($e->{context}{email}, qr/ann/, 'its context: masked');
    is($e->{context}{c}, 2, 'its context: the rest');
    is(to_json($e->{integrations}), '{"All":true}', 'its integrations');
}


# ---- more than there is room for ----

my $before = status();

($r, @events) = stored('/v1/batch', { batch => [
    { type => 'page', userId => 'u' },
    { type => 'page', userId => 'u', properties =>
      { list => [ map { { password => $_ } } 1 .. 10_000 ] } } ] });

is($r->{status}, 200, 'too much to redact: the others are stored');
is(@events, 1, '... and only they');
is($r->{json}{rejected}[0]{code}, 'privacy_limit', '... the sender is told');
is(status()->{rejected}{privacy_limit} - ($before->{rejected}{privacy_limit}
   // 0), 1, '... it is counted');

($r, @events) = stored('/v1/page', { userId => 'u', properties =>
      { list => [ map { { password => $_ } } 1 .. 8000 ] } });
is(@events, 1, 'nearly too much');
is_deeply($events[0]{event}{properties}{list}[7999], {}, '... all of it');

is(books(status()), '', 'the books close');


# ---- directives ----

my $SERVER = 'martech_redis %%%%REDIS%%%%; server { listen 127.0.0.1:8081; '
    . 'location / { martech_collect; %s } }';

my $checked = $t->nginx('', run => 0);

$t->expect(qr/\[emerg\]/);

for (
    [ 'martech_redact name=a blur;', qr/"blur", it must be mask, drop/ ],
    [ 'martech_redact nome=a mask;', qr/"nome=a", it must be pointer=/ ],
    [ 'martech_redact name= mask;', qr/"name=", it must be pointer=/ ],
    [ 'martech_redact personally mask;', qr/"personally", it must be/ ],
    [ 'martech_redact personal;', qr/"personal", mask, drop or hash/ ],
    [ 'martech_redact pointer=email mask;', qr/"pointer=email", / ],
    [ 'martech_redact "name~(" mask;', qr/"name~\(", / ],
    [ 'martech_redact "value~(a+)+$" mask;', qr/"value~\(a\+\)\+\$", / ],
    [ 'martech_redact pattern=email,mood mask;', qr/"pattern=email,mood", / ],
    [ 'martech_redact name=a hash;', qr/"martech_redact": .*key/ ],
    [ 'martech_redact off; martech_redact name=a mask;', qr/is "off" on/ ],
    [ 'martech_redact name=a mask; martech_redact off;', qr/has "off" besi/ ],
    [ 'martech_redact_key %%NONE%%;', qr/none" failed/ ],
    [ 'martech_redact_key %%SHORT%%;', qr/short", / ],
    [ 'martech_redact_key %%EMPTY%%;', qr/empty", / ],
    [ 'martech_scrub_url default; martech_scrub_url a;', qr/is duplicate/ ],
    [ 'martech_scrub_url a*b;', qr/"a\*b", / ],
    [ 'martech_ip reduce;', qr/"reduce", it must be keep, mask or drop/ ],
    [ 'martech_user_agent mask;', qr/"mask", it must be keep, reduce or drop/ ],
    [ 'martech_ip keep; martech_ip drop;', qr/is duplicate/ ],
) {
    my ($lines, $says) = @$_;

    $t->define(NONE => $t->dir() . '/none');

    my $conf = sprintf $SERVER, '%s';
    my ($accepted, $output) =
        $checked->test_conf($t->fill($conf =~ s/%s/$lines/r));

    ok(!$accepted, "refused: $lines");
    like($output, $says, "the message of: $lines");
}

unlike($checked->log_text(), qr/0123/, 'no message has a key');

$t->done();
