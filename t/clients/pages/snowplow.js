// @snowplow/browser-tracker in a page

'use strict';

const SCHEMA = 'iglu:com.acme/order_completed/jsonschema/1-0-2';
const ENTITY = 'iglu:com.acme/article/jsonschema/2-1-0';


window.start = (collector, options) => {
    const sp = window.snowplowBrowserTracking;

    window.sp = sp;
    window.made = 0;
    window.sent = 0;

    sp.newTracker('ns', collector, {
        appId: 'wk', encodeBase64: true, contexts: { webPage: true },
        plugins: [{ afterTrack: (payload) => {
            window.made++;
            window.event(JSON.parse(JSON.stringify(payload)));
        } }],
        onRequestSuccess: (batch, response) => {
            window.sent += batch.length;
            window.say({ status: response.status });
        },
        onRequestFailure: (failure) => {
            window.say({ failure: { status: failure.status ?? 0,
                                    willRetry: failure.willRetry } });
        },
        ...options,
    });
};


window.session = ({ order }) => {
    const { sp } = window;
    const entity = { schema: ENTITY, data: order.products[1] };

    sp.trackPageView({ title: 'Chairs, given' });
    sp.setUserId('user-1');
    sp.trackStructEvent({ category: 'Videos', action: 'Play', label: order.note,
        property: order.markup, value: 2.5, context: [entity] });
    sp.trackSelfDescribingEvent({ event: { schema: SCHEMA, data: order },
        context: [entity, { schema: ENTITY, data: { sku: 'x' } }] });
    sp.trackSelfDescribingEvent({
        event: { schema: SCHEMA, data: { late: true } },
        timestamp: { type: 'ttm', value: Date.parse('2026-01-02T03:04:05.678Z') },
    });
};


window.queue = (from, count, order) => {
    for (let n = from; n < from + count; n++) {
        window.sp.trackSelfDescribingEvent({
            event: { schema: SCHEMA, data: { n, order } } });
    }
};
