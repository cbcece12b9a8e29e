'use strict';

// posthog-node

const { PostHog } = require('posthog-node');
const { at, event, main, say } = require('./lib/driver.js');
const { order, page, person } = require('./lib/sample.js');

const GIVEN = '01890a5d-ac96-774b-bcce-b302099a8057';


function client(port, settings) {
    const posthog = new PostHog('phc_wk', { flushAt: 10, flushInterval: 50,
        host: `http://127.0.0.1:${port}`, disableGeoip: false, ...settings });

    posthog.on('error', (error) => say({ error: error.status ?? `${error}` }));
    posthog.on('flush', (messages) => messages.forEach(event));

    return posthog;
}


function mixed(posthog) {
    posthog.capture({ distinctId: 'visitor-1', event: '$pageview',
        properties: { $current_url: page.url, $referrer: page.referrer,
                      title: page.title } });
    posthog.identify({ distinctId: 'user-1',
        properties: { $set: person, $set_once: { first: 'seen' } } });
    posthog.alias({ distinctId: 'user-1', alias: 'visitor-1' });
    posthog.capture({ distinctId: 'user-1', event: 'Order Completed',
        properties: { ...order, $session_id: 's-1' },
        groups: { company: 'group-1' } });
    posthog.capture({ distinctId: 'user-1', event: 'Imported', uuid: GIVEN,
        timestamp: new Date('2026-01-02T03:04:05.678Z') });
    posthog.capture({ distinctId: 'user-1', event: '$screen',
        properties: { $screen_name: 'Start', a: 1 } });
    posthog.groupIdentify({ groupType: 'company', groupKey: 'group-1',
        properties: { name: 'Group', employees: 40 }, distinctId: 'user-1' });
}


async function session(port, settings) {
    const posthog = client(port, settings);

    mixed(posthog);

    for (let i = 0; i < 33; i++) {
        posthog.capture({ distinctId: `user-${i}`, event: 'Bulk',
            properties: { i, order } });
    }

    await posthog.shutdown();
}


main({
    session: (port) => session(port, {}),
    plain: (port) => session(port, { disableCompression: true }),

    // what is to become its usual protocol
    v1(port) {
        process.env.POSTHOG_CAPTURE_MODE = 'v1';

        return session(port, {});
    },

    async outage(port) {
        const posthog = client(port, { flushAt: 3 });

        await at('ready');
        mixed(posthog);
        await posthog.shutdown();
    },
});
