#!/usr/bin/perl

# What a person has denied is nowhere: not in Redis nor in its file, not in the
# spool, in a log, in a temporary file, on the status page.  For each kind of
# signal, with each policy, with Redis and without it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find ();
use IO::Socket::INET;
use Martech::Example;
use Martech::H2;
use Martech::Spool qw(books);
use Martech::Test;

my $t = Martech::Test->new(timeout => 240);
my $redis = $t->redis();

# each event breaks it, and is put aside
$t->file('plan.json', to_json({
    martech_plan => 1, name => 'all', version => '1',
    defaults => { unplanned_property => 'quarantine' },
    events => { Bought => {
        violation => 'quarantine', personal => ['/properties/email'],
        properties => { type => 'object', properties => {
            price => { type => 'string' } } } } } }));

my $nginx = $t->nginx(<<'END', workers => 2);
    log_format  everything '$remote_addr $http_user_agent $request '
                           '$http_referer $http_cookie $martech_verdict '
                           '$martech_message_id $martech_source '
                           '$martech_events [$martech_consent]';

    set_real_ip_from  127.0.0.1;
    real_ip_header    X-Client;

    martech_redis   %%REDIS%% timeout=3s;
    martech_spool   %%PREFIX%%/spool after=50ms;
    martech_source  website key=wk;

    map $http_x_country $by_country {
        DE       denied;
        FR       necessary,functional;
        GB       granted;
        default  'no such word';
    }

    client_body_buffer_size 1k;
    large_client_header_buffers 4 32k;

    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8081 http2;
        access_log %%PREFIX%%/access.log everything;

        martech_consent_category analytics_category analytics;

        location /drop/ {
            martech_consent policy=drop gpc=all dnt=all event list tcf usp
                            gpp=header:X-GPP onetrust cookiebot consent_mode
                            segment=header:X-Segment
                            list=cookie:my-choice list=$arg_c;
            martech_collect;
        }

        location /anonymous/ {
            martech_consent policy=anonymize gpc=all dnt=all event list tcf
                            usp gpp=header:X-GPP onetrust cookiebot consent_mode
                            segment=header:X-Segment
                            list=cookie:my-choice list=$arg_c;
            martech_collect;
        }

        location /aside/ {
            martech_consent policy=anonymize gpc=all;
            martech_plan    %%PREFIX%%/plan.json;
            martech_collect;
        }

        location /memory/ {
            martech_consent policy=drop gpc=all;
            martech_ack memory;
            martech_collect;
        }

        location /tag/ {
            martech_consent gpc list;
            martech_collect;
        }

        location /log/ {
            martech_consent policy=drop log=on gpc=all;
            martech_collect;
        }

        location /event/ {
            martech_consent policy=drop event gpc=all;
            martech_collect;
        }

        location /purposes/ {
            martech_consent policy=drop event default=denied;
            martech_collect;
        }

        location /country/ {
            martech_consent policy=drop default=$by_country list;
            martech_collect;
        }

        location /off/ {
            martech_consent off;
            martech_collect;
        }

        location /status {
            martech_status;
        }
    }
END

my $port = $t->port(8080);
my $number = 0;
my $requests = 0;


# ---- helpers ----

# Words that nobody else uses, for one request.
sub person {
    $number++;

    return {
        messageId => "message-$number-zq",
        anonymousId => "anonymous-$number-zq",
        userId => "user-$number-zq", email => "person$number\@zq.example",
        agent => "Mozilla/5.0 (X11; zq$number) Gecko",
        click => "click-$number-zq",
        ip => '198.51.100.' . (100 + $number),
    };
}


sub event {
    my ($p, %arg) = @_;

    return {
        type => 'track', event => 'Bought', messageId => $p->{messageId},
        anonymousId => $p->{anonymousId}, userId => $p->{userId},
        properties => { email => $p->{email}, price => 5 },
        traits => { email => $p->{email} },
        context => { ip => $p->{ip}, userAgent => $p->{agent},
                     page => { url => "https://a.example/?gclid=$p->{click}" },
                     traits => { email => $p->{email} }, %arg },
    };
}


