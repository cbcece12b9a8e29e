# A 400 refuses the upload as a whole and names who is to blame, by position;
# the others are sent again at once.  It may name the first one of a kind only: then
# the next answer names the next.  A 429 names who sends too much; the others
# are sent again at once with the next requests.

def places(o): [ o | objects | .[] | arrays | .[] ];

def verdicts(list; $outcome; $reason):
  [ list | numbers | select(. >= 0 and . == floor) | { (tostring): { outcome: $outcome, reason: $reason } } ]
  | add // {};

# an answer never speaks of more records than were sent
def known($count): with_entries(select((.key | tonumber) < $count));

.count as $count
| .status as $status
| .endpoint as $endpoint
| .body
| if type != "object" then null
  elif $status == 200 and (.code // 200) != 200 then
    { outcome: "retry", reason: "code \(.code)" }
  elif $status == 400 then
    if (.error // "" | tostring | startswith("Invalid API key"))
       or .missing_field == "api_key"
    then { outcome: "credentials" }
    else
      ( verdicts(places(.events_with_missing_fields)[]; "reject"; "missing field")
        + verdicts(places(.events_with_invalid_fields)[]; "reject"; "invalid field")
        + verdicts(places(.events_with_invalid_id_lengths)[]; "reject";
                   "id too short")
        + verdicts((.silenced_events | arrays | .[]); "drop"; "silenced") )
      | known($count)
      | if . == {} then null
        else { records: (. + { rest: { outcome: "again" } }) } end
    end
  elif $status == 429 then
    ( verdicts((.throttled_events | arrays | .[]); "throttled"; "too much of one id")
      | known($count) ) as $slow
    | if $slow == {} or ($slow | length) == $count then
        { outcome: "throttled", retry_after: 30 }
      else { records: ($slow + { rest: { outcome: "again" } }) } end
  else null end
