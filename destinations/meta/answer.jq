# The HTTP status may contradict the code in the body: the code counts.
#
# Wait in minutes that a header names, of the account that waits longest.
def regain:
  (.headers["x-business-use-case-usage"] // "" | fromjson? // {})
  | [.[]? | .[]? | .estimated_time_to_regain_access? // 0 | numbers]
  | max // 0;

def throttles: {
  "4": 1, "17": 1, "32": 1, "613": 1, "80000": 1, "80001": 1, "80002": 1,
  "80003": 1, "80004": 1, "80005": 1, "80006": 1, "80007": 1, "80008": 1,
  "80009": 1, "80010": 1, "80011": 1, "80012": 1, "80013": 1, "80014": 1
};

def passing: { "1": 1, "2": 1, "341": 1, "368": 1, "5000": 1, "21009": 1 };

if (.body | type) == "object" and (.body.error | type) == "object" then
  regain as $minutes
  | .body.error as $e | "\($e.code)" as $code
  | "code \($e.code)\(if $e.error_subcode then "/\($e.error_subcode)"
                      else "" end)" as $what
  | if $code == "190" then { outcome: "credentials", reason: $what }
    elif throttles[$code] then
      { outcome: "throttled", reason: $what,
        retry_after: (if $minutes > 0 then [$minutes * 60, 86400] | min
                      else 60 end),
        scope_wait: (if $minutes > 60 then "daily" else null end) }
      | if .scope_wait == null then del(.scope_wait) else . end
    elif passing[$code] or $e.is_transient == true then
      { outcome: "retry", reason: $what }
    # a permission, or the dataset itself, is missing: that is no fault of an
    # event, and would make dead letters of all of them
    elif $code == "3" or $code == "200"
         or ($code == "100" and $e.error_subcode == 33) then
      { outcome: "credentials", reason: $what }
    # of an event: all fail together, so the batch is halved.  A code that is
    # not known goes the same way when the request was refused; as a retry it
    # would loop.
    elif .status < 500 then { outcome: "split", reason: $what }
    else { outcome: "retry", reason: $what } end
elif .status >= 200 and .status < 300 then
  if (.body | type) == "object" and (.body.events_received | type) == "number"
  then (if .body.events_received < .count
        then { outcome: "ok", warning: "fewer_received" }
        else { outcome: "ok" } end)
  # a page of a proxy in between, not the answer
  else { outcome: "retry", reason: "unreadable answer" } end
# an HTML page, whatever its status: of a machine in front of the service
elif (.body | type) == "string" and (.body | test("^\\s*<")) then
  { outcome: "retry", reason: "unreadable answer" }
else null end
