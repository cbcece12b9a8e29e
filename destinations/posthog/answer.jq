# A 200 may say that events were thrown away because the account has none
# left.  They are not taken later either: dead letters can be replayed once
# there is a larger account.  401: the key; 400: halves, by the table.

if .status == 200 and (.body | type) == "object"
   and ([.body.quota_limited | arrays | .[]] | index("events"))
then { outcome: "reject", reason: "quota_limited" }
elif .status == 429 then
  # a date of Retry-After is read without us
  (.headers["retry-after"] // 60 | tonumber? // null) as $wait
  | { outcome: "throttled" }
    + if $wait then { retry_after: $wait } else {} end
else null end