sub send_event {
    my ($path, $p, $payload, @headers) = @_;

    $requests++;

    return post($port, $path, $payload, key => 'wk', headers => [
        'User-Agent' => $p->{agent}, 'X-Client' => $p->{ip},
        Referer => "https://a.example/$p->{click}", @headers ]);
}


sub status { get($port, '/status')->{json} }


# all bytes below the folder of the test, and the status page
sub everything {
    my @bytes = to_json(status());

    File::Find::find({ no_chdir => 1, wanted => sub {
        push @bytes, "$_\n" . Martech::Nginx::slurp($_) if -f && -r _;
    } }, $t->dir());

    for my $key (@{ $redis->call('keys', '*') }) {
        push @bytes, $key, $redis->call('dump', $key);
    }

    return @bytes;
}


# the words of a person that stand somewhere
sub found {
    my ($p, $bytes) = @_;
    my @words = sort values %$p;

    return join ' ', grep {
        my $word = $_;
        grep { index($_, $word) >= 0 } @$bytes;
    } @words;
}


sub named {
    my ($granted) = @_;

    return join ',', sort @{ $granted // [] };
}


# ---- the signals ----

my $DENIED = 'CQeEcwAQf7GgAAfKABENB-EgAAAAAAAAAAYgAAAAAAAA';

my @signals = (
    [ 'Sec-GPC', [ 'Sec-GPC' => 1 ] ],
    [ 'DNT', [ DNT => 1 ] ],
    [ 'a TC string', [ Cookie => "a=b; euconsent-v2=$DENIED; c=d" ] ],
    [ 'a GPP string', [ 'X-GPP' => "DBABMA~$DENIED" ] ],
    [ 'OneTrust', [ Cookie => 'OptanonConsent=isGpcEnabled=0&version=202601'
        . '&groups=C0001%3A1%2CC0002%3A0%2CC0003%3A1%2CC0004%3A0' ] ],
    [ 'Cookiebot', [ Cookie => 'CookieConsent={stamp:%27x%27%2Cnecessary:true'
        . '%2Cpreferences:false%2Cstatistics:false%2Cmarketing:false}' ] ],
    [ 'Consent Mode', [], '?gcs=G100' ],
    [ 'Segment', [ 'X-Segment' => '{"categoryPreferences":'
        . '{"analytics_category":false}}' ] ],
    [ 'a list in a header', [ 'X-Consent' => '-analytics' ] ],
    [ 'a list in a cookie',
      [ Cookie => 'my-choice=-analytics; my-choice=analytics' ] ],
    [ 'a list in a variable', [], '?c=-analytics' ],
    [ 'the event', [], '', { consent => { categoryPreferences =>
                                         { analytics => \0 } } } ],
);

my @people;

for my $policy (qw(drop anonymous)) {
    for my $signal (@signals) {
        my ($name, $headers, $query, $context) = @$signal;
        my $p = person();
        my $before = status();
        my $stored = $redis->count();
        my $r = send_event("/$policy/v1/track" . ($query // ''), $p,
                           event($p, %{ $context // {} }), @$headers);
        my $drop = $policy eq 'drop';

        push @people, $p;
        is($r->{status}, 200, "$policy, $name: the client is told that all is "
           . 'well');
        is($redis->count() - $stored, $drop ? 0 : 1, "$policy, $name: stored "
           . ($drop ? 'nothing' : 'one event'));
        is(status()->{dropped}{consent} - $before->{dropped}{consent},
           $drop ? 1 : 0, "$policy, $name: counted");
    }
}

my $p = person();
my $r = send_event('/memory/v1/track', $p, event($p), 'Sec-GPC' => 1);

push @people, $p;
is($r->{status}, 200, 'with an answer from memory');


# what is refused, by us and by NGINX, is denied all the same

for my $case (
    [ 'a body that is no JSON', '/drop/v1/track',
      sub { "{$_[0]{email}" }, 400 ],
    [ 'an event without a name', '/drop/v1/track',
      sub { +{ userId => $_[0]{userId}, messageId => $_[0]{messageId} } },
      400 ],
    [ 'an unknown path', '/drop/v1/nowhere', sub { event($_[0]) }, 404 ],
    [ 'a body that is too large', '/drop/v1/track',
      sub { +{ %{ event($_[0]) }, x => 'x' x 600_000 } }, 413 ],
    [ 'a large batch', '/drop/v1/batch',
      sub { my $p = shift; +{ batch => [ map { event($p) } 1 .. 600 ] } },
      200 ],
    [ 'a large batch, anonymous', '/anonymous/v1/batch',
      sub { my $p = shift; +{ batch => [ map { event($p) } 1 .. 600 ] } },
      200 ],
) {
    my ($name, $path, $make, $expected) = @$case;
    my $p = person();
    my $r = send_event($path, $p, $make->($p), 'Sec-GPC' => 1);

    push @people, $p;
    is($r->{status}, $expected, "$name: $expected");
}


# ---- streams of one connection ----

# Some deny, some grant, some are reset; bodies come in turns.
my $h2 = Martech::H2->connect($t->port(8081));
my (@granting, @streams);

$requests += 12;

for my $n (0 .. 11) {
    my $denied = $n % 3 != 1;
    my $p = person();
    my $stream = $h2->open('/drop/v1/track', authorization => 'Basic d2s6',
                           'content-type' => 'application/json',
                           'user-agent' => $p->{agent}, 'x-client' => $p->{ip},
                           $denied ? ('sec-gpc' => '1') : ());

    push @{ $denied ? \@people : \@granting }, $p;
    push @streams, [ $stream, to_json(event($p)), $n % 4 == 3 ];
}

$h2->data($_->[0], substr $_->[1], 0, 40) for @streams;
$h2->reset($_->[0]) for grep { $_->[2] } @streams;
$h2->data($_->[0], substr($_->[1], 40), 1) for grep { !$_->[2] } @streams;

is(join(' ', map { $h2->status($_->[0]) } grep { !$_->[2] } @streams),
   join(' ', (200) x 9), 'streams of one connection are answered');
$h2->close();

wait_until(sub {
    my $log = Martech::Nginx::slurp($t->dir() . '/access.log');

    !grep { index($log, $_->{agent}) < 0 } @granting;
}, 10, 'those who grant are logged');


# ---- the quarantine ----

sub aside {
    my $sum = 0;

    $sum += $redis->call('xlen', "$_:quarantine")
        for Martech::Redis::tags('mt', 16);

    return $sum;
}


my $aside = person();

# a name that is a value
for my $who (person(), $aside) {
    my $event = event($who);

    $event->{properties}{ $who->{email} } = 1;

    is(send_event('/aside/v1/track', $who, $event,
                  $who == $aside ? () : ('Sec-GPC' => 1))->{status}, 200,
       'it is put aside');
    push @people, $who if $who != $aside;
}

is(aside(), 2, 'both are in the quarantine');


# ---- Redis is away: the spool ----

$redis->freeze();

for my $policy (qw(drop anonymous aside)) {
    my $p = person();
    my $r = send_event("/$policy/v1/track", $p, event($p), 'Sec-GPC' => 1);

    push @people, $p;
    is($r->{status}, 200, "$policy, Redis away: 200");
}

my $granted = person();

is(send_event('/drop/v1/track', $granted, event($granted))->{status}, 200,
   'an event of somebody else is spooled');
is(status()->{events_spooled} > 0, 1, 'there is something in the spool');

my @before = do {
    my @bytes;

    File::Find::find({ no_chdir => 1, wanted => sub {
        push @bytes, Martech::Nginx::slurp($_) if -f && -r _;
    } }, $t->dir() . '/spool');
    @bytes;
};

is(found($_, \@before), '', 'nothing of a person in the spool')
    for @people[-3 .. -1];
isnt(found($granted, \@before), '', '... but of the one who has granted it');

$redis->thaw();
ok(becomes(sub { my $s = status();
                 $s->{spool_waiting} == 0 && $s->{events_waiting} == 0 }, 20),
   'the spool is replayed');


# ---- the search ----

cmp_ok(aside(), '>=', 3, 'one more in the quarantine');

$redis->call('config', 'set', 'save', '');
$redis->call('config', 'set', 'rdbcompression', 'no');
$redis->call('save');

my @bytes = everything();

is(found($people[$_], \@bytes), '', "nothing of person " . ($_ + 1))
    for 0 .. $#people;

like(found($granted, \@bytes), qr/message-.*198|198.*message-/,
     'the search finds who has granted it');
like(found($aside, [ map { $redis->call('dump', "$_:quarantine") // () }
                     Martech::Redis::tags('mt', 16) ]),
     qr/message-.*person/, '... and who was put aside');
ok(-s $t->dir() . '/access.log', 'there is an access log');
unlike(Martech::Nginx::slurp($t->dir() . '/access.log'), qr/dropped/,
       'no denied request in it');

is($nginx->logged(qr/temporary file/), 0, 'no body was written to disk');
is(books(status()), '', 'the books close');

# requests are counted when they end
ok(becomes(sub { status()->{requests} == $requests }, 5),
   'each request is counted once');


# ---- anonymous events ----

my ($anonymous) = grep { $_->{event}{context}{martech}{consent}
                         && named($_->{event}{context}{martech}{consent}
                                  {granted}) eq 'necessary' } $redis->events();

is($anonymous->{event}{event}, 'Bought', 'an anonymous event has its name');
is($anonymous->{event}{properties}{price}, 5, '... and its numbers');
like($anonymous->{id}, qr/^[0-9a-f]{8}-[0-9a-f]{4}-7/, '... an id of ours');
is($anonymous->{id}, $anonymous->{event}{messageId}, '... the same twice');
ok(!exists $anonymous->{event}{$_}, "... no $_")
    for qw(anonymousId userId traits integrations originalTimestamp sentAt);
ok(!exists $anonymous->{event}{context}{martech}{requestId},
   '... no id of the request');


# ---- tag, log, the event's own word, countries ----

sub consent_of { $_[0]{event}{context}{martech}{consent} }


sub stored {
    my ($path, $p, $payload, @headers) = @_;

    $redis->call('flushall');
    send_event($path, $p, $payload, @headers);

    return $redis->events();
}

$p = person();
my ($e) = stored('/tag/v1/track', $p, event($p), 'Sec-GPC' => 1);

is($e->{id}, $p->{messageId}, 'tag: stored as it is');
is(named(consent_of($e)->{granted}), 'analytics,functional,necessary',
   'tag: says what is granted');
is(consent_of($e)->{by}{advertising}, 'gpc', 'tag: and by which signal');

($e) = stored('/tag/v1/track', $p, event($p), 'Sec-GPC' => 1,
              'X-Consent' => 'advertising,-analytics');
is(named(consent_of($e)->{granted}), 'functional,necessary',
   'the first signal that speaks of a purpose decides it');

($e) = stored('/off/v1/track', $p, event($p), 'Sec-GPC' => 1);
is(consent_of($e), undef, 'off: nothing is said');

stored('/log/v1/track', $p, event($p), 'Sec-GPC' => 1);
ok(becomes(sub { Martech::Nginx::slurp($t->dir() . '/access.log')
                     =~ m{/log/v1/track HTTP/1.1 \S+ \S+ dropped - - -} }, 5),
   'log=on: a line, whose variables are empty');

my %yes = (consent => { categoryPreferences => { analytics => \1 } });
my %no = (consent => { categoryPreferences => { analytics => \0 } });

is(stored('/event/v1/track', $p, event($p, %yes), 'Sec-GPC' => 1), 1,
   'the event before the request');
ok(becomes(sub { Martech::Nginx::slurp($t->dir() . '/access.log')
                     =~ m{/event/v1/track HTTP/1.1 .* stored} }, 5),
   '... and it is logged');
is(stored('/event/v1/track', $p, event($p), 'Sec-GPC' => 1), 0,
   'an event that says nothing');

is(stored('/event/v1/batch', $p, { batch => [ event($p, %yes),
          event($p, %no), event($p) ] }), 2,
   'each event of a batch for itself');
is(stored('/event/v1/batch', $p, { batch => [ event($p, %yes), event($p) ],
                                   context => \%no } ), 1,
   'the batch for those that say nothing');
is(stored('/event/v1/batch', $p, { batch => [ event($p, consent => $_) ],
                                   context => \%no } ), 0,
   'the batch for one whose consent is ' . to_json([$_])) for undef, {}, 'no';

for (['true', 'false'], ['false', 'true']) {
    my $twice = join ',', map {
        qq({"consent":{"categoryPreferences":{"analytics":$_}}}) =~ s/^.|.$//gr
    } @$_;

    is(stored('/event/v1/track', $p, qq({"event":"e","userId":"u","context":)
              . "{$twice}}"), 0, "twice: @$_");
}

stored('/purposes/v1/track', $p, event($p, %yes));
ok(becomes(sub { Martech::Nginx::slurp($t->dir() . '/access.log')
                     =~ m{/purposes/v1/track .* \[necessary,analytics\]} }, 5),
   'what the event has granted beyond its request is logged');

is(stored('/drop/v1/track', $p, event($p), 'X-Consent' => $_->[0],
          'X-Consent' => $_->[1]), 0, "headers: $_->[0], $_->[1]")
    for ['analytics', '-analytics'], ['-analytics', 'analytics'];
is(stored('/drop/v1/track', $p, event($p), 'Sec-GPC' => 0, 'sec-gpc' => 1), 0,
   'Sec-GPC twice');


# ---- who says that one is somebody ----

for (['identify', {}], ['group', { groupId => "group-$p->{userId}" }],
     ['alias', { previousId => $p->{userId} }])
{
    my ($type, $ids) = @$_;
    my $denied = status()->{dropped}{consent};
    my %event = (%{ event($p) }, %$ids, type => $type);

    is(stored("/anonymous/v1/$type", $p, \%event), 1, "$type: stored");
    is(stored("/anonymous/v1/$type", $p, \%event, 'Sec-GPC' => 1), 0,
       "$type: nothing is left of it without a person");
    is(status()->{dropped}{consent} - $denied, 1, '... and it is counted');
}


# ---- a connection that goes on ----

{
    my $denied = person();
    my $next = person();
    my $log = $t->dir() . '/access.log';

    my $request = sub {
        my ($path, $p, @lines) = @_;
        my $body = to_json(event($p));

        return join "\r\n", "POST $path HTTP/1.1", 'Host: a',
            'Authorization: Basic d2s6', "User-Agent: $p->{agent}", @lines,
            'Content-Length: ' . length $body, '', $body;
    };

    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port",
                                       Timeout => 10);
    my $answer = '';

    $requests += 3;
    print $socket $request->('/drop/v1/track', $denied, 'Sec-GPC: 1'),
        $request->('/drop/v1/track', $next),
        $request->('/drop/v1/track', $denied, 'Sec-GPC: 1',
                   'Connection: close');
    $answer .= $_ while <$socket>;

    is(() = $answer =~ /HTTP\/1\.1 200/g, 3, 'three requests in one go');
    ok(becomes(sub { Martech::Nginx::slurp($log) =~ /\Q$next->{agent}\E/ },
               5), 'the one in the middle is logged');
    is(found($denied, [everything()]), '', '... and nothing of the others');
}

for (['DE', 0], ['FR', 0], ['GB', 1], ['XX', 0]) {
    my ($country, $count) = @$_;

    is(stored('/country/v1/track', $p, event($p), 'X-Country' => $country),
       $count, "$country by default");
    is(stored('/country/v1/track', $p, event($p), 'X-Country' => $country,
              'X-Consent' => 'analytics'), 1, "$country with a signal");
}


# ---- signals that say nothing ----

my $long = status()->{consent_signals_long};

is(stored('/drop/v1/track', $p, event($p),
          'X-GPP' => 'D' x 9000), 1, 'a signal that is too long');
is(status()->{consent_signals_long} - $long, 1, '... is counted');
is(stored('/drop/v1/track', $p, event($p), 'Sec-GPC' => $_), 1,
   "Sec-GPC: $_ says nothing") for 0, 2, 'yes';
is(stored('/drop/v1/track', $p, event($p),
          Cookie => "euconsent-v2=$_"), 1, 'a broken TC string says nothing')
    for 'BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA', 'x', substr $DENIED, 0, 20;

is(books(status()), '', 'the books close at the end');


# ---- directives ----

my $SERVER = 'martech_redis %%%%REDIS%%%%; server { listen 127.0.0.1:8081; '
    . 'location / { martech_collect; %s } }';

my $checked = $t->nginx('', run => 0);

$t->expect(qr/\[emerg\]/);

for (
    [ 'martech_consent gpc; martech_consent dnt;', qr/is duplicate/ ],
    [ 'martech_consent policy=forget;', qr/"policy=forget", it must be drop/ ],
    [ 'martech_consent require=all,x;', qr/"require=all,x", purposes are/ ],
    [ 'martech_consent default=maybe;', qr/"default=maybe", it must be gra/ ],
    [ 'martech_consent log=yes;', qr/"log=yes", it must be on or off/ ],
    [ 'martech_consent gdpr;', qr/"gdpr", it must be policy=.*tcf/ ],
    [ 'martech_consent gpc gpc;', qr/"gpc", the signal is there already/ ],
    [ 'martech_consent gpc=music;', qr/"gpc=music", it must be all/ ],
    [ 'martech_consent event=x;', qr/"event=x", event has no value/ ],
    [ 'martech_consent gpp;', qr/"gpp", it needs =cookie:/ ],
    [ 'martech_consent segment;', qr/"segment", it needs =cookie:/ ],
    [ 'martech_consent tcf=cookie:;', qr/"tcf=cookie:", it must be cookie:/ ],
    [ 'martech_consent tcf=jar:a;', qr/"tcf=jar:a", it must be cookie:/ ],
    [ 'martech_consent "tcf=cookie:a b";', qr/"tcf=cookie:a b", it must be/ ],
    [ 'martech_consent tcf=$nothing_at_all;', qr/unknown "nothing_at_all"/ ],
    [ 'martech_consent ' . 'list=arg:a ' x 17 . ';', qr/can be 16 signals/ ],
    [ 'martech_consent_category a b;', qr/"b", purposes are/ ],
    [ 'martech_consent_category a analytics; '
      . 'martech_consent_category a analytics;', qr/"a", the category is the/ ],
    [ 'martech_consent policy=drop gpc; client_body_in_file_only clean;',
      qr/"client_body_in_file_only" writes/ ],
) {
    my ($lines, $says) = @$_;
    my ($accepted, $output) =
        $checked->test_conf($t->fill(sprintf $SERVER, $lines));

    ok(!$accepted, "refused: $lines");
    like($output, $says, "the message of: $lines");
}



# ---- lua-free-conf/consent.conf ----

$nginx->stop();

my $tcp = $t->redis(port => $t->port(6379));

example($t, 'consent.conf');

for (
    [ 'collect', 0, 'nobody says anything' ],
    [ 'collect', 1, 'a country', 'X-Country' => 'US' ],
    [ 'collect', 1, 'GPC, which is about advertising', 'X-Country' => 'US',
      'Sec-GPC' => 1 ],
    [ 'collect', 0, 'a country and a cookie', 'X-Country' => 'US',
      Cookie => 'my-consent=-analytics' ],
    [ 'collect', 1, 'a cookie', Cookie => 'my-consent=analytics' ],
    [ 'counted', 1, 'without a person' ],
    [ 'tagged', 1, 'with what is granted' ],
) {
    my ($path, $count, $name, @headers) = @$_;
    my $before = $tcp->count();
    my $r = post($port, "/$path/v1/track", event($p), key => 'consent',
                 headers => \@headers);

    is($r->{status}, 200, "example, $name: 200");
    is($tcp->count() - $before, $count, "example, $name: stored");
}

$t->done();
