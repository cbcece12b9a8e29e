#!/usr/bin/perl

# Bad input of every kind: the status, the code, and a body that says which
# event and which member.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();

$t->nginx(<<'END');
    martech_redis  %%REDIS%%;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }
    }

    server {
        listen 127.0.0.1:8081;
        client_max_body_size 1m;

        location / {
            martech_limits event=500 batch=2k events=3 depth=4 message_id=16;
            martech_collect;
        }
    }
END

my $port = $t->port(8080);

# a refusal of the request as a whole: [path, body, code, what]
my @whole = (
    ['t', '', 'body_empty', 'no body'],
    ['t', " \r\n\t ", 'body_empty', 'only blanks'],
    ['t', '{', 'json_invalid', 'a cut object'],
    ['t', '{"event":"E","userId":"u"', 'json_invalid', 'a cut event'],
    ['t', '{"event":"E","userId":"u"}}', 'json_invalid', 'one brace too many'],
    ['t', '{"event":"E","userId":"u"} x', 'json_invalid', 'a tail'],
    ['t', '{"event":"E",}', 'json_invalid', 'a trailing comma'],
    ['t', "{'event':'E'}", 'json_invalid', 'single quotes'],
    ['t', '{"event":"E","userId":01}', 'json_invalid', 'a leading zero'],
    ['t', '{"event":"E","userId":NaN}', 'json_invalid', 'NaN'],
    ['t', '{"event":"E\nF","userId":"u"}' =~ s/\\n/\n/r, 'json_invalid',
     'a line break in a string'],
    ['t', '{"event":"\x"}', 'json_invalid', 'an unknown escape'],
    ['t', "{\"event\":\"\xff\",\"userId\":\"u\"}", 'json_utf8',
     'a byte that is not UTF-8'],
    ['t', "{\"event\":\"\xc0\xaf\",\"userId\":\"u\"}", 'json_utf8',
     'an overlong sequence'],
    ['t', "{\"event\":\"\xed\xa0\x80\",\"userId\":\"u\"}", 'json_utf8',
     'a surrogate in UTF-8'],
    ['t', '{"event":"\ud800","userId":"u"}', 'json_utf8', 'a lone surrogate'],
    ['t', "\xef\xbb\xbf{\"event\":\"E\"}", 'json_invalid',
     'a byte order mark'],
    ['t', "\x1f\x8b\x08\x00", 'content_corrupt', 'gzip that is cut off'],
    ['t', 'event=E&userId=u', 'json_invalid', 'a form'],
    ['t', '[' x 40 . ']' x 40, 'json_depth', 'deep arrays'],
    ['t', '{"a":' x 33 . '1' . '}' x 33, 'json_depth', 'deep objects'],
    ['t', '{"' . 'k' x 1025 . '":1}', 'json_key_size', 'a long member name'],
    ['t', '[]', 'body_not_object', 'an array instead of an event'],
    ['t', '"text"', 'body_not_object', 'a string instead of an event'],
    ['b', '[]', 'body_not_object', 'an array instead of a batch'],
    ['b', '{}', 'batch_not_array', 'a batch without events', '/batch'],
    ['b', '{"batch":{}}', 'batch_not_array', 'a batch that is an object',
     '/batch'],
    ['b', '{"batch":[]}', 'batch_empty', 'an empty batch', '/batch'],
    ['b', '{"batch":[{}],"batch":[{}]}', 'field_duplicate',
     'two batches in one', '/batch'],
    ['b', '{"batch":[{}],"context":1}', 'context_not_object',
     'a batch whose context is a number', '/context'],
    ['b', '{"batch":[{}],"integrations":[]}', 'integrations_not_object',
     'a batch whose integrations are an array', '/integrations'],
    ['b', '{"batch":[' . join(',', ('{}') x 2501) . ']}', 'batch_count',
     'more events than allowed', '/batch'],
);

