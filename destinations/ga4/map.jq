# What is constant here costs jq nothing: the paths of "@get" are followed by
# the writer of records.  A step of jq is a tenth of a microsecond and more, so
# kinds of values are not asked one by one: a sum that begins with "" or 0
# fails unless all of it are texts, or numbers, or null.  What is odd is then
# looked at in detail.

# Names of docs/DESTINATIONS.md to the recommended events of GA4, and which
# parameters they have: an order, goods, a list of goods, a promotion, ...
def names: {
  "Products Searched": ["search", "search"],
  "Product List Viewed": ["view_item_list", "list"],
  "Product Clicked": ["select_item", "list"],
  "Product Viewed": ["view_item", "goods"],
  "Product Added": ["add_to_cart", "goods"],
  "Product Removed": ["remove_from_cart", "goods"],
  "Product Added to Wishlist": ["add_to_wishlist", "goods"],
  "Cart Viewed": ["view_cart", "goods"],
  "Checkout Started": ["begin_checkout", "goods"],
  "Checkout Step Completed": ["add_shipping_info", "list"],
  "Payment Info Entered": ["add_payment_info", "list"],
  "Order Completed": ["purchase", "order"],
  "Order Refunded": ["refund", "order"],
  "Promotion Viewed": ["view_promotion", "promotion"],
  "Promotion Clicked": ["select_promotion", "promotion"],
  "Signed Up": ["sign_up", "method"], "Signed In": ["login", "method"],
  "Product Shared": ["share", "method"], "Cart Shared": ["share", "method"],
  "Lead Generated": ["generate_lead", "lead"],
  "Form Submitted": ["generate_lead", "lead"]
};

def reserved: {
  "ad_activeview": 1, "ad_click": 1, "ad_exposure": 1, "ad_impression": 1,
  "ad_query": 1, "adunit_exposure": 1, "app_clear_data": 1, "app_install": 1,
  "app_update": 1, "app_remove": 1, "error": 1, "first_open": 1,
  "first_visit": 1, "in_app_purchase": 1, "notification_dismiss": 1,
  "notification_foreground": 1, "notification_open": 1,
  "notification_receive": 1, "os_update": 1, "screen_view": 1,
  "session_start": 1, "user_engagement": 1
};

# properties of custom events that are no parameters: reserved, personal (the
# terms of the vendor forbid these), or of the page and sent as such
def withheld: {
  "firebase_conversion": 1, "email": 1, "phone": 1, "firstName": 1,
  "first_name": 1, "lastName": 1, "last_name": 1, "address": 1,
  "url": 1, "title": 1, "referrer": 1
};

# letters, digits and "_", a letter first: @uri leaves just these and some marks
def plain:
  @uri == . and (. >= "a" and . < "{" or . >= "A" and . < "[")
  and (contains("-") or contains(".") or contains("~") or contains("!")
       or contains("*") or contains("'") or contains("(") or contains(")")
       | not);

def own_name:
  (if contains(" ") then [split(" ")[] | select(. != "")] | join("_")
   else . end)
  | if length > 40 then .[0:40] else . end;

def taken:
  reserved[.] or startswith("_") or startswith("ga_")
  or startswith("google_") or startswith("firebase_") or startswith("gtag.");

# what is no text, number or boolean would be refused; a long text is cut
def scalar:
  if . < "" then . elif . >= [] then null
  elif length > 100 then .[0:100] else . end;

# parameters of a custom event, so many that there is room for ours
def own_params:
  . as $p
  | reduce ([keys_unsorted[]
             | if length > 40 or ($p[.] | . == null or . >= [])
                  or withheld[.] or (plain | not)
                  or . >= "f" and . < "h"
                     and (startswith("google_") or startswith("ga_")
                          or startswith("firebase_")) then empty else . end]
            | if length > 20 then .[0:20] else . end | .[])
      as $k ({}; . + {($k): ($p[$k] | scalar)});

def picked($list):
  . as $p | reduce $list[] as $k ({}; . + {($k): ($p[$k] | scalar)});

