// @segment/analytics-next in a page

'use strict';


// settings: those of load(), options: its second argument
window.start = async (settings, options) => {
    const { AnalyticsBrowser } = window.AnalyticsNext;

    window.analytics = AnalyticsBrowser.load(settings, options);

    // all that the client adds is there before this
    window.analytics.addSourceMiddleware(({ payload, next }) => {
        window.event(JSON.parse(JSON.stringify(payload.obj)));
        next(payload);
    });

    await window.analytics.ready();
};


window.session = async ({ order, person }) => {
    const { analytics } = window;

    await Promise.all([
        analytics.page('Catalog', 'Chairs', { shelf: 7 }),
        analytics.track('Before Login', { n: 1 }),
        analytics.identify('user-1', person),
        analytics.track('Order Completed', order,
            { integrations: { All: true, Other: { id: 1 } } }),
        analytics.screen('Start', { a: 1 }),
        analytics.group('group-1', { name: 'Group', employees: 40 }),
        analytics.alias('user-1', 'visitor-1'),
    ]);
};


// Ends when the client holds all of them: before that the last ones are still
// on their way through its plugins, and a page that is left loses them.
window.queue = async (from, count, order) => {
    const all = [];

    for (let n = from; n < from + count; n++) {
        all.push(window.analytics.track('Queued', { n, order }));
    }

    await Promise.all(all);
};
