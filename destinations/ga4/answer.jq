# Collecting answers 2xx to everything, and tells nothing of the events.  Only
# the debug server has messages; fieldPath and description are the vendor's
# words about a parameter.
if .status >= 200 and .status < 300
   and (.body | type) == "object"
   and (.body.validationMessages | type) == "array"
   and (.body.validationMessages | length) > 0
then { outcome: "reject",
       reason: (.body.validationMessages[0]
                | if type == "object" then "\(.validationCode): \(.fieldPath)"
                  else "invalid" end) }
# a refusal is the transport's: nothing in a batch can be the reason
elif .status == 413 then { outcome: "split" }
else null end