def user_data:
  (trait("firstName") // trait("first_name")) as $f
  | (trait("lastName") // trait("last_name")) as $l
  | { sha256_email_address: [{"@sha256": {"@get": ["traits.email",
        "context.traits.email", "properties.email"]},
        do: ["trim", "lower", "gmail_dots"]}],
      sha256_phone_number: [{"@sha256": {"@get": ["traits.phone",
        "context.traits.phone", "properties.phone"]},
        do: ["digits", "plus"]}] }
    + if $f == null or $l == null then null else
        (trait("address") | if type == "object" then . else {} end)
        | { address: [{
              sha256_first_name: {"@sha256": $f,
                                  do: ["trim", "lower", "letters"]},
              sha256_last_name: {"@sha256": $l,
                                 do: ["trim", "lower", "letters"]},
              sha256_street: {"@sha256": .street, do: ["trim", "lower"]},
              city: .city, region: .state,
              postal_code: (.postalCode // .postal_code // .zip),
              country: .country }] } end;

def user_properties($list):
  . as $in
  | reduce $list[] as $k ({};
      ($in | trait($k) | scalar) as $v
      | if $v == null then . else
          . + {($k): {value: ($v | if type == "string" then .[0:36]
                                   else . end)}} end);

# all that is of the person and not of the event; null without an id
def person:
  if .settings.firebase_app_id then
    if .event | .context.app_instance_id // .properties.app_instance_id then
      { app_instance_id: {"@get": ["context.app_instance_id",
                                   "properties.app_instance_id"]},
        user_id: {"@get": "userId"}, ip: {"@get": "context.ip"},
        device: {language: {"@get": "context.locale"}} }
    else null end
  elif .event.context.ga_client_id then
    { client_id: {"@get": "context.ga_client_id"},
      user_id: {"@get": "userId"}, ip: {"@get": "context.ip"},
      device: {language: {"@get": "context.locale"}} }
  elif .event.anonymousId then
    { client_id: {"@get": "anonymousId"},
      user_id: {"@get": "userId"}, ip: {"@get": "context.ip"},
      device: {language: {"@get": "context.locale"}} }
  elif .person then
    { client_id: .person } +
    { user_id: {"@get": "userId"}, ip: {"@get": "context.ip"},
      device: {language: {"@get": "context.locale"}} }
  else null end;

# and what of it most events have not
def more_of_person:
  (if .event.context.martech.consent then .granted // {} else null end)
    as $granted
  | (if $granted then { consent: {
       ad_user_data: (if $granted.advertising then "GRANTED"
                      else "DENIED" end),
       ad_personalization:
         (if $granted.advertising and $granted.personalization
          then "GRANTED" else "DENIED" end) } } else null end)
    + (if .settings.user_properties then
         { user_properties: user_properties(.settings.user_properties[0:25]) }
       else null end)
    # e-mail: all dots of a gmail address go, "+tag" stays.  The page of this
    # protocol says so; Google's newer helper cuts the tag, too.
    + (if .settings.user_data and ($granted == null or $granted.advertising)
       then { user_data: user_data } else null end);

def text: if type == "string" then . else null end;

def text_or_number: if type == "number" then tostring else text end;

def number:
  if type == "number" then .
  elif type == "string" then {"@number": .} else null end;

# what a sender calls a page may be anything
def odd_page($p):
  (if type == "object" then . else {} end)
  | { page_location: {"@text": ($p.url // .url | text), do: "cut:1000"},
      page_title: {"@text": ($p.title // .title | text), do: "cut:300"},
      page_referrer: {"@text": ($p.referrer // .referrer | text),
                      do: "cut:420"} };

# an item in detail, or nothing
def odd_item:
  if type != "object" then empty else
    (.product_id // .sku // .id) as $id
    | if $id == null and .name == null then empty else
        { item_id: ($id | text_or_number),
          item_name: {"@text": (.name | text_or_number), do: "cut:100"},
          item_brand: (.brand | text), item_category: (.category | text),
          item_variant: (.variant | text_or_number),
          coupon: (.coupon | text), index: (.position | number),
          price: (.price | number),
          quantity: (.quantity | if type == "string"
                                 then {"@number": ., as: "int"}
                                 else number end) } end end;

# 200 at most
def items:
  (if length > 200 then .[0:200] else . end)
  | try
      [ .[]
        | (.product_id // .sku // .id) as $id
        | if ("" + $id + .name + .brand + .category + .variant + .coupon
              | length) > 100
             or 0 + .price + .quantity + .position >= "" then odd_item
          elif $id or .name then
            { item_id: $id, item_name: .name, item_brand: .brand,
              item_category: .category, item_variant: .variant,
              coupon: .coupon, index: .position, price: .price,
              quantity: .quantity }
          else empty end ]
    catch null // [ .[] | odd_item ];

# the only product stands among the properties
def only_item:
  try
    (if ("" + .product_id + .sku + .id + .name + .brand + .category
         + .variant + .coupon | length) > 100
        or 0 + .price + .quantity + .position >= "" then null
     elif .product_id or .sku or .id or .name then
       [{ item_id: {"@get": ["properties.product_id", "properties.sku",
                             "properties.id"]},
          item_name: {"@get": "properties.name"},
          item_brand: {"@get": "properties.brand"},
          item_category: {"@get": "properties.category"},
          item_variant: {"@get": "properties.variant"},
          coupon: {"@get": "properties.coupon"},
          index: {"@get": "properties.position"},
          price: {"@get": "properties.price"},
          quantity: {"@get": "properties.quantity"} }]
     else [] end)
  catch null // [odd_item];

# what all events of commerce have, and what those of a kind have
def commerce($kind; $p; $value; $default):
  { order: {
      transaction_id: {"@text": {"@get": ["properties.order_id",
                                          "properties.orderId"]}},
      tax: {"@number": {"@get": "properties.tax"}},
      shipping: {"@number": {"@get": "properties.shipping"}},
      affiliation: {"@get": "properties.affiliation"} },
    list: {
      item_list_id: {"@get": "properties.list_id"},
      item_list_name: {"@get": ["properties.list", "properties.list_name"]},
      payment_type: {"@get": "properties.payment_method"},
      shipping_tier: {"@get": "properties.shipping_method"} } }[$kind]
  + { value: ($value | number),
      coupon: ($p.coupon | text),
      currency: (if $value or $p.price then
                   $p.currency // $default
                   | if . >= "A" and . < "a" then .
                     elif type != "string" then $default
                     else {"@text": ., do: "upper"} end
                 else null end),
      # name and id of a form are no item
      items: (if $p.products | type == "array" then $p.products | items
              elif $kind == "lead" then null
              else $p | only_item end) };

# parameters of the other kinds
def params: {
  "method": {
    method: {"@get": ["properties.method", "properties.share_via"]},
    content_type: {"@get": "properties.content_type"},
    item_id: {"@get": "properties.product_id"} },
  "search": {
    search_term: {"@text": {"@get": "properties.query"}, do: "cut:100"} },
  "promotion": {
    promotion_id: {"@get": ["properties.promotion_id", "properties.id"]},
    promotion_name: {"@get": "properties.name"},
    creative_name: {"@get": "properties.creative"},
    creative_slot: {"@get": "properties.position"} },
  "group": { group_id: {"@get": "groupId"} },
  "screen": { screen_name: {"@get": ["name", "properties.name"]} }
};

def records:
.event as $e | .settings as $s | ($e.properties // {}) as $p
| $e.context as $c
| (if $e.type == "track" then names[$e.event // ""]
   elif $e.type == "page" then ["page_view", "page"]
   elif $e.type == "screen" then ["view_screen", "screen"]  # the usual name
   elif $e.type == "group" then ["join_group", "group"]     # is reserved
   elif $e.type == "identify" and $s.identify_event then
     [$s.identify_event, "page"]
   else ["", null] end) as $known
| (if $known then $known[0] else ($e.event // "" | own_name) end) as $name
| $known[1] as $kind
| ($p.total // $p.value // $p.revenue) as $value
| person as $person
| if .granted and .granted.analytics == false then drop("consent")
  elif ($s.measurement_id or $s.firebase_app_id) | not then fail("no_stream")
  elif $name == "" then
    (if $known then drop("unsupported_type") else fail("no_event_name") end)
  elif $known == null and ($name | taken) then drop("reserved_name")
  elif $known == null and ($name | plain | not) then drop("invalid_name")
  elif $kind == "order"
       and ($p.order_id // $p.orderId
            | . == null or . == "" or . >= []) then fail("no_order_id")
  elif $name == "purchase"
       and ($value | type != "number" and type != "string") then
    fail("no_value")
  # without a time, too
  elif (.age // 259201) > 259200 then drop("too_old")
  elif $person == null then drop("no_client_id")
  else
    { "@group": (if $c.martech.consent or $s.user_data or $s.user_properties
                 then $person + more_of_person else $person end),
      name: $name,
      timestamp_micros: {"@time": {"@get": "timestamp"}, as: "us"},
      params: (
        { page_location: {"@text": {"@get": ["properties.url",
            "context.page.url"]}, do: "cut:1000"},
          page_title: {"@text": {"@get": ["properties.title",
            "context.page.title"]}, do: "cut:300"},
          page_referrer: {"@text": {"@get": ["properties.referrer",
            "context.page.referrer"]}, do: "cut:420"},
          session_id: {"@get": ["properties.session_id",
                                "context.sessionId"]},
          engagement_time_msec: {"@get": "properties.engagement_time_msec",
                                 else: 1} }
        + (try ($c.page | if $p.url or $p.title or $p.referrer
                             or "" + .url + .title + .referrer < ""
                          then odd_page($p) else null end)
           catch ($c.page | odd_page($p)))
        + (if $kind == null then ($p | own_params)
           else params[$kind]
                // (if $kind == "page" then null
                    else commerce($kind; $p; $value; $s.default_currency)
                    end) end)
        + (if $s.params and $known then ($p | picked($s.params[0:10]))
           else null end)) }
  end;

# A member that is not what it should be is left out, not the event.
. as $in
| try records
  catch ($in | sane | .event.event |= (strings // null) | records)
