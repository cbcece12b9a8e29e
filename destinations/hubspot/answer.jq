# What an error of a record means.
def of_record:
  (if type == "object" then . else {} end)
  | "\(.category // .subCategory // "error")" as $what
  | if $what == "CONFLICT" or $what == "RATE_LIMITS" or .status == "429"
    then { outcome: "retry", reason: $what }
    else { outcome: "reject", reason: $what } end;

# Which record: errors name it by the trace id that was sent with it.  .keys
# has these ids in the order of the records; without it, or when an error
# names none, the batch is halved: what was done already is done again.
def by_record($keys):
  [.body.errors[] | . as $x
   | [(.context | objects | .objectWriteTraceId | arrays | .[])
      | . as $id | $keys | index($id) | numbers] as $at
   | if $at == [] then {none: 1}
     else $at[] | {key: tostring, value: ($x | of_record)} end]
  | if any(.[]; .none) then { outcome: "split", reason: "partial" }
    else { outcome: "ok", records: (from_entries + {rest: {outcome: "ok"}}) }
    end;

if .status == 429 then
  (.body | if type == "object" then .policyName // "" else "" end) as $policy
  | { outcome: "throttled", reason: $policy } +
    (if $policy == "DAILY"
        or .headers["x-hubspot-ratelimit-daily-remaining"] == "0"
     # at midnight of the account, whose zone we do not know
     then { scope_wait: "daily",
            retry_after: ((.headers["retry-after"] // "" | tonumber?)
                          // 3600) }
     elif .headers["retry-after"] then {}
     else { retry_after: ((.headers["x-hubspot-ratelimit-interval-milliseconds"]
                           // "" | tonumber?) // 10000
                          | if . < 1000 then 1 else . / 1000 | ceil end) }
     end)
# the account is being moved, which may take a day
elif .status == 477 then
  { outcome: "throttled", reason: "migration", scope_wait: "daily",
    retry_after: ((.headers["retry-after"] // "" | tonumber?) // 3600) }
# locked for about two seconds
elif .status == 423 then { outcome: "throttled", retry_after: 2 }
# the other one that writes the same record at this moment has won
elif .status == 409 then { outcome: "retry", reason: "conflict" }
elif .endpoint == "company_archive" and .status == 404 then
  { outcome: "ok" }
# one of both has gone meanwhile: the contact's id may be a remembered one
elif .status == 404 and .endpoint == "association" then
  { outcome: "retry", forget: ["contact"], reason: "not_found" }
elif .status == 400 or .status == 422 then
  { outcome: "split",
    reason: (.body | if type == "object" then .category // "invalid"
                     else "invalid" end) }
elif .status >= 200 and .status < 300
     and (.endpoint == "contacts" or .endpoint == "companies") then
  if (.body | type) != "object" then
    { outcome: "retry", reason: "unreadable answer" }
  elif (.body.errors | type == "array" and length > 0) then
    if .count == 1 then .body.errors[0] | of_record
    elif (.keys | type) == "array" then by_record(.keys)
    else { outcome: "split", reason: "partial" } end
  elif ((.body.numErrors // 0) > 0) then { outcome: "split",
                                           reason: "partial" }
  # neither results nor errors: nothing was done
  elif (.body.results | type != "array" or length == 0) then
    { outcome: "retry", reason: "nothing done" }
  else { outcome: "ok" } end
else null end
