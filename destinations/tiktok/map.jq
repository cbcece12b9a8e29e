# Flat on purpose: a call of a function costs jq 1.6 a microsecond, a marker
# two.  So what is a number already is not made one.

def names: {
  "Products Searched": "Search", "Product List Viewed": "ViewContent",
  "Product Clicked": "ClickButton", "Product Viewed": "ViewContent",
  "Product Added": "AddToCart", "Product Added to Wishlist": "AddToWishlist",
  "Checkout Started": "InitiateCheckout",
  "Payment Info Entered": "AddPaymentInfo", "Order Placed": "PlaceAnOrder",
  "Signed Up": "CompleteRegistration", "Subscription Created": "Subscribe",
  "Trial Started": "StartTrial"
};

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
| (if $e.type == "track" then
     names[$e.event // ""]
     // (if $e.event == "Order Completed" then $s.order_completed
         elif $e.event == "Lead Generated" or $e.event == "Form Submitted"
         then $s.lead
         elif $s.custom_events then $e.event
         else null end)
   elif $e.type == "page" then $s.page_view
   else null end) as $name
| ($page.url // $p.url | if type == "string" then . else null end) as $url
| ($p.value // $p.revenue // $p.total // $p.price) as $value
| ($p.currency // $s.default_currency
   | if type == "string" and . != "" then . else $s.default_currency end)
  as $currency
| (if $c.martech.consent == null then [] else
     [granted("advertising"), granted("personalization")] end) as $granted
| if $granted[0] == false then drop("consent")
  elif $name == null then
    drop(if $e.type == "track" then "unmapped" else "unsupported_type" end)
  elif $e.timestamp < (.now - 604800 | strftime("%Y-%m-%dT%H:%M:%S")) then
    drop("too_old")
  elif $e.event == "Order Completed"
       and ($value | type != "number" and type != "string") then
    fail("no_value")
  elif $currency == null and $e.event == "Order Completed" then
    fail("no_currency")
  else
    { "@alone": (if $s.test_event_code then true else null end),
      event: $name,
      event_time: {"@time": $e.timestamp, as: "s"},
      event_id: ($p.event_id | if type == "string" then .
                               elif type == "number" then tostring
                               else $e.messageId end),
      limited_data_use: (if $s.limited_data_use or $granted[1] == false
                         then true else null end),
      page: { url: $url, referrer: ($page.referrer // $p.referrer) },
      user: ({
        # the parameter of the address is newer than what was stored
        ttclid: (if $url != null and ($url | contains("ttclid="))
                 then {"@query": $url, name: "ttclid"}
                 else $c.ttclid // $p.ttclid end),
        ttp: ($c.ttp // $p.ttp),
        ip: $c.ip,
        user_agent: $c.userAgent,
        locale: $c.locale,
        # trimmed, as the vendor says; others lower-case it as well, which
        # would not match what a pixel has hashed
        external_id: [{"@sha256": $e.userId, do: ["trim"]},
                      {"@sha256": $e.anonymousId, do: ["trim"]}]
      } + (if ($c.device | type) != "object" then {} else
        (if $c.device.type == "ios"
            or ($c.os | type == "object" and .name == "iOS") then
           { idfa: $c.device.advertisingId, idfv: $c.device.id,
             att_status: $c.device.attStatus }
         else { gaid: $c.device.advertisingId } end) end)
        + (if $t == {} and ($p.email // $p.phone) == null then {} else
        ($t.address | if type == "object" then . else {} end) as $a
        | { email: {"@sha256": ($t.email // $p.email),
                    do: ["trim", "lower"]},
            phone: {"@sha256": ($t.phone // $p.phone),
                    do: ["digits", "plus", "cut:15"]},
            first_name: {"@sha256": ($t.firstName // $t.first_name),
                         do: ["lower", "nospace"]},
            last_name: {"@sha256": ($t.lastName // $t.last_name),
                        do: ["lower", "nospace"]},
            # these three are plain
            city: {"@text": ($a.city // $t.city), do: ["lower", "alnum"]},
            state: {"@text": ($a.state // $t.state),
                    do: ["lower", "alnum"]},
            country: {"@text": ($a.country // $t.country),
                      do: ["trim", "lower"]},
            zip_code: {"@sha256": ($a.postalCode // $a.postal_code
                                   // $a.zip),
                       do: ["lower", "nospace"]} } end)),
      properties: (if $e.type == "page" then null else
        # the id of a form or an account is no product
        [ ($p.products | if type == "array" then .[]
                         elif $name == $s.lead
                              or $name == "CompleteRegistration" then empty
                         else $p end)
          | if type == "object"
               and (.product_id // .sku // .id) != null then . else empty end
        ] as $goods
        | { contents: [$goods[]
              | { content_id: (.product_id // .sku // .id | tostring),
                  content_name: .name, content_category: .category,
                  brand: .brand, price: (.price | if type == "string"
                                  then {"@number": .} else . end),
                  quantity: (.quantity // 1 | if type == "string"
                    then {"@number": ., as: "int"} else . end) }],
            content_type: (if $goods == [] then null else "product" end),
            value: ($value | if type == "number" then .
                             elif type == "string" then {"@number": .}
                             else null end),
            # one of about sixty codes, a list that is not published in one
            # place: what is not among them is refused by the vendor
            currency: (if $value == null then null
                       elif upper[$currency // ""] then $currency else
                         {"@text": $currency, do: ["trim", "upper"]} end),
            order_id: ($p.order_id // $p.orderId),
            shop_id: $p.shop_id,
            query: $p.query,
            description: $p.description,
            num_items: ($p.num_items | if type == "string"
                        then {"@number": ., as: "int"} else . end) } end),
      lead: (if $p.lead_id then
               { lead_id: $p.lead_id,
                 lead_event_source: $p.lead_event_source }
             else null end)
    }
  end
