# Flat on purpose: a call of a function costs jq 1.6 a microsecond.

# Names of properties: lower case, no blanks and dots.
def property:
  (if contains(" ") then split(" ") | join("_") else . end)
  | (if contains(".") then split(".") | join("_") else . end)
  | ascii_downcase;

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
| (if $e.type == "group" then $c.traits // {}
   else $e.traits // $c.traits // {} end) as $t
| ($t.email // $p.email) as $email
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
            firstname: ($t.firstName // $t.first_name),
            lastname: ($t.lastName // $t.last_name),
            phone: $t.phone,
            company: ($t.company
                      | if type == "object" then .name else . end),
            jobtitle: ($t.title // $t.job_title),
            website: $t.website,
            address: $a.street, city: ($a.city // $t.city),
            state: ($a.state // $t.state),
            zip: ($a.postalCode // $a.postal_code // $a.zip),
            country: ($a.country // $t.country)
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
        utk: $c.hubspotutk,
        occurredAt: {"@time": $e.timestamp, as: "iso"},
        uuid: (if ($e.messageId | length) == 36 then $e.messageId
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
              name: $g.name, domain: ($g.domain // $g.website),
              industry: $g.industry, phone: $g.phone,
              numberofemployees: ($g.employees | if . == null then null
                                                 else tostring end),
              city: $a.city, state: $a.state, country: $a.country,
              zip: ($a.postalCode // $a.postal_code // $a.zip)
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
