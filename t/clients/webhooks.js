'use strict';

// Vendors' own signers: deliveries as a vendor makes them, to an endpoint each.

const { Webhook: StandardWebhook } = require('standardwebhooks');
const { Webhook: SvixWebhook } = require('svix');
const stripe = require('stripe');
const { join } = require('node:path');
const { event, main, say } = require('./lib/driver.js');
const { order, person } = require('./lib/sample.js');


// a package that only import() takes, which does not look where require() does
function octokit() {
    return import(join(process.env.NODE_PATH, '@octokit', 'webhooks-methods',
                       'dist-node', 'index.js'));
}


// What a vendor sends: { headers, body }, signed with a secret.
const vendors = {
    async standard(secret, id, payload) {
        const body = JSON.stringify(payload);
        const now = new Date();

        return { body, headers: {
            'webhook-id': id,
            'webhook-timestamp': `${Math.floor(now / 1000)}`,
            'webhook-signature': new StandardWebhook(secret)
                .sign(id, now, body),
        } };
    },

    async svix(secret, id, payload) {
        const body = JSON.stringify(payload);
        const now = new Date();

        return { body, headers: {
            'svix-id': id,
            'svix-timestamp': `${Math.floor(now / 1000)}`,
            'svix-signature': new SvixWebhook(secret).sign(id, now, body),
        } };
    },

    async stripe(secret, id, payload) {
        const body = JSON.stringify({ id, ...payload }, null, 2);

        return { body, headers: {
            'stripe-signature': stripe.webhooks.generateTestHeaderString(
                { payload: body, secret }),
        } };
    },

    async github(secret, id, payload) {
        const { sign } = await octokit();
        const body = JSON.stringify(payload);

        return { body, headers: {
            'x-github-event': payload.type, 'x-github-delivery': id,
            'x-hub-signature-256': await sign(secret, body),
        } };
    },
};


async function deliver(port, vendor, { body, headers }) {
    const response = await fetch(`http://127.0.0.1:${port}/hooks/${vendor}`, {
        method: 'POST', body,
        headers: { 'content-type': 'application/json', ...headers },
    });

    await response.arrayBuffer();

    return response.status;
}


// One letter of the last signature changed.
function forged({ body, headers }) {
    const name = Object.keys(headers).find((it) => /signature/.test(it));
    const value = headers[name];
    const at = value.length - 8;
    const letter = value[at] === 'a' ? 'b' : 'a';

    return { body, headers: { ...headers,
        [name]: value.slice(0, at) + letter + value.slice(at + 1) } };
}


main({
    // each vendor: an order, a person, the order once more as a retry, one with
    // a forged signature, one with a changed body, one signed with the secret
    // that is going to replace the first
    async session(port, secrets, replacing) {
        const keys = JSON.parse(secrets);
        const others = JSON.parse(replacing);

        for (const [vendor, sign] of Object.entries(vendors)) {
            const first = await sign(keys[vendor], `${vendor}-1`,
                { type: 'order.completed', data: order });
            const second = await sign(others[vendor], `${vendor}-2`,
                { type: 'person.changed', data: person, list: [1, [2]] });

            const sent = {
                first: await deliver(port, vendor, first),
                second: await deliver(port, vendor, second),
                again: await deliver(port, vendor, first),
                forged: await deliver(port, vendor, forged(second)),
                changed: await deliver(port, vendor,
                    { ...first, body: first.body.replace('129.95', '129.96') }),
            };

            event({ vendor, id: `${vendor}-1`, payload: JSON.parse(first.body) });
            event({ vendor, id: `${vendor}-2`, payload: JSON.parse(second.body) });
            say({ vendor, ...sent });
        }
    },
});
