# The status is 200 for nearly everything; the code in the body counts.
if (.body | type) == "object" and (.body.code | type) == "number" then
  .body.code as $code
  | "code \($code)" as $what
  | if $code == 0 then { outcome: "ok" }
    # Some were refused (unverified), and how the answer names them is not
    # published: halves, until the bad ones stand alone.  What was taken
    # already is de-duplicated by its event_id.
    elif $code == 20001 then { outcome: "split", reason: $what }
    elif $code == 40100 or $code == 42900 then
      { outcome: "throttled", reason: $what,
        # seconds; the unit is not published, so what is no sane wait is none
        retry_after: ((.headers["x-ratelimit-reset"] // "" | tonumber?)
                      // 1 | if . >= 1 and . <= 3600 then . else 1 end) }
    # the token, or its right to this source
    elif $code == 40001 or ($code >= 40101 and $code <= 40199) then
      { outcome: "credentials", reason: $what }
    elif $code == 40002 then { outcome: "split", reason: $what }
    elif $code >= 50000 and $code < 60000 then
      { outcome: "retry", reason: $what }
    # any other code in a 200 is no success; one of a refusal is the event's
    elif .status >= 400 then null
    elif $code >= 40000 and $code < 50000 then
      { outcome: "split", reason: $what }
    else { outcome: "retry", reason: $what } end
elif .status >= 200 and .status < 300 then
  # not the service, but something in front of it
  { outcome: "retry", reason: "unreadable answer" }
else null end
