// posthog-js in a page

import posthog from '/sdk/posthog-js/dist/module.mjs';


window.start = (host, options) => new Promise((resolve) => {
    posthog.init('phc_wk', {
        api_host: host, opt_out_useragent_filter: true, autocapture: false,
        capture_pageview: false, capture_pageleave: true,
        disable_session_recording: true, disable_surveys: true,
        before_send: (event) => {
            if (event.event === '$pageleave') {
                localStorage.left = JSON.stringify(event);

            } else {
                window.event(JSON.parse(JSON.stringify(event)));
            }

            return event;
        },
        loaded: () => resolve(),
        ...options,
    });
});


window.session = ({ order, person }) => {
    posthog.capture('$pageview');
    posthog.capture('Before Login', { n: 1 });
    posthog.identify('user-1', person, { first: 'seen' });
    posthog.capture('Order Completed', order);
    posthog.group('company', 'group-1', { name: 'Group', employees: 40 });
    posthog.alias('user-2', 'user-1');
    posthog.setPersonProperties({ plan: 'max' });
};


window.queue = (from, count, order) => {
    for (let n = from; n < from + count; n++) {
        posthog.capture('Queued', { n, order });
    }
};


window.loaded = true;
