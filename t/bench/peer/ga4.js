'use strict';

// The map of t/bench/destinations/ga4 for the peer.

const NAMES = {
    'Products Searched': 'search',
    'Product List Viewed': 'view_item_list',
    'Product Viewed': 'view_item',
    'Product Added': 'add_to_cart',
    'Product Removed': 'remove_from_cart',
    'Cart Viewed': 'view_cart',
    'Checkout Started': 'begin_checkout',
    'Payment Info Entered': 'add_payment_info',
    'Order Completed': 'purchase',
    'Order Refunded': 'refund',
    'Signed Up': 'sign_up',
    'Signed In': 'login',
};


function nameOf(event) {
    switch (event.type) {
    case 'page': return 'page_view';
    case 'screen': return 'screen_view';
    case 'track':
        return NAMES[event.event]
            || event.event.toLowerCase().split(' ').join('_').slice(0, 40);
    default: return event.type;
    }
}


module.exports = function map(event) {
    const p = event.properties || {};
    const c = event.context || {};
    const page = c.page || {};

    return {
        client_id: event.anonymousId || event.userId,
        user_id: event.userId,
        timestamp_micros: Math.floor(Date.parse(event.timestamp) / 1000) * 1e6,
        consent: { ad_user_data: 'GRANTED', ad_personalization: 'DENIED' },
        events: [{
            name: nameOf(event),
            params: {
                currency: p.currency,
                value: p.revenue || p.total || p.price,
                transaction_id: p.order_id,
                page_location: page.url,
                page_title: page.title,
                page_referrer: page.referrer,
                language: c.locale,
                engagement_time_msec: 1,
                stream_id: 'G-BENCH',
                session_id: p.cart_id || event.messageId,
                items: (p.products || [p]).map((item) => ({
                    item_id: item.product_id || item.sku,
                    item_name: item.name,
                    item_variant: item.variant && item.variant.color,
                    price: item.price,
                    quantity: item.quantity || 1,
                })),
            },
        }],
    };
};
