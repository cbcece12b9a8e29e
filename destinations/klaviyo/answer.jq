# 202: accepted, and looked at later.  A job is taken as a whole or not at all;
# a refusal points to entries: /data/attributes/events-bulk-create/data/3/...
# They are taken out, the others are sent again.

def place:
  (.source | objects | .pointer | strings) // "" | split("/")
  | .[((index("events-bulk-create") // index("profiles")) // 99) + 2] // ""
  | tonumber? // null
  | if . == null or . < 0 or . != floor then null else . end;

.count as $count
| if .status == 400 and (.body | type) == "object" then
    [ .body.errors | arrays | .[] | objects | (place) as $n
      | select($n != null and $n < $count)
      | { ($n | tostring): { outcome: "reject",
                             reason: (.code // "invalid" | tostring) } } ]
    | add
    | if . then { records: (. + { rest: { outcome: "again" } }) } else null end
  elif .status == 409 then { outcome: "duplicate" }
  elif .status == 429 then
    # a date in Retry-After is read by the forwarder itself
    (.headers["retry-after"] // .headers["ratelimit-reset"] // ""
     | tonumber? // null) as $wait
    | { outcome: "throttled" }
      + (if $wait then { retry_after: $wait } else {} end)
  else null end
