# Flat on purpose: a call of a function costs jq 1.6 a microsecond.

# fields by list; what is an object or an array is no value of a field
def listed($list):
  . as $in
  | reduce $list[] as $k ({};
      if ($in[$k] | type) == "object" or ($in[$k] | type) == "array" then .
      else .[$k] = $in[$k] end);

.event as $e | .settings as $s | $e.context as $c
| ($e.traits // {}) as $t
| ($t.address | if type == "object" then . else {} end) as $a
| if $c.martech.consent != null and granted("personalization") == false then
    drop("consent")
  elif $e.type == "identify" then
    if $e.userId == null then drop("no_user_id") else
      { "@group": {object: $s.person_object, key: $s.person_key},
        "@merge": $e.userId,
        attributes: {type: $s.person_object},
        "\($s.person_key)": $e.userId,
        FirstName: {"@text": ($t.firstName // $t.first_name),
                    do: ["trim", "cut:40"]},
        LastName: {"@text": ($t.lastName // $t.last_name),
                   do: ["trim", "cut:80"]},
        Email: {"@text": $t.email, do: ["trim", "lower", "cut:80"]},
        Phone: {"@text": $t.phone, do: ["trim", "cut:40"]},
        Title: {"@text": ($t.title // $t.job_title), do: "cut:128"}
      }
      + (if $s.person_object == "Lead" then
           { Company: {"@text": ($t.company | if type == "object" then .name
                                              else . end), do: "cut:255"},
             Website: $t.website, Street: $a.street, City: $a.city,
             State: $a.state, Country: $a.country,
             PostalCode: ($a.postalCode // $a.postal_code // $a.zip) }
         else
           { MailingStreet: $a.street, MailingCity: $a.city,
             MailingState: $a.state, MailingCountry: $a.country,
             MailingPostalCode: ($a.postalCode // $a.postal_code // $a.zip),
             Birthdate: $t.birthday } end)
      + (if $s.person_fields then $t | listed($s.person_fields) else {} end)
    end
  elif $e.type == "group" then
    if $e.groupId == null then fail("no_group_id") else
      { "@group": {object: "Account", key: $s.account_key},
        "@merge": $e.groupId,
        attributes: {type: "Account"},
        "\($s.account_key)": $e.groupId,
        Name: {"@text": $t.name, do: ["trim", "cut:255"]},
        Website: $t.website,
        Industry: $t.industry,
        Phone: {"@text": $t.phone, do: ["trim", "cut:40"]},
        NumberOfEmployees: {"@number": $t.employees, as: "int"},
        BillingStreet: $a.street, BillingCity: $a.city,
        BillingState: $a.state, BillingCountry: $a.country,
        BillingPostalCode: ($a.postalCode // $a.postal_code // $a.zip)
      }
      + (if $s.account_fields then $t | listed($s.account_fields)
         else {} end)
    end
  elif $e.type == "track" then
    ($e.properties // {}) as $p | ($p.order_id // $p.orderId) as $order
    | if $e.event != "Order Completed" or ($s.orders | not) then
        drop("unmapped")
      elif $order == null then fail("no_order_id")
      else
        { "@group": {object: "Opportunity", key: $s.order_key},
          "@merge": ($order | tostring),
          attributes: {type: "Opportunity"},
          "\($s.order_key)": ($order | tostring),
          Name: {"@text": "Order \($order)", do: "cut:120"},
          StageName: $s.order_stage,
          CloseDate: $e.timestamp[0:10],
          Amount: {"@number": ($p.revenue // $p.total // $p.value)} }
      end
  else drop("unsupported_type") end
