# Flat on purpose: a call of a function costs jq 1.6 a microsecond.

# ids that say nothing are refused by the vendor, and the event with them; the
# list as its importing tools have it
def nobody: {
  "anon": 1, "anonymous": 1, "nil": 1, "<nil>": 1, "none": 1, "null": 1,
  "n/a": 1, "na": 1, "undefined": 1, "unknown": 1, "true": 1, "false": 1,
  "0": 1, "-1": 1, "[]": 1, "{}": 1, "lmy47d": 1,
  "00000000-0000-0000-0000-000000000000": 1
};

# of a number so large that it can only be milliseconds
def born: if type == "number" and . > 1e11 then . / 1000 else . end;

def records:
.event as $e | .settings as $s | $e.context as $c
| (if nobody[$e.userId // ""] then null else $e.userId end) as $user
| (if nobody[$e.anonymousId // ""] then null else $e.anonymousId end) as $anon
| ($s.id_merge == "original") as $original
| ($user // (if $anon == null then "" elif $original then $anon
             else "$device:" + $anon end)) as $distinct
| (if $e.type == "track" then $e.event // ""
   elif $e.type == "page" or $e.type == "screen" then
     (if $e.type == "page" then "Page" else "Screen" end) as $what
     | ($e.name // $e.properties.name) as $n
     | if $s.page_names == "named" and $n != null then "Viewed \($n) \($what)"
       else "Loaded a " + $what end
   else null end) as $name
| if $c.martech.consent != null and granted("analytics") == false then
    drop("consent")
  elif $name == "" then fail("no_event_name")
  elif $name != null then
    ($e.properties // {}) as $p
    # 255 properties are the limit, some are ours
    | { event: $name,
        properties: (
          (if ($p | length) > 230
           then reduce ($p | keys)[0:230][] as $k ({}; .[$k] = $p[$k])
           else $p end)
          # so are 255 elements of a list, and the event is refused
          + (if [$p.products[254]?][0] != null
             then { products: $p.products[0:254] } else {} end)
          + { time: {"@time": $e.timestamp, as: "ms"},
              distinct_id: $distinct,
              # 36 of letters, digits and "-": any messageId becomes that
              "$insert_id": {"@uuid5": $e.messageId},
              "$user_id": $user,
              "$device_id": $anon,
              ip: $c.ip,
              "$current_url": ($c.page.url // $p.url),
              "$referrer": ($c.page.referrer // $p.referrer),
              "$os": $c.os.name,
              "$app_version_string": $c.app.version,
              "$model": $c.device.model,
              "$screen_width": $c.screen.width,
              "$screen_height": $c.screen.height }
          + (if $s.group_key and $c.groupId
             then {"\($s.group_key)": $c.groupId} else {} end)) }
  elif $e.type == "identify" then
    if $distinct == "" then drop("no_id") else
      ($e.traits // {}) as $t
      # members that become "$..." are null here, and left out
      | { "@endpoint": "engage",
          "$token": {"@secret": "project_token"},
          "$distinct_id": $distinct,
          # without an address the vendor takes ours, and its place
          "$ip": ($c.ip // 0),
          "$set": ($t + {
            email: null, phone: null, name: null, createdAt: null,
            created_at: null, firstName: null, first_name: null,
            lastName: null, last_name: null, avatar: null,
            "$email": $t.email,
            "$phone": $t.phone,
            "$name": $t.name,
            "$created": {"@time": ($t.createdAt // $t.created_at | born),
                         as: "iso_s"},
            "$first_name": ($t.firstName // $t.first_name),
            "$last_name": ($t.lastName // $t.last_name),
            "$avatar": $t.avatar }) },
        # the simplified system joins both ids by any event that has both: by
        # this one, for it may be the only one
        (if $user == null or $anon == null then empty
         elif $original | not then
           { event: "$identify",
             properties: { time: {"@time": $e.timestamp, as: "ms"},
                           distinct_id: $distinct,
                           "$insert_id": {"@uuid5": $e.messageId},
                           "$user_id": $user, "$device_id": $anon,
                           ip: $c.ip } }
         else
           { event: "$merge",
             properties: { "$distinct_ids": [$anon, $user],
                           time: {"@time": $e.timestamp, as: "ms"},
                           "$insert_id": {"@uuid5": $e.messageId} } }
         end)
    end
  elif $e.type == "alias" then
    if $original | not then drop("unsupported_type")
    elif $user == null or $e.previousId == null then fail("no_id")
    else
      { event: "$merge",
        properties: { "$distinct_ids": [$e.previousId, $user],
                      time: {"@time": $e.timestamp, as: "ms"},
                      "$insert_id": {"@uuid5": $e.messageId} } }
    end
  elif $e.type == "group" then
    if $s.group_key == null then drop("no_group_key")
    elif $e.groupId == null then fail("no_group_id")
    else
      { "@endpoint": "groups",
        "$token": {"@secret": "project_token"},
        "$group_key": $s.group_key,
        "$group_id": $e.groupId,
        "$set": ($e.traits // {} | . + {name: null, "$name": .name}) },
      # and its member
      (if $distinct == "" then empty else
         { "@endpoint": "engage",
           "$token": {"@secret": "project_token"},
           "$distinct_id": $distinct,
           "$ip": ($c.ip // 0),
           "$union": {"\($s.group_key)": [$e.groupId]} } end)
    end
  else drop("unsupported_type") end;

# A member of context that is not what it should be is left out, not the event.
. as $in | try records catch ($in | sane | records)
