'use strict';

// @rudderstack/rudder-sdk-node

const Rudder = require('@rudderstack/rudder-sdk-node');
const { at, event, main, say } = require('./lib/driver.js');
const { order, page, person } = require('./lib/sample.js');


function client(port, settings) {
    return new Rudder('wk', { dataPlaneUrl: `http://127.0.0.1:${port}`,
        flushInterval: 20, logLevel: 'error',
        errorHandler: (error) => say({ failed: `${error}` }), ...settings });
}


// Makes calls; ends when the client has told what became of each.  It gives
// the messages of a batch to the callback of each of them, as long as the body
// is not compressed.
function calls(rudder, list) {
    const known = new Set();

    return Promise.all(list.map(([type, what]) => new Promise((resolve) => {
        rudder[type](what, (error, data) => {
            if (error) {
                say({ failed: `${error}` });
            }

            const batch = Buffer.isBuffer(data)
                ? JSON.parse(require('node:zlib').gunzipSync(data)).batch
                : JSON.parse(JSON.stringify(data.batch));

            for (const message of batch) {
                if (!error && !known.has(message.messageId)) {
                    known.add(message.messageId);
                    event(message);
                }
            }

            resolve();
        });
    })));
}


function mixed(rudder) {
    const visitor = { anonymousId: 'visitor-1' };
    const user = { userId: 'user-1', ...visitor };

    return calls(rudder, [
        ['page', { ...visitor, name: page.name, category: page.category,
            properties: { url: page.url, referrer: page.referrer,
                          title: page.title } }],
        ['identify', { ...user, traits: person }],
        ['track', { ...user, event: 'Order Completed', properties: order,
            context: { ip: '203.0.113.7', locale: 'de-DE',
                       page: { url: page.url, title: page.title } },
            integrations: { All: true, Other: { id: 1 } } }],
        ['track', { userId: 'user-1', event: 'Imported', properties: {},
            messageId: 'given-1',
            originalTimestamp: new Date('2026-01-02T03:04:05.678Z') }],
        ['screen', { ...user, name: 'Start', properties: { a: 1 } }],
        ['group', { ...user, groupId: 'group-1',
            traits: { name: 'Group', employees: 40 } }],
        ['alias', { userId: 'user-1', previousId: 'visitor-1' }],
    ]);
}


function bulk(rudder, count) {
    return calls(rudder, Array.from({ length: count }, (_, i) => ['track',
        { userId: `user-${i}`, event: 'Bulk', properties: { i, order } }]));
}


main({
    // gzip is what it does unless told otherwise
    async session(port) {
        const rudder = client(port, { flushAt: 10 });

        await mixed(rudder);
        await bulk(rudder, 33);
    },

    async plain(port) {
        const rudder = client(port, { flushAt: 10, gzip: false });

        await mixed(rudder);
    },

    // its own three retries are over too soon for an outage of seconds
    async outage(port) {
        const rudder = client(port, { flushAt: 3, retryCount: 20 });

        await at('ready');
        await mixed(rudder);
    },
});
