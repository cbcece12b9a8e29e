# 200 is said to almost anything; 400 to JSON that is none or is too large,
# which the table cuts in halves.

if .status == 429 then
  # a date of Retry-After is read without us; the other one is seconds
  (.headers["retry-after"] // .headers["x-ratelimit-reset"] // 1
   | tonumber? // null) as $wait
  | { outcome: "throttled" }
    + if $wait then { retry_after: $wait } else {} end
elif .status == 200 and (.body | type) == "object" and .body.success == false then
  { outcome: "split", reason: "not successful" }
else null end
