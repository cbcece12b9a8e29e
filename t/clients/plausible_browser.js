'use strict';

// @plausible-analytics/tracker, in Chromium

const { at, event, main, say } = require('./lib/driver.js');
const { shop, visit } = require('./lib/browser.js');
const sample = require('./lib/sample.js');


async function client(context, port, collector, options = {}) {
    const page = await shop(context, port, { modules: ['/page/plausible.js'] });

    await page.waitForFunction(() => window.loaded);
    await page.evaluate((args) => window.start(...args),
                        [`http://${collector}/api/event`, options]);

    return page;
}


async function session(port, collector) {
    await visit(async (context) => {
        const page = await client(context, port, collector);

        await page.evaluate((it) => window.session(it), sample);
        await page.evaluate(() => window.scrollTo(0, 1500));
        await at('sent');

        // it tells how long the page was seen
        await page.click('#next');
        await page.waitForFunction(() => document.title === 'Next');
        event(JSON.parse(await page.evaluate(() => localStorage.left)));
        await at('left');
    });
}


main({
    same: (port) => session(port, `shop.example:${port}`),
    cross: (port, other) => session(port, `collect.example:${other}/collect`),

    // it does not send again: its caller sees the status
    async refused(port) {
        await visit(async (context) => {
            const page = await client(context, port, `shop.example:${port}`,
                                      { autoCapturePageviews: false });

            await page.evaluate(() => window.session({ flat: {} }));
            say({ over: true });
        });
    },
});
