'use strict';

// matomo-tracker

const MatomoTracker = require('matomo-tracker');
const { event, main, say, until } = require('./lib/driver.js');
const { flat, page } = require('./lib/sample.js');

const VISITOR = '0123456789abcdef';


// The client tells nothing of a single request that went well: its agent does.
function client(port) {
    const tracker = new MatomoTracker(1, `http://127.0.0.1:${port}/matomo.php`);
    const { agent } = tracker;

    tracker.failed = 0;
    tracker.done = 0;

    tracker.on('error', (error) => {
        tracker.failed++;
        say({ error });
    });

    tracker.agent = { ...agent, get: (url, callback) => {
        return agent.get(url, (response) => {
            callback(response);
            response.resume().on('end', () => {
                tracker.done++;
                say({ status: response.statusCode,
                      type: response.headers['content-type'] ?? null });
            });
        });
    } };

    return tracker;
}


async function track(tracker, what) {
    const number = tracker.done + 1;

    tracker.track(what);
    await until(() => tracker.done === number, 'an answer');
    event(typeof what === 'string' ? { url: what, idsite: 1, rec: 1 } : what);
}


function bulk(tracker, list) {
    return new Promise((resolve) => {
        tracker.trackBulk(list, (body) => {
            list.forEach(event);
            say({ body: body === '' ? null : JSON.parse(body) });
            resolve();
        });
    });
}


const common = { _id: VISITOR, apiv: 1, res: '1920x1080', lang: 'de',
                 ua: 'Mozilla/5.0 (X11; Linux x86_64) Client/1.0' };


main({
    async session(port) {
        const tracker = client(port);

        await track(tracker, page.url);
        await track(tracker, { ...common, url: page.url, rand: 1,
            action_name: page.title, urlref: page.referrer, pv_id: 'Ab3dEf' });
        await track(tracker, { ...common, url: page.url, rand: 2, uid: 'user-1',
            e_c: 'Videos', e_a: 'Play', e_n: flat.note, e_v: 2.5,
            ca: 1, dimension1: 'pro', dimension2: flat.markup,
            send_image: 0 });
        await track(tracker, { ...common, url: page.url, rand: 3, uid: 'user-1',
            search: 'oak chair', search_cat: 'Furniture', search_count: 7 });
        await track(tracker, { ...common, url: page.url, rand: 4, uid: 'user-1',
            idgoal: 0, revenue: 129.95, ec_id: 'A-1001', ec_st: 120,
            ec_tx: 9.95, ec_items: JSON.stringify([
                ['S-1', 'Chair', ['Wood', 'Oak'], 49.5, 1],
                ['S-2', 'T\u00fcr', 'Metal', 80.45, 2]]) });
        await track(tracker, { ...common, url: page.url, rand: 5,
            download: 'https://shop.example/plan.pdf' });
        await track(tracker, { ...common, url: page.url, rand: 6,
            link: 'https://other.example/?a=1&b=2' });

        await bulk(tracker, [10, 11, 12, 13, 14, 15, 16].map((rand) => ({
            ...common, url: page.url, rand, uid: `user-${rand}`,
            e_c: 'Bulk', e_a: `Action ${rand}`, cdt: 1767323045 + rand,
        })));
    },

    // it does not send again: its caller sees the status
    async refused(port) {
        const tracker = client(port);

        tracker.track({ ...common, url: page.url, rand: 1 });
        await until(() => tracker.failed === 1, 'the refusal');
        tracker.trackBulk([{ ...common, url: page.url, rand: 2 }]);
        await until(() => tracker.failed === 2, 'the refusal of a bulk');
    },
});
