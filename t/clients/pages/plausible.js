// @plausible-analytics/tracker in a page

import { init, track } from '/sdk/@plausible-analytics/tracker/plausible.js';


// Of what it sends when the page is left it tells nobody; the next page does.
const send = window.fetch;

window.fetch = (url, options) => {
    if (JSON.parse(options.body).n === 'engagement') {
        localStorage.left = options.body;
    }

    return send(url, options);
};


window.start = (endpoint, options) => {
    init({
        domain: 'shop.example', endpoint, captureOnLocalhost: true,
        transformRequest: (payload) => {
            window.event(JSON.parse(JSON.stringify(payload)));

            return payload;
        },
        ...options,
    });
};


function call(name, options) {
    return new Promise((resolve) => {
        track(name, { ...options, callback: (result) => {
            window.say({ status: result?.status ?? 0 });
            resolve();
        } });
    });
}


window.session = async ({ flat }) => {
    const props = Object.fromEntries(Object.entries(flat)
        .map(([name, value]) => [name, `${value}`]));

    await call('Signup', { props: { n: '1' } });
    await call('Order Completed', { props: { n: '2', ...props },
        revenue: { amount: 129.95, currency: 'EUR' }, interactive: false });
    await call('Elsewhere', { props: { n: '3' },
        url: 'https://shop.example/other?x=1#y' });
    await Promise.all([4, 5, 6, 7].map((n) => call('Bulk',
        { props: { n: `${n}` } })));
};


window.loaded = true;
