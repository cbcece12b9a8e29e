'use strict';

// @segment/analytics-next, in Chromium

const { at, main, say } = require('./lib/driver.js');
const { shop, visit } = require('./lib/browser.js');
const sample = require('./lib/sample.js');

// the package, and the last one that sends no Authorization
const CURRENT = 'analytics-next';
const OLDER = 'analytics-next-1.83';


// The page with the client in it; the collector is at a URL.
async function client(context, port, sdk, collector, strategy) {
    const page = await shop(context, port, {
        scripts: [`/sdk/@segment/${sdk}/dist/umd/index.js`,
                  '/page/segment.js'],
    });

    page.on('response', (response) => {
        if (/\/v1\/[a-z]$/.test(response.url())) {
            say({ status: response.status() });
        }
    });

    // where the events go is in the settings that it fetches
    await page.evaluate((args) => window.start(...args), [
        { writeKey: 'wk', cdnURL: collector },
        { integrations: { 'Segment.io': {
            ...(strategy && { deliveryStrategy: strategy }),
        } } },
    ]);

    return page;
}


// One visit: an event a request, then a page that is left with a full queue.
async function session(port, sdk, collector) {
    await visit(async (context) => {
        const first = await client(context, port, sdk, collector);

        await first.evaluate((it) => window.session(it), sample);
        await first.close();

        const second = await client(context, port, sdk, collector,
            { strategy: 'batching', config: { size: 100, timeout: 600000 } });

        // what a page that ends may still send is 64 KiB, in all requests
        await second.evaluate((it) => window.queue(0, 30, it.order), sample);
        await at('queued');
        await second.goto('about:blank');
        await at('left');
    });
}


main({
    same: (port) => session(port, CURRENT, `http://shop.example:${port}`),
    cross: (port, other) => session(port, CURRENT,
        `http://collect.example:${other}/collect`),

    // its batches are sent by https, whatever it is told
    older: (port, secure) => session(port, OLDER,
        `https://collect.example:${secure}/collect`),

    async outage(port) {
        await visit(async (context) => {
            const page = await client(context, port, CURRENT,
                                      `http://shop.example:${port}`);

            await at('ready');
            await page.evaluate((it) => window.session(it), sample);
            await page.evaluate((it) => window.queue(0, 5, it.order), sample);
            await at('sent');
        });
    },
});
