# Canonical events to events and profiles of Klaviyo.  An entry of a bulk job
# is a profile with its events; here with one, so that an answer that names an
# entry names an event.

# What recommended flows listen to; other names stay as they are.
def metrics:
  {
    "Product Viewed": "Viewed Product",
    "Product Clicked": "Viewed Product",
    "Product Added": "Added to Cart",
    "Checkout Started": "Started Checkout",
    "Order Completed": "Placed Order",
    "Order Refunded": "Refunded Order",
    "Order Cancelled": "Cancelled Order"
  };

def who($cc):
  {
    email: { "@text": email, do: ["trim", "lower"] },
    phone_number: (phone | if . then { "@text": ., do: ["e164:" + $cc, "plus"] } else null end),
    external_id: { "@text": .event.userId, do: "cut:255" },
    anonymous_id: .event.anonymousId
  };

def known: (email // phone // .event.userId // .event.anonymousId) != null;

def event($metric; $unique; $properties; $value):
  .settings.country_code as $cc
  | {
    "@endpoint": "events",
    type: "event-bulk-create",
    attributes: {
      profile: { data: { type: "profile", attributes: who($cc) } },
      events: { data: [ {
        type: "event",
        attributes: {
          metric: { data: { type: "metric", attributes: { name: $metric } } },
          properties: $properties,
          time: { "@time": .event.timestamp, as: "iso_s" },
          value: { "@number": $value },
          value_currency: $properties.currency,
          unique_id: $unique
        } } ] }
    }
  };

def amount: .event.properties | .revenue // .value // .total;

.settings.country_code as $cc
| .event as $e
| if known | not then fail("no_identity")
  elif $e.type == "track" then
    if $e.event then
      event(metrics[$e.event] // $e.event; $e.messageId; $e.properties // {};
            amount),
      # flows about single products listen to this one; its first is not
      # waited for, a repeated unique_id does no harm
      (if $e.event == "Order Completed" then
         products | to_entries[]
         | (.key | tostring) as $n | .value as $p
         | ({ event: $e, settings: { country_code: $cc } } | event("Ordered Product"; $e.messageId + "-" + $n;
             $p + { order_id: $e.properties.order_id,
                    currency: ($p.currency // $e.properties.currency) };
             $p.price))
       else empty end)
    else fail("no_name") end
  elif $e.type == "identify" then
    ($e.traits // {}) as $t
    | (email // phone // $e.userId // $e.anonymousId) as $key
    | {
        "@endpoint": "profiles",
        "@merge": ($key | tostring),
        type: "profile",
        attributes: (who($cc) + {
          first_name: ($t.firstName // $t.first_name),
          last_name: ($t.lastName // $t.last_name),
          title: $t.title,
          organization: ($t.company.name? // null),
          image: $t.avatar,
          location: (if $t.address | type == "object" then {
              address1: $t.address.street, city: $t.address.city,
              region: $t.address.state, country: $t.address.country,
              zip: ($t.address.postalCode // $t.address.zip) } else null end),
          properties: ($t | del(.email, .phone, .firstName, .first_name,
            .lastName, .last_name, .title, .avatar, .address))
        })
      }
  else drop("type") end