for (@whole) {
    my ($word, $body, $code, $what, $pointer) = @$_;
    my $response = post($port, "/v1/$word", $body);
    my $json = $response->{json} // {};

    is($response->{status}, 400, "$what: 400");
    is($response->{headers}{'content-type'}, 'application/problem+json',
       "$what: problem details");
    is($json->{code}, $code, "$what: its code");
    is($json->{pointer} // '', $pointer // '', "$what: where");
    ok($json->{detail} && $json->{message} && $json->{title}
       && $json->{type} eq 'about:blank' && $json->{status} == 400,
       "$what: all members of problem details");
}

# where the JSON goes wrong
is(post($port, '/v1/t', '{"event":nul}')->{json}{offset}, 9,
   'a syntax error is told with its offset') ;

# a refusal of one event: [path, event, code, pointer, what]
my $long_id = 'i' x 513;
my @single = (
    ['t', '{"event":"E"}', 'no_user_anon_id', '/userId', 'nobody'],
    ['t', '{"event":"E","userId":"","anonymousId":null}', 'no_user_anon_id',
     '/userId', 'an empty and a null id'],
    ['t', '{"event":"E","userId":7}', 'id_not_string', '/userId',
     'a numeric userId'],
    ['t', '{"event":"E","anonymousId":{}}', 'id_not_string', '/anonymousId',
     'an anonymousId that is an object'],
    ['t', "{\"event\":\"E\",\"userId\":\"$long_id\"}", 'id_size', '/userId',
     'a userId of 513 bytes'],
    ['t', '{"userId":"u"}', 'event_not_defined', '/event',
     'a track without event'],
    ['t', '{"userId":"u","event":""}', 'event_not_defined', '/event',
     'a track with an empty event'],
    ['t', '{"userId":"u","event":7}', 'event_not_string', '/event',
     'a numeric event'],
    ['t', '{"userId":"u","event":"E","properties":[]}',
     'properties_not_object', '/properties', 'properties as an array'],
    ['i', '{"userId":"u","traits":"x"}', 'traits_not_object', '/traits',
     'traits as a string'],
    ['p', '{"userId":"u","name":1}', 'name_not_string', '/name',
     'a numeric name'],
    ['p', '{"userId":"u","category":[]}', 'category_not_string', '/category',
     'a category that is an array'],
    ['t', '{"userId":"u","event":"E","context":"x"}', 'context_not_object',
     '/context', 'a context that is a string'],
    ['t', '{"userId":"u","event":"E","integrations":1}',
     'integrations_not_object', '/integrations', 'numeric integrations'],
    ['g', '{"userId":"u"}', 'group_id_required', '/groupId',
     'a group without groupId'],
    ['a', '{"userId":"u"}', 'previous_id_required', '/previousId',
     'an alias without previousId'],
    ['a', '{"previousId":"p"}', 'user_id_required', '/userId',
     'an alias without userId'],
    ['t', '{"userId":"u","userId":"v","event":"E"}', 'field_duplicate',
     '/userId', 'a userId that stands twice'],
    ['t', '{"userId":"u","event":"E","type":"page"}', 'type_mismatch', '/type',
     'a type that differs from the path'],
    ['t', '{"userId":"u","event":"E","messageId":7}', 'message_id_invalid',
     '/messageId', 'a numeric messageId'],
    ['t', '{"userId":"u","event":"E","messageId":"a\u0000b"}',
     'message_id_invalid', '/messageId', 'a messageId with a zero byte'],
    ['t', '{"userId":"u","event":"E","messageId":"' . 'm' x 101 . '"}',
     'message_id_size', '/messageId', 'a messageId of 101 characters'],
    ['t', '{"userId":"u","event":"E","x":["' . 'x' x 16000 . '","'
          . 'y' x 16000 . '","' . 'z' x 1000 . '"]}',
     'event_size', '', 'an event of 33 kB'],
);

for (@single) {
    my ($word, $body, $code, $pointer, $what) = @$_;
    my $response = post($port, "/v1/$word", $body);
    my $json = $response->{json} // {};
    my $error = $json->{errors}[0] // {};

    is($response->{status}, 400, "$what: 400");
    is($json->{code}, $code, "$what: its code");
    is($error->{code}, $code, "$what: the code of the event");
    is($error->{index}, 0, "$what: the index of the event");
    is($error->{pointer}, $pointer, "$what: where");

    # the same as one of a batch
    next if $code =~ /^type_mismatch$/;

    my %type = (t => 'track', i => 'identify', p => 'page', g => 'group',
                a => 'alias');
    my $event = $body =~ s/^\{/{"type":"$type{$word}",/r;

    $response = post($port, '/v1/batch',
        "{\"batch\":[{\"type\":\"page\",\"userId\":\"u\"},$event]}");
    $error = $response->{json}{rejected}[0] // {};

    is($response->{status}, 200, "$what in a batch: 200");
    is("$error->{index} $error->{code} $error->{pointer}",
       "1 $code /batch/1$pointer", "$what in a batch: which and where");
}

# what only a batch can do wrong
for (['{"userId":"u"}', 'type_required', '/type', 'no type'],
     ['{"userId":"u","type":"x"}', 'type_unknown', '/type', 'another type'],
     ['{"userId":"u","type":7}', 'type_unknown', '/type', 'a numeric type'],
     ['7', 'event_not_object', '', 'a number'],
     ['null', 'event_not_object', '', 'null'])
{
    my ($event, $code, $pointer, $what) = @$_;
    my $response = post($port, '/v1/batch', "{\"batch\":[$event]}");
    my $error = $response->{json}{errors}[0] // {};

    is($response->{status}, 400, "$what as the only event: 400");
    is($error->{code}, $code, "$what as the only event: its code");
    is($error->{pointer}, "/batch/0$pointer",
       "$what as the only event: where");
}

# the refused event is named by its messageId, too
my $response = post($port, '/v1/t', '{"event":"E","messageId":"m\"7"}');

is($response->{json}{errors}[0]{messageId}, 'm"7',
   'a refused event is named by its messageId');
unlike(post($port, '/v1/t', '{"event":"E","userId":7,"email":"a@b.c"}')->{body},
       qr/a\@b\.c/, 'a refusal repeats nothing else of the event');

# just inside of the limits
my @inside = (
    ['{"event":"E","userId":"' . 'i' x 512 . '"}', 'an id of 512 bytes'],
    ['{"event":"E","userId":"u","messageId":"' . "\xc3\xa9" x 100 . '"}',
     'a messageId of 100 characters'],
    ['{"event":"E","userId":"u","p":' . '[' x 31 . ']' x 31 . '}',
     'a depth of 32'],
    ['{"event":"E","userId":"u","' . 'k' x 1024 . '":1}',
     'a member name of 1024 bytes'],
    [" \n{\"event\":\"E\",\"userId\":\"u\"}\n ", 'blanks around the event'],
);

for (@inside) {
    my ($body, $what) = @$_;

    is(post($port, '/v1/t', $body)->{status}, 200, "taken: $what");
}

# limits that were configured
my $small = $t->port(8081);
my %event = (event => 'E', userId => 'u');

is(post($small, '/v1/t', { %event, x => 'x' x 500 })->{json}{code},
   'event_size', 'the configured size of an event');
is(post($small, '/v1/t', { %event, messageId => 'm' x 17 })->{json}{code},
   'message_id_size', 'the configured size of a messageId');
is(post($small, '/v1/t', '{"a":[[[[1]]]]}')->{json}{code}, 'json_depth',
   'the configured depth');
is(post($small, '/v1/b', { batch => [(\%event) x 4] })->{json}{code},
   'batch_count', 'the configured number of events');

$response = post($small, '/v1/b', { batch => [], x => 'x' x 3000 });
is("$response->{status} $response->{json}{code}", '413 body_size',
   'the configured size of a body');

$response = http($small, 'POST', '/v1/b', length => 0,
    body => "bb9\r\n" . '{"x":"' . 'x' x 2993 . "\"}\r\n0\r\n\r\n",
    headers => ['Transfer-Encoding' => 'chunked']);
is($response->{status}, 413, 'the size of a body that did not declare it');

$response = post($port, '/v1/b', { batch => [], x => 'x' x (501 * 1024) });
is("$response->{status} $response->{json}{code}", '413 body_size',
   'the default size of a body');

my $stored = () = $redis->events();
my $valid = @inside + grep { $_->[2] ne 'type_mismatch' } @single;

is($stored, $valid, 'nothing that was refused is stored');

$t->done();
