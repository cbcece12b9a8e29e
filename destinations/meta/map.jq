# What is constant here costs jq nothing: the paths of "@get" are followed by
# the writer of records.  A step of jq is a tenth of a microsecond and more.

def names: {
  "Products Searched": "Search", "Product List Viewed": "ViewContent",
  "Product Viewed": "ViewContent", "Product Added": "AddToCart",
  "Product Added to Wishlist": "AddToWishlist",
  "Checkout Started": "InitiateCheckout",
  "Payment Info Entered": "AddPaymentInfo", "Order Completed": "Purchase",
  "Signed Up": "CompleteRegistration", "Lead Generated": "Lead",
  "Form Submitted": "Lead", "Subscription Created": "Subscribe",
  "Trial Started": "StartTrial"
};

def sources: {
  "website": "website", "app": "app", "email": "email",
  "phone_call": "phone_call", "chat": "chat",
  "physical_store": "physical_store",
  "system_generated": "system_generated",
  "business_messaging": "business_messaging", "other": "other"
};

def genders: {
  "m": "m", "f": "f", "M": "m", "F": "f", "male": "m", "female": "f",
  "Male": "m", "Female": "f"
};

def client: {
  external_id: [
    {"@sha256": {"@get": "userId"}, do: ["trim", "lower"]},
    {"@sha256": {"@get": "anonymousId"}, do: ["trim", "lower"]}],
  client_ip_address: {"@get": "context.ip"},
  client_user_agent: {"@get": "context.userAgent"},
  fbc: {"@get": ["context.fbc", "properties.fbc"]},
  fbp: {"@get": ["context.fbp", "properties.fbp"]},
  madid: {"@get": "context.device.advertisingId"},
  lead_id: {"@number": {"@get": "properties.lead_id"}, as: "int"},
  subscription_id: {"@get": "properties.subscription_id"}
};

def person: {
  em: [{"@sha256": {"@get": ["traits.email", "context.traits.email",
                             "properties.email"]},
        do: ["trim", "lower"]}],
  ph: [{"@sha256": {"@get": ["traits.phone", "context.traits.phone",
                             "properties.phone"]},
        do: ["digits", "nozeros"]}],
  fn: [{"@sha256": {"@get": ["traits.firstName", "traits.first_name",
                             "context.traits.firstName",
                             "context.traits.first_name"]},
        do: ["trim", "lower", "words"]}],
  ln: [{"@sha256": {"@get": ["traits.lastName", "traits.last_name",
                             "context.traits.lastName",
                             "context.traits.last_name"]},
        do: ["trim", "lower", "words"]}],
  db: [{"@sha256": {"@get": ["traits.birthday", "traits.birth_date",
                             "context.traits.birthday",
                             "context.traits.birth_date"]},
        do: ["digits", "cut:8"]}],
  ct: [{"@sha256": {"@get": ["traits.address.city", "traits.city",
                             "context.traits.address.city",
                             "context.traits.city"]},
        do: ["lower", "letters"]}],
  st: [{"@sha256": {"@get": ["traits.address.state", "traits.state",
                             "context.traits.address.state",
                             "context.traits.state"]},
        do: ["lower", "letters"]}],
  zp: [{"@sha256": {"@get": ["traits.address.postalCode",
                             "traits.address.postal_code",
                             "traits.address.zip",
                             "context.traits.address.postalCode",
                             "context.traits.address.postal_code",
                             "context.traits.address.zip"]},
        do: ["lower", "nospace", "before:-"]}],
  country: [{"@sha256": {"@get": ["traits.address.country",
                                  "traits.country",
                                  "context.traits.address.country",
                                  "context.traits.country"]},
             do: ["trim", "lower"]}]
};

