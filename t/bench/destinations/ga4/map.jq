# A record in the manner of the GA4 Measurement Protocol: identity, time in
# microseconds, the vendor's own names for events of commerce and others in
# its alphabet, parameters from properties and page, items from products.
# Members without a value stay null.

def names:
  {
    "Products Searched": "search",
    "Product List Viewed": "view_item_list",
    "Product Viewed": "view_item",
    "Product Added": "add_to_cart",
    "Product Removed": "remove_from_cart",
    "Cart Viewed": "view_cart",
    "Checkout Started": "begin_checkout",
    "Payment Info Entered": "add_payment_info",
    "Order Completed": "purchase",
    "Order Refunded": "refund",
    "Signed Up": "sign_up",
    "Signed In": "login"
  };

def event_name:
  if .type == "page" then "page_view"
  elif .type == "screen" then "screen_view"
  elif .type != "track" then .type
  else
    names[.event] // (.event | ascii_downcase | split(" ") | join("_"))[0:40]
  end;

.settings.measurement_id as $stream
| .event
| (.properties // {}) as $p
| (.context // {}) as $c
| {
    client_id: (.anonymousId // .userId),
    user_id: .userId,
    timestamp_micros: ((.timestamp[0:19] + "Z" | fromdateiso8601) * 1000000),
    consent: { ad_user_data: "GRANTED", ad_personalization: "DENIED" },
    events: [
      {
        name: event_name,
        params: {
          currency: $p.currency,
          value: ($p.revenue // $p.total // $p.price),
          transaction_id: $p.order_id,
          page_location: $c.page.url,
          page_title: $c.page.title,
          page_referrer: $c.page.referrer,
          language: $c.locale,
          engagement_time_msec: 1,
          stream_id: $stream,
          session_id: ($p.cart_id // .messageId),
          items: [
            ($p.products // [$p])[]
            | {
                item_id: (.product_id // .sku),
                item_name: .name,
                item_variant: .variant.color,
                price,
                quantity: (.quantity // 1)
              }
          ]
        }
      }
    ]
  }
