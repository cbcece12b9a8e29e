# Flat on purpose: a call of a function costs jq 1.6 a microsecond.

# Texts of fields as long as the org's standard fields are: a longer one would
# have all of the record refused.
def field($max):
  if type == "string" then (if length > $max then .[0:$max] else . end)
  elif type == "number" then tostring
  else null end;

# A date, or nothing: another text has the whole request refused.
def day:
  if type == "string" and test("^[0-9]{4}-[0-9]{2}-[0-9]{2}") then .[0:10]
  else null end;

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
        # one that is cut would be somebody else's
        Email: (if ($t.email | type == "string" and length <= 80) then
                  {"@text": $t.email, do: ["trim", "lower"]} else null end),
        Phone: {"@text": $t.phone, do: ["trim", "cut:40"]},
        Title: {"@text": ($t.title // $t.job_title), do: "cut:128"}
      }
      + (if $s.person_object == "Lead" then
           { Company: {"@text": ($t.company | if type == "object" then .name
                                              else . end), do: "cut:255"},
             Website: ($t.website | field(255)),
             Street: ($a.street | field(255)), City: ($a.city | field(40)),
             State: ($a.state | field(80)),
             Country: ($a.country | field(80)),
             PostalCode: ($a.postalCode // $a.postal_code // $a.zip
                          | field(20)) }
         else
           { MailingStreet: ($a.street | field(255)),
             MailingCity: ($a.city | field(40)),
             MailingState: ($a.state | field(80)),
             MailingCountry: ($a.country | field(80)),
             MailingPostalCode: ($a.postalCode // $a.postal_code // $a.zip
                                 | field(20)),
             Birthdate: ($t.birthday | day) } end)
      + (if $s.person_fields then $t | listed($s.person_fields) else {} end)
    end
  elif $e.type == "group" then
    if $e.groupId == null then fail("no_group_id") else
      { "@group": {object: "Account", key: $s.account_key},
        "@merge": $e.groupId,
        attributes: {type: "Account"},
        "\($s.account_key)": $e.groupId,
        Name: {"@text": $t.name, do: ["trim", "cut:255"]},
        Website: ($t.website | field(255)),
        Industry: ($t.industry | field(255)),
        Phone: {"@text": $t.phone, do: ["trim", "cut:40"]},
        NumberOfEmployees: {"@number": $t.employees, as: "int"},
        BillingStreet: ($a.street | field(255)),
        BillingCity: ($a.city | field(40)),
        BillingState: ($a.state | field(80)),
        BillingCountry: ($a.country | field(80)),
        BillingPostalCode: ($a.postalCode // $a.postal_code // $a.zip
                            | field(20))
      }
      + (if $s.account_fields then $t | listed($s.account_fields)
         else {} end)
    end
  elif $e.type == "track" then
    ($e.properties // {}) as $p
    | ($p.order_id // $p.orderId
       | if type == "number" then tostring
         elif type == "string" and length > 0 and length <= 255 then .
         else null end) as $order
    | if $e.event != "Order Completed" or ($s.orders | not) then
        drop("unmapped")
      elif $order == null then fail("no_order_id")
      else
        { "@group": {object: "Opportunity", key: $s.order_key},
          "@merge": $order,
          attributes: {type: "Opportunity"},
          "\($s.order_key)": $order,
          Name: {"@text": "Order \($order)", do: "cut:120"},
          StageName: $s.order_stage,
          CloseDate: $e.timestamp[0:10],
          Amount: {"@number": ($p.revenue // $p.total // $p.value)},
          CurrencyIsoCode: (if $s.multi_currency then
                              {"@text": $p.currency, do: ["trim", "upper"]}
                            else null end) }
      end
  else drop("unsupported_type") end
