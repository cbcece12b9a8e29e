'use strict';

// @umami/node

const { Umami } = require('@umami/node');
const { event, main, say } = require('./lib/driver.js');
const { flat, order, page } = require('./lib/sample.js');

const WEBSITE = 'e676c9b4-11e4-4ef1-a4d7-87001773e9f2';


// The client has no event of its own to show: this is what its own send() is
// given.
function client(port) {
    const umami = new Umami({ websiteId: WEBSITE,
        hostUrl: `http://127.0.0.1:${port}` });
    const send = umami.send;

    umami.send = async function (payload, type = 'event') {
        event({ type, payload: JSON.parse(JSON.stringify(payload)) });

        const response = await send.call(this, payload, type);

        say({ status: response.status, body: await response.json() });
    };

    return umami;
}


async function mixed(umami) {
    await umami.track({ url: '/chairs?color=red', title: page.title,
        hostname: 'shop.example', language: 'de-DE', screen: '1920x1080',
        referrer: page.referrer, data: { n: 1 } });
    await umami.identify({ n: 2, plan: 'pro', seats: 12 });
    await umami.track('Order Completed', { n: 3, ...flat });
    await umami.track({ url: '/done', name: 'Nested', hostname: 'shop.example',
        data: { n: 4, ...order } });

    await Promise.all([5, 6, 7, 8, 9].map((n) => umami.track('Bulk', { n })));
}


main({
    async session(port) {
        await mixed(client(port));
    },

    // it does not send again: its caller sees the status
    async refused(port) {
        await client(port).track('Refused', { n: 1 });
    },
});
