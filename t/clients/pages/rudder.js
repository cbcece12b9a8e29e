// @rudderstack/analytics-js in a page

'use strict';


window.start = (writeKey, dataPlane, options) => new Promise((resolve) => {
    const analytics = new window.rudderanalytics.RudderAnalytics();

    window.client = analytics;
    analytics.load(writeKey, dataPlane, options);
    analytics.ready(resolve);
});


// It leaves out what is null when it sends.
function withoutNull(name, value) {
    return value === null ? undefined : value;
}


// A call; what the client gives to its callback is the event as it is queued.
function call(method, ...args) {
    return new Promise((resolve) => {
        window.client[method](...args, (data) => {
            window.event(JSON.parse(JSON.stringify(data, withoutNull)));
            resolve();
        });
    });
}


window.session = ({ order, person }) => Promise.all([
    call('page', 'Catalog', 'Chairs', { shelf: 7 }, {}),
    call('track', 'Before Login', { n: 1 }, {}),
    call('identify', 'user-1', person, {}),
    call('track', 'Order Completed', order,
         { integrations: { All: true, Other: { id: 1 } } }),
    call('group', 'group-1', { name: 'Group', employees: 40 }, {}),
    call('alias', 'user-2', 'user-1', {}),
]);


window.queue = (from, count, order) => {
    for (let n = from; n < from + count; n++) {
        call('track', 'Queued', { n, order }, {});
    }
};
