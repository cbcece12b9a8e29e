if .endpoint == "import" then
  if .status == 400 and (.body | type) == "object"
     and (.body.failed_records | type) == "array"
     and (.body.failed_records | length) > 0
  then
    # 400 is partial success: those that are not named have landed, and are
    # never sent again.  Unless not all are accounted for: then again, what
    # is there already has its $insert_id.
    .count as $count
    | [.body.failed_records[] | objects
       | if (.index | type) == "number" and .index >= 0 and .index < $count
            and .index == (.index | floor)
         then . else empty end] as $failed
    | if ($failed | length) == 0 then { outcome: "split",
                                        reason: "not named" }
      else
        { outcome: "ok",
          records: (([$failed[]
            | { key: (.index | tostring),
                value: { outcome: "reject",
                         reason: "\(.field): \(.message)" } }]
            | from_entries)
            + { rest: { outcome:
                (if ((.body.num_records_imported | numbers) // $count)
                    + ([$failed[].index] | unique | length) < $count
                 then "retry" else "ok" end) } }) }
      end
  elif .status == 400 then { outcome: "split" }
  elif .status >= 200 and .status < 300 and (.body | type) != "object" then
    { outcome: "retry", reason: "unreadable answer" }
  else null end
# profiles: the status is 200, the word is in the body; without verbose it is
# a 1 or a 0
elif .status >= 200 and .status < 300 then
  (if (.body | type) == "object" then .body.status else .body end) as $ok
  | if $ok == 1 or $ok == "1" or $ok == "OK" then { outcome: "ok" }
    elif $ok == 0 or $ok == "0" or (.body | type) == "object" then
      { outcome: "split",
        reason: (if (.body | type) == "object"
                 then .body.error // "refused" | tostring
                 else "refused" end) }
    else { outcome: "retry", reason: "unreadable answer" } end
else null end
