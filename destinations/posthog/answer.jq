# A 200 may say that events were thrown away because the account has none
# left.  They are not taken later either: dead letters can be replayed once
# there is a larger account.  401: the key; 400: halves, by the table.

if .status == 200 and (.body | type) == "object"
   and ((.body.quota_limited // []) | index("events"))
then { outcome: "reject", reason: "quota_limited" }
elif .status == 429 then
  { outcome: "throttled",
    retry_after: ((.headers["retry-after"] // "60") | tonumber? // 60) }
else null end
