# Flat on purpose: a call of a function costs jq 1.6 a microsecond, a marker
# two.  So what is a number already, or short, is not made one.

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
  @uri == . and .[0:1] >= "A" and (.[0:1] | . <= "Z" or . >= "a")
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
  if type == "string" then (if length > 100 then .[0:100] else . end)
  elif type == "object" or type == "array" then null
  else . end;

# parameters of a custom event, so many that there is room for ours
def own_params:
  . as $p
  | reduce ([keys_unsorted[]
             | if length > 40 or ($p[.] | scalar) == null
                  or (plain | not) or withheld[.]
                  or startswith("google_") or startswith("ga_")
                  or startswith("firebase_") then empty else . end]
            | .[0:20][]) as $k ({}; .[$k] = ($p[$k] | scalar));

def picked($list):
  . as $p | reduce $list[] as $k ({}; .[$k] = ($p[$k] | scalar));

def user_data:
  (trait("address") // {} | if type == "object" then . else {} end) as $a
  | (trait("firstName") // trait("first_name")) as $f
  | (trait("lastName") // trait("last_name")) as $l
  | { sha256_email_address:
        [{"@sha256": email, do: ["trim", "lower", "gmail_dots"]}],
      sha256_phone_number: [{"@sha256": phone, do: ["digits", "plus"]}],
      address: (if $f == null or $l == null then null else [{
        sha256_first_name: {"@sha256": $f, do: ["trim", "lower", "letters"]},
        sha256_last_name: {"@sha256": $l, do: ["trim", "lower", "letters"]},
        sha256_street: {"@sha256": $a.street, do: ["trim", "lower"]},
        city: $a.city, region: $a.state,
        postal_code: ($a.postalCode // $a.postal_code // $a.zip),
        country: $a.country }] end) };

def user_properties($list):
  . as $in
  | reduce $list[] as $k ({};
      ($in | trait($k) | scalar) as $v
      | if $v == null then . else
          .[$k] = {value: ($v | if type == "string" then .[0:36]
                                else . end)} end);

# what is of some events of commerce only
def more($kind; $p; $order):
  if $kind == "order" then
    { transaction_id: ($order | tostring),    # a number is not set in reports
      tax: ($p.tax | if type == "string" then {"@number": .} else . end),
      shipping: ($p.shipping | if type == "string" then {"@number": .}
                               else . end),
      affiliation: $p.affiliation }
  else
    { item_list_id: $p.list_id, item_list_name: ($p.list // $p.list_name),
      payment_type: $p.payment_method, shipping_tier: $p.shipping_method }
  end;

.event as $e | .settings as $s | ($e.properties // {}) as $p
| $e.context as $c
# what a sender calls a page may be anything
| ($c.page | if type == "object" then . else null end) as $page
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
| (if $kind == "order" then
     $p.order_id // $p.orderId
     | if type == "object" or type == "array" or . == "" then null else . end
   else 0 end) as $order
| (if $c.martech.consent then
     [granted("analytics"), granted("advertising"),
      granted("personalization")] else null end) as $granted
| (if $s.firebase_app_id then $c.app_instance_id // $p.app_instance_id
   else $c.ga_client_id // $e.anonymousId // .person end) as $client
| if $granted[0] == false then drop("consent")
  elif ($s.measurement_id // $s.firebase_app_id) == null then
    fail("no_stream")
  elif $name == "" then
    (if $known then drop("unsupported_type") else fail("no_event_name") end)
  elif ($known | not) and ($name | taken) then drop("reserved_name")
  elif ($known | not) and ($name | plain | not) then drop("invalid_name")
  elif $order == null then fail("no_order_id")
  elif $name == "purchase"
       and ($value | type != "number" and type != "string") then
    fail("no_value")
  elif $e.timestamp < (.now - 259200 | strftime("%Y-%m-%dT%H:%M:%S")) then
    drop("too_old")
  elif $client == null then drop("no_client_id")
  else
    { "@group": (
        # all that is of the person and not of the event
        { client_id: $client, user_id: $e.userId, ip: $c.ip,
          device: {language: $c.locale} }
        + (if $s.firebase_app_id then
             { client_id: null, app_instance_id: $client } else null end)
        + (if $granted then { consent: {
             ad_user_data: (if $granted[1] then "GRANTED" else "DENIED" end),
             ad_personalization:
               (if $granted[1] and $granted[2] then "GRANTED"
                else "DENIED" end) } } else null end)
        + (if $s.user_properties then
             { user_properties: user_properties($s.user_properties[0:25]) }
           else null end)
        # e-mail: all dots of a gmail address go, "+tag" stays.  The page of
        # this protocol says so; Google's newer helper cuts the tag, too.
        + (if $s.user_data and ($granted == null or $granted[1]) then
             { user_data: user_data } else null end)),
      name: $name,
      timestamp_micros: {"@time": $e.timestamp, as: "us"},
      params: (
        { page_location: ($p.url // $page.url
                          | if type != "string" then null
                            elif length > 1000 then .[0:1000] else . end),
          page_title: ($p.title // $page.title
                       | if type != "string" then null
                         elif length > 300 then .[0:300] else . end),
          page_referrer: ($p.referrer // $page.referrer
                          | if type != "string" then null
                            elif length > 420 then .[0:420] else . end),
          session_id: ($p.session_id // $c.sessionId),
          engagement_time_msec: ($p.engagement_time_msec // 1) }
        + (if $kind == "goods" or $kind == "order" or $kind == "list"
              or $kind == "lead" then
             { value: ($value | if type == "number" then .
                                elif type == "string" then {"@number": .}
                                else null end),
               currency: (if $value or $p.price then
                            $p.currency // $s.default_currency
                            | if type != "string" then $s.default_currency
                              elif . >= "a" then {"@text": ., do: "upper"}
                              else . end
                          else null end),
               coupon: ($p.coupon | if type == "string" then . else null end),
               # 200 at most; name and id of a form are no item
               items: [
                 ($p.products | if type == "array" then .[0:200][]
                                elif $kind == "lead" then empty
                                else $p end)
                 | if type != "object" then empty else
                     (.product_id // .sku // .id) as $id
                     | if $id == null and .name == null then empty else
                       { item_id: ($id | if type == "number" then tostring
                                         elif type == "string" then .
                                         else null end),
                         item_name: (.name | if type == "number"
                                             then tostring
                                             elif type != "string" then null
                                             elif length > 100
                                             then .[0:100]
                                             else . end),
                         item_brand: (.brand | if type == "string" then .
                                               else null end),
                         item_category: (.category
                                         | if type == "string" then .
                                           else null end),
                         item_variant: (.variant
                                        | if type == "string" then .
                                          elif type == "number"
                                          then tostring else null end),
                         coupon: (.coupon | if type == "string" then .
                                            else null end),
                         index: (.position | if type == "number" then .
                                             elif type == "string"
                                             then {"@number": .}
                                             else null end),
                         price: (.price | if type == "number" then .
                                          elif type == "string"
                                          then {"@number": .}
                                          else null end),
                         quantity: (.quantity | if type == "number" then .
                                                elif type == "string"
                                                then {"@number": .,
                                                      as: "int"}
                                                else null end) }
                       end end] }
             + (if $kind == "goods" or $kind == "lead" then null
                else more($kind; $p; $order) end)
           elif $kind == null then
             ($p | own_params)
           elif $kind == "page" then null
           elif $kind == "method" then
             { method: ($p.method // $p.share_via),
               content_type: $p.content_type, item_id: $p.product_id }
           elif $kind == "search" then {search_term: ($p.query | scalar)}
           elif $kind == "promotion" then
             { promotion_id: ($p.promotion_id // $p.id),
               promotion_name: $p.name, creative_name: $p.creative,
               creative_slot: $p.position }
           elif $kind == "group" then {group_id: $e.groupId}
           else {screen_name: ($e.name // $p.name)} end)
        + (if $s.params and $known then ($p | picked($s.params[0:10]))
           else null end)) }
  end
