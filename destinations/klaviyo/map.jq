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

# An address or a number that Klaviyo would refuse has the whole job refused.
def mail: email | if type == "string" and contains("@") then . else null end;

# Without a country only a number that begins with "+" or "00" is sure.
def number_of($cc):
  phone
  | if . == null then null
    else
      (if type == "number" or type == "string" then tostring else "" end)
      | [split(" ")[] | select(. != "")] | join("")
      | if length < 7 then null
        elif startswith("+") or startswith("00")
        then { "@text": ., do: ["e164:1", "plus"] }
        elif $cc then { "@text": ., do: ["e164:" + $cc, "plus"] }
        else null end
    end;

def who($cc):
  {
    email: (mail | if . == null then null
                   else { "@text": ., do: ["trim", "lower"] } end),
    phone_number: number_of($cc),
    external_id: (.event.userId | if length > 255 then .[0:255] else . end),
    anonymous_id: .event.anonymousId
  };

def known($cc):
  (.event.userId // .event.anonymousId // mail // number_of($cc)) != null;

def plain:
  if type == "string" then . elif type == "number" then tostring
  else null end;

# three capitals, or none: another one has the whole job refused
def currency:
  if type != "string" or length != 3 then null
  elif . == "USD" or . == "EUR" or . == "GBP" then .
  else { "@text": ., do: "upper" } end;

def event($metric; $unique; $properties; $value):
  .settings.country_code as $cc
  | {
    "@endpoint": "events",
    # an event that is stored twice: the same id twice in a job is refused
    "@merge": $unique,
    type: "event-bulk-create",
    attributes: {
      profile: { data: { type: "profile", attributes: who($cc) } },
      events: { data: [ {
        type: "event",
        attributes: {
          metric: { data: { type: "metric", attributes: { name: $metric } } },
          properties: $properties,
          time: { "@time": .event.timestamp, as: "iso_s" },
          value: ($value | if type == "number" then .
                           elif type == "string" then { "@number": . }
                           else null end),
          value_currency: ($properties.currency | currency),
          unique_id: $unique
        } } ] }
    }
  };

def amount: .event.properties | .revenue // .value // .total;

.settings.country_code as $cc
| .event as $e
| if known($cc) | not then fail("no_identity")
  elif $e.type == "track" then
    if ($e.event // "") != "" then
      event(metrics[$e.event] // $e.event; $e.messageId; $e.properties // {};
            amount),
      # flows about single products listen to this one; its first is not
      # waited for, a repeated unique_id does no harm
      (if $e.event == "Order Completed" then
         # with the order no more than the 1,000 records of an event
         products[0:999] | to_entries[]
         | (.key | tostring) as $n | .value as $p
         | ({ event: $e, settings: { country_code: $cc } }
            | event("Ordered Product"; $e.messageId + "-" + $n;
             $p + { order_id: ($e.properties
                               | .order_id // .orderId),
                    currency: ($p.currency // $e.properties.currency) };
             $p.price))
       else empty end)
    else fail("no_name") end
  elif $e.type == "identify" then
    ($e.traits // {}) as $t
    # No "@merge": it would keep the last properties only, and what the other
    # events say would be lost.  That a job keeps the order of its entries is
    # unverified.
    | {
        "@endpoint": "profiles",
        type: "profile",
        attributes: (who($cc) + {
          first_name: ($t.firstName // $t.first_name | plain),
          last_name: ($t.lastName // $t.last_name | plain),
          title: ($t.title | plain),
          organization: ($t.company | if type == "object" then .name
                                      else . end | plain),
          image: ($t.avatar | plain),
          location: (if $t.address | type == "object" then {
              address1: ($t.address.street | plain),
              city: ($t.address.city | plain),
              region: ($t.address.state | plain),
              country: ($t.address.country | plain),
              zip: ($t.address | .postalCode // .postal_code // .zip
                    | plain)
            } else null end),
          properties: ($t | del(.email, .phone, .firstName, .first_name,
            .lastName, .last_name, .title, .avatar, .address))
        })
      }
  else drop("type") end
