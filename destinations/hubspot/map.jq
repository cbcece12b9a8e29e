# Flat on purpose: a call of a function costs jq 1.6 a microsecond.

# Names of properties: lower case, no blanks and dots.
def property:
  (if contains(" ") then split(" ") | join("_") else . end)
  | (if contains(".") then split(".") | join("_") else . end)
  | ascii_downcase;

# values are texts; one object among them has the whole batch refused
def plain:
  if type == "string" then . elif type == "number" then tostring
  else null end;

# those of a list, as texts
def listed($list; $max):
  . as $in
  | reduce ($list // [])[0:50][] as $k ({};
      $in[$k] as $v
      | if $v == null or ($v | type) == "object" or ($v | type) == "array"
        then . else
          .[$k | property] =
            ($v | tostring | if length > $max then .[0:$max] else . end)
        end);

.event as $e | .settings as $s | ($e.properties // {}) as $p
| $e.context as $c
| (if $e.type == "group" then $c.traits else $e.traits // $c.traits end
   | if type == "object" then . else {} end) as $t
# an address of another kind is none
| ($t.email // $p.email | if type == "string" and contains("@") then .
                          else null end) as $email
| if $c.martech.consent != null and granted("personalization") == false then
    drop("consent")
  elif $e.type == "identify" then
    if $email == null then drop("no_email") else
      ($t.address | if type == "object" then . else {} end) as $a
      | { "@endpoint": "contacts",
          # an id twice in a request is refused
          "@merge": {"@text": $email, do: ["trim", "lower"]},
          id: {"@text": $email, do: ["trim", "lower"]},
          idProperty: "email",
          objectWriteTraceId: $e.messageId,
          properties: ({
            email: {"@text": $email, do: ["trim", "lower"]},
            firstname: ($t.firstName // $t.first_name | plain),
            lastname: ($t.lastName // $t.last_name | plain),
            phone: ($t.phone | plain),
            company: ($t.company
                      | if type == "object" then .name else . end | plain),
            jobtitle: ($t.title // $t.job_title | plain),
            website: ($t.website | plain),
            address: ($a.street | plain),
            city: ($a.city // $t.city | plain),
            state: ($a.state // $t.state | plain),
            zip: ($a.postalCode // $a.postal_code // $a.zip | plain),
            country: ($a.country // $t.country | plain)
          } + (if $s.contact_properties
               then $t | listed($s.contact_properties; 65536)
               else {} end)) }
    end
  elif $e.type == "track" then
    if $s.portal_id == null then drop("no_custom_events")
    elif ($e.event // "") == "" then fail("no_event_name")
    elif ($email // $c.hubspotutk) == null then drop("no_contact")
    else
      { "@endpoint": "events",
        eventName: {"@text": "pe\($s.portal_id) \($e.event)",
                    do: ["ascii", "snake", "cut:100"]},
        email: {"@text": $email, do: ["trim", "lower"]},
        utk: ($c.hubspotutk | plain),
        occurredAt: {"@time": $e.timestamp, as: "iso"},
        uuid: (if ($e.messageId
                    | length == 36
                      and test("^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}"
                               + "-[0-9A-Fa-f]{12}$"))
               then $e.messageId
               else {"@uuid5": $e.messageId} end),
        # 1,024 characters by the newer guide (unverified), 50 by an older
        # notice: the newer one
        properties: (if $s.event_properties
                     then $p | listed($s.event_properties; 1024)
                     else {} end) }
    end
  elif $e.type == "group" then
    if $e.groupId == null then fail("no_group_id") else
      ($e.traits // {}) as $g
      | ($g.address | if type == "object" then . else {} end) as $a
      | { "@endpoint": "sequence",
          company: {
            id: $e.groupId, idProperty: $s.company_id_property,
            objectWriteTraceId: $e.messageId,
            properties: ({
              name: ($g.name | plain),
              domain: ($g.domain // $g.website | plain),
              industry: ($g.industry | plain), phone: ($g.phone | plain),
              numberofemployees: ($g.employees | plain),
              city: ($a.city | plain), state: ($a.state | plain),
              country: ($a.country | plain),
              zip: ($a.postalCode // $a.postal_code // $a.zip | plain)
            } + (if $s.company_properties
                 then $g | listed($s.company_properties; 65536)
                 else {} end)
              + {"\($s.company_id_property)": $e.groupId}) },
          contact: (if $email == null then null else
            { id: {"@text": $email, do: ["trim", "lower"]},
              idProperty: "email",
              objectWriteTraceId: $e.messageId,
              properties: {email: {"@text": $email,
                                   do: ["trim", "lower"]}} } end) }
    end
  else drop("unsupported_type") end
