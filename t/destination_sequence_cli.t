#!/usr/bin/perl

# Commands about destinations of which records become sequences: "test" with
# an exchange, "explain" and "send".  Nothing is sent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();

use Martech::Command;
use Martech::Test;

my $t = Martech::Test->new();
my $dests = $t->dir() . '/destinations';
my $secret = 'sec-ret-1';

sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh $text;
    close $fh or die "$file: $!\n";

    return $file;
}

mkdir $dests;
mkdir "$dests/acme";
mkdir "$dests/acme/golden";

put("$dests/acme/destination.yaml", <<'END_OF');
name: acme
kind: http
settings: { token: { secret: true, required: true } }
auth: { kind: bearer, token: "{token}" }
endpoints:
  teams: { url: "https://api.example.com/teams" }
  join: { url: "https://api.example.com/teams/{record.team}", method: PUT }
  drop: { url: "https://api.example.com/teams/{record.team}", method: DELETE }
sequence:
  - name: team
    endpoint: teams
    map: '{name: .record.team, token: {"@secret": "token"}}'
    capture: { id: .body.id }
    cache: { key: .record.team, ttl: 1h, negative: 1m }
    idempotent: true
    compensate: { endpoint: drop, map: '{"@path": {team: .steps.team.id}}' }
  - name: member
    endpoint: join
    when: .record.person != null
    map: '{"@path": {team: .steps.team.id}, person: .record.person}'
END_OF

put("$dests/acme/map.jq", <<'END_OF');
if .event.event == "Both" then
  { "@endpoint": "sequence" }, { "@endpoint": "teams" }
else { "@endpoint": "sequence", team: .event.groupId, person: .event.userId }
end
END_OF

put("$dests/acme/answer.jq", <<'END_OF');
if .status == 410 then { outcome: "retry", reason: "gone", forget: ["team"] }
else null end
END_OF

my $cli = Martech::Command->new($t, <<"END_OF", env => { SECRET => $secret });
redis: { address: "127.0.0.1:1" }
destinations_path: $dests
destinations:
  teams: { use: acme, settings: { token: "env:SECRET" } }
END_OF

my %event = (type => 'group', messageId => 'm-1', groupId => 'g 1',
             userId => 'u-1');

sub event {
    return put($t->dir() . '/event.json',
               JSON::PP->new()->canonical()->encode({ %event, @_ }));
}


# ---- goldens ----

my $headers = { 'Content-Type' => 'application/json',
                Authorization => 'Bearer tok' };

sub team_request {
    return { endpoint => 'teams', method => 'POST',
             url => 'https://api.example.com/teams', headers => $headers,
             body => { name => 'g 1', token => 'tok' } };
}

sub member_request {
    my ($id) = @_;

    return { endpoint => 'join', method => 'PUT',
             url => "https://api.example.com/teams/$id",
             headers => $headers, body => { person => 'u-1' } };
}

sub golden {
    my (%more) = @_;

    return { about => 'x', settings => { token => 'tok' },
             now => '2026-11-20T19:36:00Z', events => [{ %event }], %more };
}

sub test_of {
    my ($doc) = @_;

    put("$dests/acme/golden/one.json",
        JSON::PP->new()->canonical()->encode($doc));

    return $cli->plain('test', "$dests/acme");
}

sub passes {
    my ($name, $doc) = @_;
    my $r = test_of($doc);

    is($r->{status}, 0, $name) or diag($r->{out}, $r->{err});
}

sub fails {
    my ($name, $doc, $text) = @_;
    my $r = test_of($doc);

    is($r->{status}, 1, $name);
    like($r->{out}, $text, "$name: said") or diag($r->{err});
}

my $team = { step => 'team', request => team_request(),
             answer => { status => 200, body => { id => 'i/7' } } };
my $member = { step => 'member', request => member_request('i%2F7'),
               answer => { status => 200 } };

passes('all steps', golden(exchange => [$team, $member], outcomes => ['ok'],
                           cache => { team => { id => 'i/7' } }));