# fb.1.<ms of the click>.<id>; the click is not later than the event
def fbc($url):
  .event.timestamp as $t
  | "fb.1.\(($t[0:19] + "Z" | fromdate) * 1000
            + ($t[20:23] | tonumber? // 0))."
    + ($url | split("fbclid=")[1] | split("&")[0] | split("#")[0]);

# The 16 places of extinfo; what is not known is "".
def app_data:
  def object: if type == "object" then . else {} end;
  (.event.context | .device |= object | .os |= object | .app |= object
   | .network |= object | .screen |= object) as $c
  | { advertiser_tracking_enabled:
      (if $c.device.adTrackingEnabled then 1 else 0 end),
    application_tracking_enabled: 1,
    extinfo: [
      (if $c.os.name == "iOS" or $c.device.type == "ios" then "i2"
       else "a2" end),
      ($c.app.namespace // "" | tostring), ($c.app.version // "" | tostring),
      ($c.app.build // "" | tostring), ($c.os.version // "" | tostring),
      ($c.device.model // "" | tostring), ($c.locale // "" | tostring),
      "", ($c.network.carrier // "" | tostring),
      ($c.screen.width // "" | tostring),
      ($c.screen.height // "" | tostring),
      ($c.screen.density // "" | tostring), "", "", "",
      ($c.timezone // "" | tostring)] };

def details: {
  content_name: {"@get": ["properties.name", "properties.title"]},
  content_category: {"@get": "properties.category"},
  order_id: {"@get": ["properties.order_id", "properties.orderId"]},
  search_string: {"@get": "properties.query"},
  predicted_ltv: {"@number": {"@get": "properties.predicted_ltv"}},
  status: {"@get": "properties.status"},
  num_items: {"@number": {"@get": "properties.num_items"}, as: "int"}
};

# Of a list a marker is made for each text: what is a number stays one.
def goods:
  [ .[] | if type != "object" then empty else
      (.product_id // .sku // .id) as $id
      | if $id == null then empty else
          { id: ($id | tostring),
            quantity: (.quantity // 1 | if type == "string"
                       then {"@number": ., as: "int"} else . end),
            item_price: (.price | if type == "string"
                         then {"@number": .} else . end) }
        end end ]
  | if . == [] then null else
      { content_ids: [.[].id], contents: ., content_type: "product",
        num_items: {"@number": {"@get": "properties.num_items",
                                else: length}, as: "int"} }
    end;

# The only product stands among the properties.
def good($id): {
  content_ids: [$id],
  contents: [
    { id: $id,
      quantity: {"@number": {"@get": "properties.quantity", else: 1},
                 as: "int"},
      item_price: {"@number": {"@get": "properties.price"}} }],
  content_type: "product",
  num_items: {"@number": {"@get": "properties.num_items", else: 1},
              as: "int"}
};

def records:
  .event as $e | .settings as $s | $e.properties as $p | $e.context as $c
  | (if $e.type == "track" then
       names[$e.event]?
       // (if $s.custom_events and ($e.event | type) == "string"
           then $e.event else null end)
     elif $e.type == "page" then "PageView"
     else null end) as $name
  | if .granted.advertising == false then drop("consent")
    elif $name == null then
      drop(if $e.type == "track" then "unmapped"
           else "unsupported_type" end)
    # one such event would fail all others of its request
    elif (.age // 604801) > 604800 then drop("too_old")
    else
      # a page and traits may be anything
      ($c.page.url? // $p.url
       | if type == "string" then . else null end) as $url
      # the web library of a dialect fills context.app, too: it has a page
      | ((if $p.action_source then sources[$p.action_source]?
          else null end)
         // (if $url == null and $c.app then "app"
             else $s.action_source end)) as $source
      | (if $name == "PageView" then null
         else $p.revenue // $p.value // $p.price // $p.total end) as $value
      | (if $value == null then null
         elif ($p.currency | type) == "string" and $p.currency != "" then
           {"@text": {"@get": "properties.currency"},
            do: ["trim", "upper"]}
         else $s.default_currency end) as $currency
      | if $source == "website" and $url == null then fail("no_page_url")
        elif $source == "website" and $c.userAgent == null then
          fail("no_user_agent")
        elif $name == "Purchase"
             and ($value | type != "number" and type != "string") then
          fail("no_value")
        elif $name == "Purchase" and $currency == null then
          fail("no_currency")
        else
          { event_name: $name,
            event_time: {"@time": {"@get": "timestamp"}, as: "s"},
            event_id: (if $p.event_id == null then {"@get": "messageId"}
                       else $p.event_id | if type == "string" then .
                            elif type == "number" then tostring
                            else $e.messageId end end),
            action_source: $source,
            event_source_url: $url,
            user_data: (client
              + (if $c.traits or $p.email or $p.phone or $e.traits
                 then person else null end)
              + ($e.traits.gender? // $c.traits.gender? // null
                 | if . then { ge: [{"@sha256": genders[tostring]}] }
                   else null end)
              + (if $url and ($url | contains("fbclid="))
                    and ($c.fbc // $p.fbc | not)
                 then {fbc: fbc($url)} else null end)),
            custom_data: (if $name == "PageView" then null else
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
                 elif $name == "Lead" or $name == "CompleteRegistration"
                 then null
                 else ($p.product_id // $p.sku // $p.id)
                   | if . then good(tostring) else null end end) end)
          }
          + (if $s.limited_data_use then
               { data_processing_options: ["LDU"],
                 data_processing_options_country: 0,
                 data_processing_options_state: 0 } else null end)
          + (if $source == "app" then {app_data: app_data} else null end)
          # measured, and not used to find more such people
          + (if .granted.personalization == false then {opt_out: true}
             else null end)
          + (if $s.test_event_code then {"@alone": true} else null end)
        end
    end;

. as $in | try records catch ($in | sane | records)
