'use strict';

// @snowplow/node-tracker

const snowplow = require('@snowplow/node-tracker');
const { at, event, main, say, until } = require('./lib/driver.js');
const { readable } = require('./lib/snowplow.js');
const { order, page } = require('./lib/sample.js');

const SCHEMA = 'iglu:com.acme/order_completed/jsonschema/1-0-2';
const ENTITY = 'iglu:com.acme/article/jsonschema/2-1-0';


function client(port, settings, encodeBase64 = true) {
    const state = { sent: 0, made: 0 };
    const tracker = snowplow.newTracker(
        { namespace: 'ns', appId: 'wk', encodeBase64 },
        { endpoint: '127.0.0.1', protocol: 'http', port, eventMethod: 'post',
          onRequestSuccess(batch, response) {
              say({ status: response.status });
              state.sent += batch.length;
              batch.forEach((payload) => event(readable(payload)));
          },
          onRequestFailure(failure) {
              say({ failure: { status: failure.status ?? 0,
                               willRetry: failure.willRetry } });
          },
          ...settings });

    tracker.setUserId('user-1');
    tracker.setDomainUserId('3d1e6a5a-0000-4000-8000-00000000abcd');
    tracker.setNetworkUserId('ecdff4d0-9175-40ac-a8bb-325c49733607');
    tracker.setSessionId('63008d30-7b04-4c34-8ed7-91d5a8c13cf6');
    tracker.setSessionIndex(7);
    tracker.setScreenResolution(1920, 1080);
    tracker.setViewport(1280, 700);
    tracker.setColorDepth(24);
    tracker.setTimezone('Europe/Berlin');
    tracker.setLang('de');
    tracker.setIpAddress('203.0.113.7');
    tracker.setUseragent('Mozilla/5.0 (X11; Linux x86_64) Client/1.0');

    return { tracker, state };
}


function mixed({ tracker, state }) {
    const entity = { schema: ENTITY, data: order.products[1] };
    const track = (...args) => {
        state.made++;
        tracker.track(...args);
    };

    track(snowplow.buildPageView({ pageUrl: page.url, pageTitle: page.title,
        referrer: page.referrer }));
    track(snowplow.buildPagePing({ pageUrl: page.url, pageTitle: page.title,
        minXOffset: 0, maxXOffset: 10, minYOffset: 5, maxYOffset: 700 }));
    track(snowplow.buildStructEvent({ category: 'Videos', action: 'Play',
        label: order.note, property: order.markup, value: 2.5 }), [entity]);
    track(snowplow.buildSelfDescribingEvent({
        event: { schema: SCHEMA, data: order } }),
        [entity, { schema: ENTITY, data: { sku: 'x' } }]);
    track(snowplow.buildScreenView({ name: 'Start', id: 's-1' }));
    track(snowplow.buildSelfDescribingEvent({
        event: { schema: SCHEMA, data: { late: true } } }), [],
        { type: 'ttm', value: Date.parse('2026-01-02T03:04:05.678Z') });
    track(snowplow.buildEcommerceTransaction({ orderId: 'A-1001', total: 129.95,
        affiliation: 'Shop', tax: 9.95, shipping: 5, city: 'K\u00f6ln',
        country: 'DE', currency: 'EUR' }));
    track(snowplow.buildEcommerceTransactionItem({ orderId: 'A-1001',
        sku: 'S-1', name: 'Chair', category: 'Wood', price: 49.5, quantity: 2,
        currency: 'EUR' }));
}


function over({ state }) {
    return until(() => state.sent === state.made, 'all events are sent');
}


async function session(port, settings, encodeBase64) {
    const it = client(port, settings, encodeBase64);

    mixed(it);

    for (let i = 0; i < 20; i++) {
        it.state.made++;
        it.tracker.track(snowplow.buildSelfDescribingEvent({
            event: { schema: SCHEMA, data: { i, order } } }));
    }

    await it.tracker.flush();
    await over(it);
}


main({
    session: (port) => session(port, { bufferSize: 5 }, true),
    plain: (port) => session(port, { bufferSize: 5 }, false),
    get: (port) => session(port, { bufferSize: 1, eventMethod: 'get' }, true),

    // It sends again with the next event or when told to flush, not by itself.
    async outage(port) {
        const it = client(port, { bufferSize: 3 });

        await at('ready');
        mixed(it);

        await until(async () => {
            await it.tracker.flush();

            return it.state.sent === it.state.made;
        }, 'all events are sent', { every: 200 });
    },
});