passes('from a cache', golden(cached => { team => { id => 5 } },
    exchange => [{ %$member, request => member_request(5) }],
    outcomes => ['ok']));
passes('a refusal in a cache', golden(cached => { team => 'none' },
    exchange => [], outcomes => ['reject'], reasons => ['team:none']));
passes('from a step on', golden(
    progress => { step => 'member', steps => { team => { done => \1,
                                                         id => 5 } } },
    exchange => [{ %$member, request => member_request(5),
                   answer => { status => 500 } }],
    outcomes => ['retry'], resume => 'member'));
passes('a wrong value of a cache', golden(cached => { team => { id => 5 } },
    exchange => [{ %$member, request => member_request(5),
                   answer => { status => 410 } }],
    outcomes => ['retry'], resume => 'team', cache => {}));
passes('an answer that never came', golden(
    exchange => [{ %$team, answer => undef }], outcomes => ['retry'],
    resume => 'team'));

my $undo = { step => 'team!', answer => { status => 204 },
             request => { endpoint => 'drop', method => 'DELETE',
                          url => 'https://api.example.com/teams/i%2F7',
                          headers => { Authorization => 'Bearer tok' } } };

passes('undone', golden(outcomes => ['reject'], reasons => ['member'],
    exchange => [$team, { %$member, answer => { status => 400 } }, $undo]));

fails('a request too many', golden(exchange => [$team], outcomes => ['ok']),
      qr/exchange\[1\]: got member: PUT .*teams\/i%2F7/);
fails('one too few', golden(exchange => [$team, $member, $undo],
                            outcomes => ['ok']),
      qr/exchange\[2\]: got nothing .*team!/);
fails('another order', golden(exchange => [$member, $team],
                              outcomes => ['ok']),
      qr/exchange\[0\]\.step: got team .*member/);
fails('another body', golden(outcomes => ['ok'],
    exchange => [{ %$team, request => { %{team_request()}, body => {} } },
                 $member]), qr/exchange\[0\]\.request\.body/);
fails('another end', golden(exchange => [$team, $member],
                            outcomes => ['retry'], resume => 'member'),
      qr/outcomes: got ok .*retry.*resume/s);
fails('a place that is none', golden(progress => { step => 'x' },
    exchange => [], outcomes => ['ok']), qr/cannot stand there/);
fails('requests instead', golden(requests => []), qr/"exchange" is expected/);
fails('two records', golden(events => [{ %event, event => 'Both' }],
    exchange => [], outcomes => ['ok']), qr/a record of the sequence and oth/);


# ---- explain, send ----

my $r = $cli->run('explain', 'teams', '--event', event());

is($r->{status}, 0, 'explain') or diag($r->{err});
like($r->{out}, qr/through the sequence\n +\{\n +"(person|team)": "/,
     'its record');
like($r->{out}, qr/^step team: endpoint teams, idempotent$/m, 'the first');
like($r->{out}, qr/POST https:\S+\/teams\n.*"name": "g 1"/s, 'as a request');
like($r->{out}, qr/^step member: .*when \.record\.person != null/ms,
     'the other by its condition');
like($r->{out}, qr/what it sends depends on answers/, 'and no more');
unlike($r->{out} . $r->{err}, qr/$secret/, 'no secret');

$r = $cli->run('send', 'teams', '--event', event());
is($r->{status}, 0, 'send, dry') or diag($r->{err});
like($r->{out}, qr/^sequence of 2 steps\n.*^nothing was sent$/ms, 'the same');
unlike($r->{out} . $r->{err}, qr/$secret/, 'no secret');

for my $word (qw(live validate)) {
    $r = $cli->run('send', 'teams', "--$word", '--event', event());
    is($r->{status}, 1, "send --$word");
    like($r->{err}, qr/sent by the forwarder only/, 'is not for sequences');
}

$r = $cli->run('check');
is($r->{status}, 0, 'check') or diag($r->{err});

done_testing();
