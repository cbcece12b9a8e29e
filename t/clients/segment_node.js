'use strict';

// @segment/analytics-node

const { Analytics } = require('@segment/analytics-node');
const { at, event, main, say } = require('./lib/driver.js');
const { order, page, person } = require('./lib/sample.js');


function client(port, settings) {
    const analytics = new Analytics({
        writeKey: 'wk', host: `http://127.0.0.1:${port}`, flushInterval: 50,
        ...settings,
    });

    analytics.on('error', (error) => say({ error: error.code ?? `${error}` }));
    analytics.on('http_response', (r) => say({ status: r.status }));

    return analytics;
}


// a call, with the event that its callback brings
function call(analytics, type, what) {
    analytics[type](what, (error, ctx) => {
        if (error) {
            say({ failed: `${error}` });

        } else {
            event(ctx.event);
        }
    });
}


function mixed(analytics) {
    const visitor = { anonymousId: 'visitor-1' };
    const user = { userId: 'user-1', ...visitor };

    call(analytics, 'page', { ...visitor, name: page.name,
        category: page.category,
        properties: { url: page.url, referrer: page.referrer,
                      title: page.title } });
    call(analytics, 'identify', { ...user, traits: person });
    call(analytics, 'track', { ...user, event: 'Order Completed',
        properties: order,
        context: { ip: '203.0.113.7', locale: 'de-DE',
                   userAgent: 'Client/1.0',
                   page: { url: page.url, title: page.title } },
        integrations: { All: true, Other: { id: 1 } } });
    call(analytics, 'track', { ...user, event: 'Imported', messageId: 'given-1',
        timestamp: new Date('2026-01-02T03:04:05.678Z'), properties: {} });
    call(analytics, 'screen', { ...user, name: 'Start', properties: { a: 1 } });
    call(analytics, 'group', { ...user, groupId: 'group-1',
        traits: { name: 'Group', employees: 40 } });
    call(analytics, 'alias', { userId: 'user-1', previousId: 'visitor-1' });
}


main({
    // all calls, then enough of one to fill several batches
    async session(port) {
        const analytics = client(port, { flushAt: 10 });

        mixed(analytics);

        for (let i = 0; i < 43; i++) {
            call(analytics, 'track', { userId: `user-${i}`,
                event: 'Bulk', properties: { i, order } });
        }

        await analytics.closeAndFlush();
    },

    // the server is away when the events are sent
    async outage(port) {
        const analytics = client(port, { flushAt: 3 });

        await at('ready');
        mixed(analytics);
        await analytics.closeAndFlush();
    },
});
