'use strict';

// cloudevents

const { CloudEvent, emitterFor, httpTransport, Mode } = require('cloudevents');
const { event, main, say } = require('./lib/driver.js');
const { order, person } = require('./lib/sample.js');

const SOURCE = '/shops/42?a=b#c';


function events() {
    const common = { source: SOURCE, anonymousid: 'visitor-1' };

    return [
        new CloudEvent({ ...common, type: 'com.example.order.completed',
            id: 'o-1', subject: 'order/A-1001', data: order }),
        new CloudEvent({ ...common, type: 'com.example.person', id: 'p-1',
            userid: 'user-1', time: '2026-01-02T03:04:05.678Z',
            dataschema: 'https://example.com/schemas/person', data: person }),
        new CloudEvent({ ...common, type: 'com.example.text', id: 't-1',
            datacontenttype: 'text/plain', data: 'just a text' }),
        new CloudEvent({ ...common, type: 'com.example.list', id: 'l-1',
            data: [1, 'two', { three: 3 }] }),
        new CloudEvent({ ...common, type: 'com.example.strange',
            id: 'Zo\u00eb 100% "x"', subject: '\u30c6\u30fc\u30d6\u30eb \ud83d\ude00',
            traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
            sequence: '17', data: { a: 1 } }),
        new CloudEvent({ ...common, type: 'com.example.none', id: 'n-1' }),
        new CloudEvent({ ...common, type: 'com.example.bytes', id: 'b-1',
            datacontenttype: 'application/octet-stream',
            data: new Uint8Array([0, 1, 2, 253, 254, 255]) }),
    ];
}


function told(cloud) {
    return JSON.parse(cloud.toString());
}


async function send(port, mode, list) {
    const emit = emitterFor(httpTransport(`http://127.0.0.1:${port}/cloudevents`),
                            { mode });

    for (const cloud of list) {
        const response = await emit(cloud);

        say({ body: response.body });
        event(told(cloud));
    }
}


// What the client cannot emit in this mode: it wants a body, and puts texts
// into headers as they are, where these may hold bytes of Latin-1 only.
function forHeaders(list) {
    return list.filter((cloud) => cloud.id !== 'n-1')
        .map((cloud) => (cloud.type !== 'com.example.strange' ? cloud
            : cloud.cloneWith({ id: '100% "x"', subject: 'a, b; c=50%' })));
}


main({
    binary: (port) => send(port, Mode.BINARY, forHeaders(events())),
    structured: (port) => send(port, Mode.STRUCTURED, events()),

    // the client reads batches but does not emit them: its events, by fetch
    async batch(port) {
        const list = events();
        const response = await fetch(`http://127.0.0.1:${port}/cloudevents`, {
            method: 'POST', body: JSON.stringify(list.map(told)),
            headers: { 'Content-Type': 'application/cloudevents-batch+json' },
        });

        say({ status: response.status });
        list.forEach((cloud) => event(told(cloud)));
    },

    // its transport gives the body only, and sends once
    refused: (port) => send(port, Mode.BINARY, events().slice(0, 1)),
});
