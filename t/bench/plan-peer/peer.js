'use strict';

// ajv on the schema and the events of the plan's benchmark.
//
//     peer.js mutate PLAN EVENT COUNT    events, one a line, with one change
//                                        each, and ajv's verdict in front
//     peer.js run PLAN EVENT REPETITIONS MS
//                                        microseconds of processor time for
//                                        JSON.parse and validation, one line
//                                        a repetition

const fs = require('fs');
const Ajv2020 = require('ajv/dist/2020').default;
const formats = require('ajv-formats').default;

const [mode, planFile, eventFile, ...rest] = process.argv.slice(2);
const plan = JSON.parse(fs.readFileSync(planFile, 'utf8'));
const text = fs.readFileSync(eventFile, 'utf8');

const ajv = new Ajv2020({ strict: false });
formats(ajv, { mode: 'full' });
const validate = ajv.compile(plan.events['Order Completed'].properties);

// values that are right for some properties and wrong for others
const VALUES = [
    null, true, 0, -1, 1, 2.5, 1e9, '', 'x', 'EUR', 'eur', 'card', 'DE',
    'de-DE', '2026-11-20', '2026-13-20', '2026-11-20T19:36:00Z',
    '2026-11-20T25:36:00Z', 'shop.example.com', '-bad-.example',
    'https://shop.example.com/', 'not a uri',
    '8f14e45f-ceea-467f-a1f3-2ba8c2f0e4b5', 'DE-123456', 'DE-1234567890123',
    'x'.repeat(100), '\u00e9\u00e9\u00e9', [], [1], {}, { a: 1 },
];

let state = 12345;

function random(n) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % n;
}

function mutate() {
    const event = JSON.parse(text);
    const properties = event.properties;
    const known = Object.keys(plan.events['Order Completed']
        .properties.properties);
    const name = known[random(known.length)];
    const product = properties.products[random(properties.products.length)];
    const inner = Object.keys(product);

    switch (random(5)) {
    case 0:
        delete properties[Object.keys(properties)[
            random(Object.keys(properties).length)]];
        break;
    case 1:
        product[inner[random(inner.length)]] = VALUES[random(VALUES.length)];
        break;
    case 2:
        if (random(4) === 0) {
            properties['not_planned_' + random(9)] = 1;
        }
        break;
    default:
        properties[name] = VALUES[random(VALUES.length)];
    }

    return event;
}

if (mode === 'mutate') {
    for (let i = 0; i < Number(rest[0]); i++) {
        const event = mutate();

        console.log((validate(event.properties) ? 1 : 0) + '\t'
            + JSON.stringify(event));
    }

} else {
    const [repetitions, ms] = rest.map(Number);
    const micros = () => {
        const used = process.cpuUsage();
        return used.user + used.system;
    };
    let good = 0;
    const batch = (count) => {
        for (let i = 0; i < count; i++) {
            good += validate(JSON.parse(text).properties) ? 1 : 0;
        }
    };

    // until the compiler has done all it can
    batch(200000);

    let count = 1000;
    let spent = 0;

    for (;;) {
        const start = micros();
        batch(count);
        spent = micros() - start;
        if (spent > ms * 1000 / 4) {
            break;
        }
        count *= 2;
    }

    count = Math.ceil(count * ms * 1000 / spent);

    for (let i = 0; i < repetitions; i++) {
        const start = micros();
        batch(count);
        console.log((micros() - start) / count);
    }
}
