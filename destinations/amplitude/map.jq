# Canonical events to events of Amplitude.  Without a userId and anonymousId
# the vendor refuses an event, and no try mends that.  An id of less than 5
# characters is refused as well, which the answer says.

def base:
  .event as $e | ($e.context // {}) as $c
  | {
      user_id: $e.userId,
      device_id: $e.anonymousId,
      insert_id: $e.messageId,
      time: millis,
      groups: (if $c.groupId then {(.settings.group_type): $c.groupId}
               else null end),
      app_version: $c.app.version,
      platform: $c.device.type,
      os_name: $c.os.name,
      os_version: $c.os.version,
      device_manufacturer: $c.device.manufacturer,
      device_model: $c.device.model,
      carrier: $c.network.carrier,
      language: $c.locale,
      ip: $c.ip,
      country: $c.location.country,
      region: $c.location.region,
      city: $c.location.city,
      location_lat: $c.location.latitude,
      location_lng: $c.location.longitude
    };

# Price and quantity stay among the properties: on the top level the vendor
# makes revenue of them, also of a product that was only looked at.
def paid: .revenue // .total // .value;

# An amount below zero, also of a text, and of one that is so already.
def negative:
  if type == "number" then (if . > 0 then -. else . end)
  else { "@number": ("-" + (tostring | ltrimstr("-"))) } end;

# Each product becomes an event where they have the revenue: all with a price,
# and no more of them than a map may give records.
def each_bought:
  .settings.products and .event.event == "Order Completed"
  and (.event.properties.products
       | type == "array" and length > 0 and length < 900
         and all(.[]; type == "object" and .price != null));

# A refund is revenue below zero.
def money:
  .event.event as $name
  | each_bought as $each
  | .event.properties // {}
  | if $name == "Order Completed" then
      if $each or paid == null then {}
      else { revenue: number(paid), revenueType: "Purchase" } end
    elif $name == "Order Refunded" then
      if paid == null then {}
      else { revenue: (paid | negative), revenueType: "Refund" } end
    elif .revenue then { revenue: number(.revenue), revenueType: "Revenue" }
    else {} end;

def record($type; $properties):
  base + { "@endpoint": .settings.api, event_type: $type,
           event_properties: $properties };

def viewed($what; $none):
  if .event.name // .event.properties.name then
    "Viewed " + (.event.name // .event.properties.name | tostring) + $what
  else $none end;

def purchased:
  .event as $e
  | base as $base
  | .settings.api as $api
  | products
  | to_entries[]
  | .value as $p
  | $base + {
      "@endpoint": $api,
      event_type: "Product Purchased",
      insert_id: ($e.messageId + "-" + (.key | tostring)),
      event_properties: ($p + { order_id: $e.properties.order_id }),
      productId: ($p | product_id),
      # a quantity is whole; half a kilogram is one thing at its own price
      price: (if ($p.quantity | type) == "number"
                 and $p.quantity != ($p.quantity | floor)
                 and ($p.price | type) == "number"
              then $p.price * $p.quantity else number($p.price) end),
      quantity: (if ($p.quantity | type) == "number"
                    and $p.quantity != ($p.quantity | floor) then 1
                 else {"@number": ($p.quantity // 1), "as": "int"} end),
      revenueType: "Purchase"
    };

def records: .event as $e
| if $e.type == "group" then
    if $e.groupId then
      { "@endpoint": "group", group_type: .settings.group_type,
        group_value: $e.groupId, group_properties: ($e.traits // {}) }
    else fail("no_group") end
  elif $e.type == "alias" then
    if $e.userId and $e.previousId then
      { "@endpoint": "alias", user_id: $e.previousId,
        global_user_id: $e.userId }
    else fail("no_identity") end
  elif ($e.userId // $e.anonymousId) == null then fail("no_identity")
  elif $e.type == "track" then
    if $e.event then
      record($e.event; $e.properties) + money
        + (if ($e.context.traits | type) == "object"
           then { user_properties: $e.context.traits } else {} end),
      (if each_bought then purchased else empty end)
    else fail("no_name") end
  elif $e.type == "identify" then
    record("$identify"; null) + { user_properties: { "$set": ($e.traits // {}) } }
  elif $e.type == "page" then record(viewed(" Page"; "Loaded a Page"); $e.properties)
  elif $e.type == "screen" then
    record(viewed(" Screen"; "Loaded a Screen"); $e.properties)
  else drop("type") end;

# A member of context that is not what it should be is left out, not the event.
. as $in | try records catch ($in | sane | records)
