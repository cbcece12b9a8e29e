'use strict';

// posthog-js, in Chromium

const { at, event, main, say } = require('./lib/driver.js');
const { shop, visit } = require('./lib/browser.js');
const sample = require('./lib/sample.js');


async function client(context, port, collector, options = {}) {
    const page = await shop(context, port, { modules: ['/page/posthog.js'] });

    page.on('response', (response) => {
        if (/\/e\//.test(response.url())) {
            say({ status: response.status() });
        }
    });

    await page.waitForFunction(() => window.loaded);
    await page.evaluate((args) => window.start(...args),
                        [`http://${collector}`, options]);

    return page;
}


// A page is gone before it can tell of its last event: the next one does.
async function leave(page) {
    await page.click('#next');
    await page.waitForFunction(() => document.title === 'Next');
    event(JSON.parse(await page.evaluate(() => localStorage.left)));
}


async function session(port, collector, options) {
    await visit(async (context) => {
        const first = await client(context, port, collector,
            { request_batching: false, ...options });

        await first.evaluate((it) => window.session(it), sample);
        await at('sent');
        await leave(first);
        await first.close();

        // batches; what waits is sent by beacon when the page is left
        const second = await client(context, port, collector, options);

        await second.evaluate((it) => window.queue(0, 10, it.order), sample);
        await at('queued');
        await leave(second);
        await at('left');
    });
}


main({
    same: (port) => session(port, `shop.example:${port}`),
    cross: (port, other) => session(port, `collect.example:${other}/collect`),
    plain: (port, other) => session(port, `collect.example:${other}/collect`,
                                    { disable_compression: true }),

    async outage(port) {
        await visit(async (context) => {
            const page = await client(context, port, `shop.example:${port}`);

            await at('ready');
            await page.evaluate((it) => window.session(it), sample);
            await at('sent');
        });
    },
});
