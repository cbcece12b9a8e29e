# Codes of an error, in a row or of the whole answer.
def passing: { "UNABLE_TO_LOCK_ROW": 1, "SERVER_UNAVAILABLE": 1,
               "REQUEST_LIMIT_EXCEEDED": 1, "QUERY_TIMEOUT": 1 };

def busy: (.message | type) == "string"
  and (.message | contains("Too many SOQL queries"));

def row:
  if type == "object" and .success == true then null
  else
    (first(objects | .errors | arrays | .[] | objects) // {}) as $x
    | ($x.statusCode // "error" | tostring) as $code
    | { outcome: (if passing[$code] or ($x | busy) then "retry"
                  else "reject" end),
        reason: $code }
  end;

# "api-usage=18017/100000": the day is nearly over
def usage:
  (.headers["sforce-limit-info"] // "" | split("api-usage=")[1] // "0/0"
   | split(",")[0] | split("/")) as $n
  | (try ($n[0] | tonumber) catch 0) as $used
  | (try ($n[1] | split(" ")[0] | tonumber) catch 0) as $max
  | if $max > 0 and $used > 0.9 * $max then {warning: "api_usage_90_percent"}
    else {} end;

(.body | if type == "array" then .[0] else {} end
 | if type == "object" then . else {} end) as $x
| ($x.errorCode // "" | tostring) as $code
| if .status == 401 then { outcome: "refresh", reason: $code }
  elif .status == 200 or .status == 201 then
    # rows in the order of the request; 200 also when all of them failed
    if (.body | type) == "array" and (.body | length) == .count then
      { outcome: "ok", records: [.body[] | row] } + usage
    else { outcome: "retry", reason: "unreadable answer" } end
  elif $code == "REQUEST_LIMIT_EXCEEDED" then
    { outcome: "throttled", reason: $code, retry_after: 3600,
      scope_wait: "daily" }
  elif $code == "SERVER_UNAVAILABLE" then
    { outcome: "throttled", reason: $code, retry_after: 30 }
  elif .status == 400
       and ($code == "UNABLE_TO_LOCK_ROW" or ($x | busy)) then
    { outcome: "retry", reason: $code }
  elif .status == 400 then { outcome: "split", reason: $code }
  else null end
