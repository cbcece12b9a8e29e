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

# those of other types; the usual name of a screen is reserved
def types: {
  "page": ["page_view", "page"], "screen": ["view_screen", "screen"],
  "group": ["join_group", "group"]
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

# what @uri leaves as it is, beside letters, digits and "_"
def marked:
  contains("-") or contains(".") or contains("~") or contains("!")
  or contains("*") or contains("'") or contains("(") or contains(")");

# letters, digits and "_", a letter first; but for marks
def plain: @uri == . and (. >= "a" and . < "{" or . >= "A" and . < "[");

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
  | keys_unsorted
  | (@tsv | marked) as $marked       # seldom, so all are asked at once
  | [ .[]
      | if withheld[.] or length > 40 or ($p[.] | . == null or . >= [])
           or (plain | not) or $marked and marked
           or . >= "f" and . < "h"
              and (startswith("google_") or startswith("ga_")
                   or startswith("firebase_")) then empty else . end ]
  | reduce (if length > 20 then .[0:20] else . end | .[]) as $k
      ({}; . + {($k): ($p[$k] | scalar)});

def picked($list):
  . as $p | reduce $list[] as $k ({}; . + {($k): ($p[$k] | scalar)});

# trait() may be empty, and all around it would be
def any_trait($a; $b): trait($a) // trait($b) // null;

def user_data:
  { sha256_email_address: [{"@sha256": {"@get": ["traits.email",
      "context.traits.email", "properties.email"]},
      do: ["trim", "lower", "gmail_dots"]}],
    sha256_phone_number: [{"@sha256": {"@get": ["traits.phone",
      "context.traits.phone", "properties.phone"]},
      do: ["digits", "plus"]}] }
  + (if any_trait("firstName"; "first_name")
        and any_trait("lastName"; "last_name") then
       any_trait("address"; "address") as $a
       | { address: [
             { sha256_first_name: {"@sha256": {"@get": ["traits.firstName",
                 "context.traits.firstName", "properties.firstName",
                 "traits.first_name", "context.traits.first_name",
                 "properties.first_name"]},
                 do: ["trim", "lower", "letters"]},
               sha256_last_name: {"@sha256": {"@get": ["traits.lastName",
                 "context.traits.lastName", "properties.lastName",
                 "traits.last_name", "context.traits.last_name",
                 "properties.last_name"]},
                 do: ["trim", "lower", "letters"]} }
             + (if $a | type != "object" then null else
                  { sha256_street: {"@sha256": $a.street,
                                    do: ["trim", "lower"]},
                    city: $a.city, region: $a.state,
                    postal_code: ($a.postalCode // $a.postal_code // $a.zip),
                    country: $a.country } end)] }
     else null end);

def user_properties($list):
  . as $in
  | reduce $list[] as $k ({};
      . + {($k): {value: ($in | [trait($k)][0] | scalar
                          | if . >= "" and length > 36 then .[0:36]
                            else . end)}});

# what is of the person, of some persons only
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

# fails with a page that is odd
def texts: "" + .url + .title + .referrer;

def page: {
  page_location: {"@text": {"@get": ["properties.url", "context.page.url"]},
                  do: "cut:1000"},
  page_title: {"@text": {"@get": ["properties.title",
                                  "context.page.title"]}, do: "cut:300"},
  page_referrer: {"@text": {"@get": ["properties.referrer",
                                     "context.page.referrer"]},
                  do: "cut:420"},
  session_id: {"@get": ["properties.session_id", "context.sessionId"]},
  engagement_time_msec: {"@get": "properties.engagement_time_msec", else: 1}
};

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

# the same, which fails with one that is odd
def item:
  (.product_id // .sku // .id) as $id
  | if 0 + .quantity + .position
       and ("" + $id + .name + .brand + .category + .variant + .coupon
            | length) > 100 then odd_item
    elif $id or .name then
      { item_id: $id, item_name: .name, item_brand: .brand,
        item_category: .category, item_variant: .variant, coupon: .coupon,
        index: .position, price: {"@number": .price}, quantity: .quantity }
    else empty end;

# 200 at most
def items:
  [ (if length > 200 then .[0:200] else . end | .[])
    | . as $item | try item catch ($item | odd_item) ];

# what commerce of a kind has, beside what all of it has
def commerce_params: {
  "order": {
    transaction_id: {"@text": {"@get": ["properties.order_id",
                                        "properties.orderId"]}},
    tax: {"@number": {"@get": "properties.tax"}},
    shipping: {"@number": {"@get": "properties.shipping"}},
    affiliation: {"@get": "properties.affiliation"} },
  "list": {
    item_list_id: {"@get": "properties.list_id"},
    item_list_name: {"@get": ["properties.list", "properties.list_name"]},
    payment_type: {"@get": "properties.payment_method"},
    shipping_tier: {"@get": "properties.shipping_method"} }
};

# the only product stands among the properties, and is not odd
def only_item:
  [{ item_id: {"@text": {"@get": ["properties.product_id", "properties.sku",
                                  "properties.id"]}},
     item_name: {"@text": {"@get": "properties.name"}, do: "cut:100"},
     item_brand: {"@text": {"@get": "properties.brand"}},
     item_category: {"@text": {"@get": "properties.category"}},
     item_variant: {"@text": {"@get": "properties.variant"}},
     coupon: {"@text": {"@get": "properties.coupon"}},
     index: {"@number": {"@get": "properties.position"}},
     price: {"@number": {"@get": "properties.price"}},
     quantity: {"@get": "properties.quantity"} }];

def commerce($kind; $default):
  . as $p
  | (.total // .value // .revenue) as $value
  | commerce_params[$kind]
    + { value: {"@number": $value},
        currency: (if $value or .price then
                     .currency
                     | if . >= "A" and . < [] then
                         {"@text": {"@get": "properties.currency"},
                          do: "upper"}
                       else $default end
                   else null end),
        coupon: (if .coupon then .coupon | text else null end),
        items: (if .products | type == "array" then .products | items
                # name and id of a form are no item
                elif $kind == "lead" then null
                elif .product_id or .sku or .id or .name then
                  try (if 0 + .quantity
                          and "" + .product_id + .sku + .id + .name + .brand
                              + .category + .variant + .coupon
                       then only_item else null end)
                  catch ($p | [odd_item])
                else null end) };

# parameters of the other kinds
def params: {
  "page": {},
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

def no_value:
  .total // .value // .revenue | type != "number" and type != "string";

# why an order, or an event of a name of its own, is not sent; null: it is
def refused_order($name):
  if (if .order_id == null then .orderId else .order_id end)
     | . == null or . == false or . == "" or . >= [] then fail("no_order_id")
  elif $name == "purchase" and no_value then fail("no_value")
  else null end;

def refused_name($name):
  if $name == "" then fail("no_event_name")
  elif $name | taken then drop("reserved_name")
  elif $name | (plain | not) or marked then drop("invalid_name")
  elif $name == "purchase" and no_value then fail("no_value")
  else null end;

def records:
.event as $e | .settings as $s | ($e.properties // {}) as $p
| $e.context as $c
| (if $e.type == "track" then names[$e.event]
   elif $e.type == "identify" and $s.identify_event then
     # a purchase needs all that an order needs
     [$s.identify_event,
      if $s.identify_event == "purchase" then "order" else "page" end]
   else types[$e.type] // ["", null] end) as $known
| (if $known then $known[0] else ($e.event | own_name) end) as $name
| $known[1] as $kind
| (if $kind then
     if $kind == "order" then $p | refused_order($name) else null end
   elif $known then drop("unsupported_type")
   else $p | refused_name($name) end) as $refused
| (if $s.firebase_app_id then
     if $c.app_instance_id // $p.app_instance_id then
       { app_instance_id: {"@get": ["context.app_instance_id",
                                    "properties.app_instance_id"]},
         user_id: {"@get": "userId"}, ip: {"@get": "context.ip"},
         device: {language: {"@get": "context.locale"}} }
     else null end
   elif $c.ga_client_id then
     { client_id: {"@get": "context.ga_client_id"},
       user_id: {"@get": "userId"}, ip: {"@get": "context.ip"},
       device: {language: {"@get": "context.locale"}} }
   elif $e.anonymousId then
     { client_id: {"@get": "anonymousId"},
       user_id: {"@get": "userId"}, ip: {"@get": "context.ip"},
       device: {language: {"@get": "context.locale"}} }
   elif .person then
     { client_id: .person, user_id: $e.userId, ip: $c.ip,
       device: {language: $c.locale} }
   else null end) as $person
| if .granted and .granted.analytics == false then drop("consent")
  elif ($s.measurement_id or $s.firebase_app_id) | not then fail("no_stream")
  elif $refused then $refused
  elif .age > 259200 then drop("too_old")
  elif $person | not then drop("no_client_id")
  else
    { "@group": (if $c.martech.consent or $s.user_data or $s.user_properties
                 then $person + more_of_person else $person end),
      name: $name,
      timestamp_micros: {"@time": {"@get": "timestamp"}, as: "us"},
      params: (
        (try (($p | texts) as $a | ($c.page | texts) as $b | page)
         catch (page + ($c.page | odd_page($p))))
        + (if $known then params[$kind]
                          // ($p | commerce($kind; $s.default_currency))
           else $p | own_params end)
        | if $s.params and $known then . + ($p | picked($s.params[0:10]))
          else . end) }
  end;

# A member that is not what it should be is left out, not the event.
. as $in
| try records
  catch ($in | sane | .event.event |= (strings // "") | records)
