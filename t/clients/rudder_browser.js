'use strict';

// @rudderstack/analytics-js, in Chromium

const { at, main, say } = require('./lib/driver.js');
const { shop, visit } = require('./lib/browser.js');
const sample = require('./lib/sample.js');


async function client(context, port, collector, options = {}) {
    const page = await shop(context, port, {
        scripts: ['/sdk/@rudderstack/analytics-js/dist/npm/modern/bundled/umd/'
                  + 'index.js', '/page/rudder.js'],
    });

    page.on('response', (response) => {
        if (/\/v1\/(?!projects)/.test(response.url())) {
            say({ status: response.status() });
        }
    });

    await page.evaluate((args) => window.start(...args), ['wk',
        `http://${collector}`, { configUrl: `http://${collector}`,
            storage: { encryption: { version: 'legacy' } }, ...options }]);

    return page;
}


async function session(port, collector) {
    await visit(async (context) => {
        const first = await client(context, port, collector);

        await first.evaluate((it) => window.session(it), sample);
        await at('sent');
        await first.close();

        // beacons, when the page is left
        const second = await client(context, port, collector, {
            useBeacon: true,
            beaconQueueOptions: { maxItems: 100, flushQueueInterval: 600000 },
        });

        await second.evaluate((it) => window.queue(0, 20, it.order), sample);
        await at('queued');
        await second.goto('about:blank');
        await at('left');
    });
}


main({
    same: (port) => session(port, `shop.example:${port}`),
    cross: (port, other) => session(port, `collect.example:${other}/collect`),

    async outage(port) {
        await visit(async (context) => {
            const page = await client(context, port, `shop.example:${port}`);

            await at('ready');
            await page.evaluate((it) => window.session(it), sample);
            await at('sent');
        });
    },
});
