# 207: those named by batch_index are refused, the others are taken.  A 400
# that names some took none: they are taken out, the others are sent again.

def named($count):
  [ .errors | arrays | .[] | objects | select(.batch_index | numbers)
    | select(.batch_index >= 0 and .batch_index < $count
             and .batch_index == (.batch_index | floor))
    | { (.batch_index | tostring):
          { outcome: "reject",
            reason: ([ .reason, .field ] | map(strings) | join(" ")) } } ]
  | add // {};

.count as $count
| .status as $status
| .body
| if type != "object" then null
  elif $status == 207 or $status == 200 then
    named($count) as $bad
    | if $bad == {} then
        if (.errors // []) == [] then null
        else { outcome: "singly", reason: "errors without a place" } end
      else { records: ($bad + { rest: { outcome: "ok" } }) } end
  elif $status == 400 then
    named($count) as $bad
    | if $bad == {} then null
      else { records: ($bad + { rest: { outcome: "again" } }) } end
  else null end
