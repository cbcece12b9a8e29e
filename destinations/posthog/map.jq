# Canonical events to events of PostHog.  The uuid is made of the messageId,
# so that a repeated event is the same one.

# What is constant costs jq nothing: the paths of "@get" are followed by the
# writer of records.

# Of the sender's address, not of ours, a place is made; without one, none.
def about:
  {
    "$ip": { "@get": "context.ip" },
    "$current_url": { "@get": ["context.page.url", "properties.url"] },
    "$pathname": { "@get": "context.page.path" },
    "$referrer": { "@get": "context.page.referrer" },
    "$title": { "@get": "context.page.title" },
    "$raw_user_agent": { "@get": "context.userAgent" },
    "$os": { "@get": "context.os.name" },
    "$os_version": { "@get": "context.os.version" },
    "$app_version": { "@get": "context.app.version" },
    "$device_type": { "@get": "context.device.type" },
    "$locale": { "@get": "context.locale" },
    "$timezone": { "@get": "context.timezone" },
    "$screen_width": { "@get": "context.screen.width" },
    "$screen_height": { "@get": "context.screen.height" }
  }
  + (if .event.context.ip then null else { "$geoip_disable": true } end)
  + (if .event.context.groupId then
       { "$groups": { (.settings.group_type): .event.context.groupId } }
     else null end)
  + (if .event.userId or .settings.profiles == "always" then null
     else { "$process_person_profile": false } end);

def record($name; $properties):
  {
    event: $name,
    distinct_id: (.event.userId // .event.anonymousId),
    timestamp: { "@time": { "@get": "timestamp" }, as: "iso" },
    uuid: { "@uuid5": { "@get": "messageId" } },
    properties: (about + $properties)
  }
  # a request is historical as a whole: events of more than two days
  + (if .age > 172800 then { "@group": { historical: true } }
     else null end);

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
