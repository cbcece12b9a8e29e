'use strict';

// Chromium with a page of a shop in it, as the drivers of browser clients want
// it.
//
// All names below "example" are this machine.  The page may say what it wants
// to the test: window.say(), and window.event() for an event as the client has
// it.

const { chromium } = require('playwright-core');
const { event, say } = require('./driver.js');

const PROGRAM = process.env.CHROMIUM || '/usr/bin/chromium';

const REFERRER = 'https://search.example/?q=chairs';
const QUERY = 'color=red&utm_source=news&utm_campaign=spring&gclid=Cj0-1';


// The page that a client is used in, of the site at this port; the SDK and the
// script of the driver are loaded into it.
async function shop(context, port, { scripts = [], modules = [], query } = {}) {
    const page = await context.newPage();

    page.setDefaultTimeout(20000);
    page.on('pageerror', (error) => say({ pageerror: `${error}` }));
    page.on('console', (message) => {
        if (message.type() === 'error') {
            say({ console: message.text() });
        }
    });

    await page.exposeFunction('say', say);
    await page.exposeFunction('event', event);
    await page.goto(`http://shop.example:${port}/page/shop.html?`
                    + (query ?? QUERY), { referer: REFERRER });

    for (const url of scripts) {
        await page.addScriptTag({ url });
    }

    for (const url of modules) {
        await page.addScriptTag({ url, type: 'module' });
    }

    return page;
}


// A visit: a browser, its context, and what is done with it.
async function visit(what) {
    const browser = await chromium.launch({
        executablePath: PROGRAM,
        args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
               '--host-resolver-rules=MAP *.example 127.0.0.1',
               '--ignore-certificate-errors'],
    });

    try {
        const context = await browser.newContext({ locale: 'de-DE',
            timezoneId: 'Europe/Berlin',
            viewport: { width: 1280, height: 720 } });

        await what(context, browser);

    } finally {
        await browser.close();
    }
}


module.exports = { shop, visit };
