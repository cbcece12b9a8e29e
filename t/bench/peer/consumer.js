'use strict';

// A peer of the forwarder's benchmark: what a team would write for the job in
// Node.  Reads all streams in a consumer group, posts to one destination, one
// event or an array of 100 a request, with or without a map, and acknowledges
// after a 2xx answer.
//
//     node consumer.js SOCKET SHARDS URL single|array|ga4

const Redis = require('ioredis');
const { Pool } = require('undici');
const map = require('./ga4.js');

const [socket, shards, target, mode] = process.argv.slice(2);

const GROUP = 'peer';
const COUNT = 256;
const BATCH = mode === 'single' ? 1 : 100;
const CONCURRENCY = 8;

const streams = Array.from({ length: Number(shards) }, (_, n) =>
    `{mt:${String(n).padStart(2, '0')}}:in`);

const reader = new Redis({ path: socket });
const writer = new Redis({ path: socket, enableAutoPipelining: true });
const url = new URL(target);
const pool = new Pool(url.origin, { connections: CONCURRENCY });

const waiting = [];
let running = 0;
let wake = null;


async function post(batch) {
    const texts = batch.map((entry) => entry.text);
    let body;

    if (mode === 'ga4') {
        body = JSON.stringify(texts.map((text) => map(JSON.parse(text))));
    } else {
        body = mode === 'single' ? texts[0] : `[${texts.join(',')}]`;
    }

    for (;;) {
        const answer = await pool.request({
            path: url.pathname, method: 'POST', body,
            headers: { 'content-type': 'application/json' },
        });

        await answer.body.dump();

        if (answer.statusCode >= 200 && answer.statusCode < 300) {
            break;
        }
    }

    const ids = new Map();

    for (const entry of batch) {
        const list = ids.get(entry.stream);

        if (list) {
            list.push(entry.id);
        } else {
            ids.set(entry.stream, [entry.id]);
        }
    }

    await Promise.all([...ids].map(([stream, list]) =>
        Promise.all([writer.xack(stream, GROUP, ...list),
                     writer.hincrby('peer', 'done', list.length)])));
}


function start() {
    while (running < CONCURRENCY && waiting.length) {
        running++;
        post(waiting.splice(0, BATCH)).then(() => {
            running--;
            start();

            if (wake && waiting.length < 2 * COUNT) {
                wake();
                wake = null;
            }
        }).catch((error) => {
            console.error(error);
            process.exit(1);
        });
    }
}


async function main() {
    for (const stream of streams) {
        await reader.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    }

    console.log('ready');

    for (;;) {
        const reply = await reader.xreadgroup(
            'GROUP', GROUP, 'node', 'COUNT', COUNT, 'BLOCK', 1000,
            'STREAMS', ...streams, ...streams.map(() => '>'));

        for (const [stream, entries] of reply || []) {
            for (const [id, fields] of entries) {
                const at = fields.indexOf('e');

                waiting.push({ stream, id, text: fields[at + 1] });
            }
        }

        start();

        if (waiting.length >= 2 * COUNT) {
            await new Promise((resolve) => { wake = resolve; });
        }
    }
}


main().catch((error) => {
    console.error(error);
    process.exit(1);
});
