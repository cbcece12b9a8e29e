# 200 is said to almost anything; 400 to JSON that is none or is too large,
# which the table cuts in halves.

if .status == 429 then
  { outcome: "throttled",
    retry_after: ((.headers["retry-after"] // .headers["x-ratelimit-reset"] // 1)
                  | tonumber? // 1) }
elif .status == 200 and (.body | type) == "object" and .body.success == false then
  { outcome: "split", reason: "not successful" }
else null end
