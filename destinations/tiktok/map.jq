# What is constant here costs jq nothing: the paths of "@get" are followed by
# the writer of records.  A step of jq is a tenth of a microsecond and more.

def names: {
  "Products Searched": "Search", "Product List Viewed": "ViewContent",
  "Product Clicked": "ClickButton", "Product Viewed": "ViewContent",
  "Product Added": "AddToCart", "Product Added to Wishlist": "AddToWishlist",
  "Checkout Started": "InitiateCheckout",
  "Payment Info Entered": "AddPaymentInfo", "Order Placed": "PlaceAnOrder",
  "Signed Up": "CompleteRegistration", "Subscription Created": "Subscribe",
  "Trial Started": "StartTrial"
};

def client: {
  ttclid: {"@get": ["context.ttclid", "properties.ttclid"]},
  ttp: {"@get": ["context.ttp", "properties.ttp"]},
  ip: {"@get": "context.ip"},
  user_agent: {"@get": "context.userAgent"},
  locale: {"@get": "context.locale"},
  # trimmed, as the vendor says; others lower-case it as well, which would
  # not match what a pixel has hashed
  external_id: [
    {"@sha256": {"@get": "userId"}, do: "trim"},
    {"@sha256": {"@get": "anonymousId"}, do: "trim"}]
};

def person: {
  email: {"@sha256": {"@get": ["traits.email", "context.traits.email",
                               "properties.email"]},
          do: ["trim", "lower"]},
  phone: {"@sha256": {"@get": ["traits.phone", "context.traits.phone",
                               "properties.phone"]},
          do: ["digits", "plus", "cut:15"]},
  first_name: {"@sha256": {"@get": ["traits.firstName", "traits.first_name",
                                    "context.traits.firstName",
                                    "context.traits.first_name"]},
               do: ["lower", "nospace"]},
  last_name: {"@sha256": {"@get": ["traits.lastName", "traits.last_name",
                                   "context.traits.lastName",
                                   "context.traits.last_name"]},
              do: ["lower", "nospace"]},
  # these three are plain
  city: {"@text": {"@get": ["traits.address.city", "traits.city",
                            "context.traits.address.city",
                            "context.traits.city"]},
         do: ["lower", "alnum"]},
  state: {"@text": {"@get": ["traits.address.state", "traits.state",
                             "context.traits.address.state",
                             "context.traits.state"]},
          do: ["lower", "alnum"]},
  country: {"@text": {"@get": ["traits.address.country", "traits.country",
                               "context.traits.address.country",
                               "context.traits.country"]},
            do: ["trim", "lower"]},
  zip_code: {"@sha256": {"@get": ["traits.address.postalCode",
                                  "traits.address.postal_code",
                                  "traits.address.zip",
                                  "context.traits.address.postalCode",
                                  "context.traits.address.postal_code",
                                  "context.traits.address.zip"]},
             do: ["lower", "nospace"]}
};

def ios: {
  idfa: {"@get": "context.device.advertisingId"},
  idfv: {"@get": "context.device.id"},
  att_status: {"@get": "context.device.attStatus"}
};

def details: {
  order_id: {"@get": ["properties.order_id", "properties.orderId"]},
  shop_id: {"@get": "properties.shop_id"},
  query: {"@get": "properties.query"},
  description: {"@get": "properties.description"},
  num_items: {"@number": {"@get": "properties.num_items"}, as: "int"}
};

# Of a list a marker is made for each text: what is a number stays one.
def goods:
  [ .[] | if type != "object" then empty else
      (.product_id // .sku // .id) as $id
      | if $id == null then empty else
          { content_id: ($id | tostring), content_name: .name,
            content_category: .category, brand: .brand,
            price: (.price | if type == "string"
                    then {"@number": .} else . end),
            quantity: (.quantity // 1 | if type == "string"
                       then {"@number": ., as: "int"} else . end) }
        end end ]
  | if . == [] then null
    else { contents: ., content_type: "product" } end;

# The only product stands among the properties.
def good($id): {
  contents: [
    { content_id: $id,
      content_name: {"@get": "properties.name"},
      content_category: {"@get": "properties.category"},
      brand: {"@get": "properties.brand"},
      price: {"@number": {"@get": "properties.price"}},
      quantity: {"@number": {"@get": "properties.quantity", else: 1},
                 as: "int"} }],
  content_type: "product"
};

def records:
  .event as $e | .settings as $s | $e.properties as $p | $e.context as $c
  | (if $e.type == "track" then
       names[$e.event]?
       // (if $e.event == "Order Completed" then $s.order_completed
           elif $e.event == "Lead Generated" or $e.event == "Form Submitted"
           then $s.lead
           elif $s.custom_events and ($e.event | type) == "string"
           then $e.event
           else null end)
     elif $e.type == "page" then $s.page_view
     else null end) as $name
  | if .granted.advertising == false then drop("consent")
    elif $name == null then
      drop(if $e.type == "track" then "unmapped"
           else "unsupported_type" end)
    elif (.age // 604801) > 604800 then drop("too_old")
    else
      # a page, a device, traits may be anything
      ($c.page.url? // $p.url
       | if type == "string" then . else null end) as $url
      | ($p.value // $p.revenue // $p.total // $p.price) as $value
      # one of about sixty codes, a list that is not published in one place:
      # what is not among them is refused by the vendor
      | (if $value == null then null
         elif ($p.currency | type) == "string" and $p.currency != "" then
           {"@text": {"@get": "properties.currency"},
            do: ["trim", "upper"]}
         else $s.default_currency end) as $currency
      | if $e.event == "Order Completed"
           and ($value | type != "number" and type != "string") then
          fail("no_value")
        elif $e.event == "Order Completed" and $currency == null then
          fail("no_currency")
        else
          { event: $name,
            event_time: {"@time": {"@get": "timestamp"}, as: "s"},
            event_id: (if $p.event_id == null then {"@get": "messageId"}
                       else $p.event_id | if type == "string" then .
                            elif type == "number" then tostring
                            else $e.messageId end end),
            page: { url: $url,
                    referrer: {"@get": ["context.page.referrer",
                                        "properties.referrer"]} },
            user: (client
              + (if $c.traits or $p.email or $p.phone or $e.traits
                 then person else null end)
              # the parameter of the address is newer than what was stored
              + (if $url and ($url | contains("ttclid="))
                 then { ttclid: {"@query": $url, name: "ttclid"} }
                 else null end)
              + (if ($c.device | type) != "object" then null
                 elif $c.device.type == "ios"
                      or ($c.os | type == "object" and .name == "iOS")
                 then ios
                 else {gaid: {"@get": "context.device.advertisingId"}}
                 end)),
            properties: (if $e.type == "page" then null else
              details
              + (if $value then
                   { value: ($value | if type == "number" then .
                                      elif type == "string"
                                      then {"@number": .}
                                      else null end),
                     currency: $currency }
                 else null end)
              + (if $p.products and ($p.products | type) == "array" then
                   ($p.products | goods)
                 # the id of a form or an account is no product
                 elif $name == $s.lead or $name == "CompleteRegistration"
                 then null
                 else ($p.product_id // $p.sku // $p.id)
                   | if . then good(tostring) else null end end) end)
          }
          + (if $s.limited_data_use or .granted.personalization == false
             then {limited_data_use: true} else null end)
          + (if $p.lead_id then
               { lead: { lead_id: $p.lead_id,
                         lead_event_source: $p.lead_event_source } }
             else null end)
          + (if $s.test_event_code then {"@alone": true} else null end)
        end
    end;

. as $in | try records catch ($in | sane | records)
