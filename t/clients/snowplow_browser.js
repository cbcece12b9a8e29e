'use strict';

// @snowplow/browser-tracker, in Chromium

const { at, main, until } = require('./lib/driver.js');
const { shop, visit } = require('./lib/browser.js');
const sample = require('./lib/sample.js');


async function client(context, port, collector, options = {}) {
    const page = await shop(context, port, {
        scripts: ['/sdk/@snowplow/browser-tracker/dist/index.umd.min.js',
                  '/page/snowplow.js'],
    });

    await page.evaluate((args) => window.start(...args),
                        [`http://${collector}`, options]);

    return page;
}


async function sent(page) {
    await until(() => page.evaluate(() => window.sent === window.made),
                'all events are sent');
}


async function session(port, collector, options) {
    await visit(async (context) => {
        const first = await client(context, port, collector,
                                   { bufferSize: 1, ...options });

        await first.evaluate((it) => window.session(it), sample);
        await sent(first);
        await first.close();

        // it has a buffer, and sends it when the page is hidden
        const second = await client(context, port, collector,
            { bufferSize: 100, keepalive: true, ...options });

        await second.evaluate((it) => window.queue(0, 20, it.order), sample);
        await at('queued');
        await second.goto('about:blank');
        await at('left');
    });
}


main({
    same: (port) => session(port, `shop.example:${port}`),
    cross: (port, other) => session(port, `collect.example:${other}/collect`),

    // another path, and no cookies or ids
    path: (port, other) => session(port, `collect.example:${other}/collect`,
        { postPath: '/shop/events' }),
    anonymous: (port, other) => session(port, `collect.example:${other}/collect`,
        { anonymousTracking: { withServerAnonymisation: true } }),

    async get(port) {
        await visit(async (context) => {
            const page = await client(context, port, `shop.example:${port}`,
                { bufferSize: 1, eventMethod: 'get' });

            await page.evaluate((it) => window.session(it), sample);
            await sent(page);
        });
    },

    // It sends again with the next event or when told to flush, not by itself.
    async outage(port) {
        await visit(async (context) => {
            const page = await client(context, port, `shop.example:${port}`,
                                      { bufferSize: 1 });

            await at('ready');
            await page.evaluate((it) => window.session(it), sample);

            await until(async () => {
                await page.evaluate(() => window.sp.flushBuffer());

                return page.evaluate(() => window.sent === window.made);
            }, 'all events are sent', { every: 200 });
        });
    },
});
