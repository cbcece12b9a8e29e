# Canonical events to events of PostHog.  The uuid is made of the messageId,
# so that a repeated event is the same one.

# Of the sender's address, not of ours, a place is made; without one, none.
def about:
  .event.context as $c
  | {
      "$ip": $c.ip,
      "$geoip_disable": (if $c.ip then null else true end),
      "$current_url": page_url,
      "$pathname": $c.page.path,
      "$referrer": $c.page.referrer,
      "$title": $c.page.title,
      "$raw_user_agent": $c.userAgent,
      "$os": $c.os.name,
      "$os_version": $c.os.version,
      "$app_version": $c.app.version,
      "$device_type": $c.device.type,
      "$locale": $c.locale,
      "$timezone": $c.timezone,
      "$screen_width": $c.screen.width,
      "$screen_height": $c.screen.height,
      "$groups": (if $c.groupId then {(.settings.group_type): $c.groupId}
                  else null end),
      "$process_person_profile":
        (if .event.userId or .settings.profiles == "always" then null
         else false end)
    };

def record($name; $properties):
  {
    event: $name,
    distinct_id: (.event.userId // .event.anonymousId),
    timestamp: iso,
    uuid: { "@uuid5": .event.messageId },
    properties: (about + $properties)
  }
  # a request is historical as a whole: events of more than two days
  + if .event.timestamp < (.now - 172800 | todate)
    then { "@group": { historical: true } } else {} end;

def records: .event as $e
| if $e.type == "group" then
    if $e.groupId then
      record("$groupidentify"; {
          "$group_type": .settings.group_type, "$group_key": $e.groupId,
          "$group_set": ($e.traits // {}) })
      # a group has no person behind it, if nobody is named
      | .distinct_id //= "$" + .properties["$group_type"] + "_" + $e.groupId
    else fail("no_group") end
  elif ($e.userId // $e.anonymousId) == null then fail("no_identity")
  elif $e.type == "track" then
    if $e.event then record($e.event; $e.properties // {})
    else fail("no_name") end
  elif $e.type == "identify" then
    # before an id is known there is nobody to set anything on
    if $e.userId then
      record("$identify"; { "$set": ($e.traits // {}),
                            "$anon_distinct_id": $e.anonymousId })
    elif .settings.profiles == "always" then
      record("$set"; { "$set": ($e.traits // {}) })
    else drop("anonymous") end
  elif $e.type == "alias" then
    if $e.userId and $e.previousId then
      record("$create_alias"; { alias: $e.previousId })
    else fail("no_identity") end
  elif $e.type == "page" then
    record("$pageview"; ($e.properties // {})
                        + (if $e.name then { name: $e.name } else {} end))
  elif $e.type == "screen" then
    record("$screen"; ($e.properties // {})
                      + { "$screen_name": ($e.name // $e.properties.name) })
  else drop("type") end;

# A member of context that is not what it should be is left out, not the event.
. as $in | try records catch ($in | sane | records)
