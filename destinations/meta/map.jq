# Flat on purpose: a call of a function costs jq 1.6 a microsecond, a marker
# two.  So what is a number already is not made one.

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
  "website": 1, "app": 1, "email": 1, "phone_call": 1, "chat": 1,
  "physical_store": 1, "system_generated": 1, "business_messaging": 1,
  "other": 1
};

def genders: {
  "m": "m", "f": "f", "M": "m", "F": "f", "male": "m", "female": "f",
  "Male": "m", "Female": "f"
};

# The 16 places of extinfo; what is not known is "".
def app_data($context):
  def object: if type == "object" then . else {} end;
  ($context | .device |= object | .os |= object | .app |= object
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

# fb.1.<ms of the click>.<id>; the click is not later than the event
def fbc($url):
  .event.timestamp as $t
  | "fb.1.\(($t[0:19] + "Z" | fromdate) * 1000
            + ($t[20:23] | tonumber? // 0))."
    + ($url | split("fbclid=")[1] | split("&")[0] | split("#")[0]);

# codes that need no second look
def upper: {
  "USD": 1, "EUR": 1, "GBP": 1, "JPY": 1, "CHF": 1, "CAD": 1, "AUD": 1,
  "CNY": 1, "INR": 1, "BRL": 1, "MXN": 1, "SEK": 1, "NOK": 1, "DKK": 1,
  "PLN": 1, "CZK": 1, "TRY": 1, "KRW": 1, "SGD": 1, "NZD": 1, "ZAR": 1
};

.event as $e | .settings as $s | ($e.properties // {}) as $p
| $e.context as $c
# what a sender calls a page, a device, traits may be anything
| ($c.page | if type == "object" then . else null end) as $page
| ($e.traits // $c.traits | if type == "object" then . else {} end) as $t
| ($t.address | if type == "object" then . else {} end) as $a
| (if $e.type == "track" then
     names[$e.event // ""]
     // (if $s.custom_events then $e.event else null end)
   elif $e.type == "page" then "PageView"
   else null end) as $name
| ($page.url // $p.url | if type == "string" then . else null end) as $url
# the web library of a dialect fills context.app, too: it has a page as well
| (if $p.action_source and sources[$p.action_source | tostring]
   then $p.action_source
   elif $c.app and $url == null then "app"
   else $s.action_source end) as $source
| ($p.revenue // $p.value // $p.price // $p.total) as $value
| ($p.currency // $s.default_currency
   | if type == "string" and . != "" then . else $s.default_currency end)
  as $currency
| (if $c.martech.consent == null then [] else
     [granted("advertising"), granted("personalization")] end) as $granted
| if $granted[0] == false then drop("consent")
  elif $name == null then
    drop(if $e.type == "track" then "unmapped" else "unsupported_type" end)
  # one such event would fail all others of its request
  elif $e.timestamp < (.now - 604800 | strftime("%Y-%m-%dT%H:%M:%S")) then
    drop("too_old")
  elif $source == "website" and $url == null then fail("no_page_url")
  elif $source == "website" and $c.userAgent == null then
    fail("no_user_agent")
  elif $name == "Purchase"
       and ($value | type != "number" and type != "string") then
    fail("no_value")
  elif $name == "Purchase" and $currency == null then fail("no_currency")
  else
    { "@alone": (if $s.test_event_code then true else null end),
      event_name: $name,
      event_time: {"@time": $e.timestamp, as: "s"},
      event_id: ($p.event_id | if type == "string" then .
                               elif type == "number" then tostring
                               else $e.messageId end),
      action_source: $source,
      event_source_url: $url,
      # measured, and not used to find more such people
      opt_out: (if $granted[1] == false then true else null end),
      data_processing_options:
        (if $s.limited_data_use then ["LDU"] else null end),
      data_processing_options_country:
        (if $s.limited_data_use then 0 else null end),
      data_processing_options_state:
        (if $s.limited_data_use then 0 else null end),
      app_data: (if $source == "app" then app_data($c) else null end),
      user_data: ({
        external_id: [{"@sha256": $e.userId, do: ["trim", "lower"]},
                      {"@sha256": $e.anonymousId, do: ["trim", "lower"]}],
        client_ip_address: $c.ip,
        client_user_agent: $c.userAgent,
        fbc: ($c.fbc // $p.fbc
              // (if $url != null and ($url | contains("fbclid="))
                  then fbc($url) else null end)),
        fbp: ($c.fbp // $p.fbp),
        madid: ($c.device | if type == "object" then .advertisingId
                            else null end),
        lead_id: ($p.lead_id | if type == "string"
                  then {"@number": ., as: "int"} else . end),
        subscription_id: $p.subscription_id
      } + (if $t == {} and ($p.email // $p.phone) == null then {} else {
          em: [{"@sha256": ($t.email // $p.email), do: ["trim", "lower"]}],
          ph: [{"@sha256": ($t.phone // $p.phone),
                do: ["digits", "nozeros"]}],
          fn: [{"@sha256": ($t.firstName // $t.first_name),
                do: ["trim", "lower", "words"]}],
          ln: [{"@sha256": ($t.lastName // $t.last_name),
                do: ["trim", "lower", "words"]}],
          ge: [{"@sha256": genders[$t.gender // "" | tostring]}],
          db: [{"@sha256": ($t.birthday // $t.birth_date),
                do: ["digits", "cut:8"]}],
          ct: [{"@sha256": ($a.city // $t.city), do: ["lower", "letters"]}],
          st: [{"@sha256": ($a.state // $t.state), do: ["lower", "letters"]}],
          zp: [{"@sha256": ($a.postalCode // $a.postal_code // $a.zip),
                do: ["lower", "nospace", "before:-"]}],
          country: [{"@sha256": ($a.country // $t.country),
                     do: ["trim", "lower"]}]
        } end)),
      custom_data: (if $name == "PageView" then null else
        # the id of a form or an account is no product
        [ ($p.products | if type == "array" then .[]
                         elif $name == "Lead"
                              or $name == "CompleteRegistration" then empty
                         else $p end)
          | if type != "object" then empty else
              (.product_id // .sku // .id) as $id
              | if $id == null then empty else
                  { id: ($id | tostring),
                    quantity: (.quantity // 1 | if type == "string"
                               then {"@number": ., as: "int"} else . end),
                    item_price: (.price | if type == "string"
                                 then {"@number": .} else . end) }
                end end ] as $goods
        | { value: ($value | if type == "number" then .
                             elif type == "string" then {"@number": .}
                             else null end),
            currency: (if $value == null then null
                       elif upper[$currency // ""] then $currency else
                         {"@text": $currency, do: ["trim", "upper"]} end),
            content_ids: [$goods[].id],
            contents: $goods,
            content_type: (if $goods == [] then null else "product" end),
            content_name: ($p.name // $p.title),
            content_category: $p.category,
            num_items: (if $p.num_items then
                          {"@number": $p.num_items, as: "int"}
                        else ($goods | length
                              | if . == 0 then null else . end) end),
            order_id: ($p.order_id // $p.orderId),
            search_string: $p.query,
            predicted_ltv: ($p.predicted_ltv | if type == "string"
                            then {"@number": .} else . end),
            status: $p.status } end)
    }
  end
