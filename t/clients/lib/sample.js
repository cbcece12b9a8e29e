'use strict';

// What all clients tell of: properties with all that JSON has, nested, with
// texts that are easily damaged on the way.

const order = {
    orderId: 'A-1001',
    total: 129.95,
    items: 3,
    zero: 0,
    negative: -17,
    tiny: 1.5e-7,
    large: 9007199254740991,
    gift: true,
    express: false,
    coupon: null,
    empty: '',
    note: 'Zo\u00eb "quoted" \\ back/slash\ttab\nline \u2603 \ud83d\ude00',
    markup: '<b>&amp;</b> 100% a+b=c; #hash?x=1&y=2',
    nothing: {},
    none: [],
    products: [
        { sku: 'S-1', name: 'Chair', price: 49.5, tags: ['wood', 'oak'] },
        { sku: 'S-2', name: '\u30c6\u30fc\u30d6\u30eb', price: 80.45,
          size: { width: 120, unit: { name: 'cm', metric: true } } },
    ],
};

// the same for clients that know texts and numbers only
const flat = {
    orderId: order.orderId,
    total: order.total,
    items: order.items,
    note: order.note,
    markup: order.markup,
};

const person = {
    email: 'zoe@example.com',
    name: 'Zo\u00eb \u00d6zg\u00fcr',
    plan: 'pro',
    seats: 12,
    address: { city: 'K\u00f6ln', country: 'DE' },
};

const page = {
    name: 'Chairs',
    category: 'Catalog',
    title: 'Chairs \u2013 all of them',
    url: 'https://shop.example/chairs?color=red&size=l#top',
    referrer: 'https://search.example/?q=chairs',
};

module.exports = { flat, order, page, person };
