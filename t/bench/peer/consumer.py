#!/usr/bin/python3

"""A peer of the forwarder's benchmark: the job as a team would do it in Python.

Reads all streams in a consumer group, posts to one destination, one event or
an array of 100 a request, with or without a map, and acknowledges after a 2xx
answer.

    consumer.py SOCKET SHARDS URL single|array|ga4
"""

import asyncio
import datetime
import json
import sys

import aiohttp
import redis.asyncio

SOCKET, SHARDS, URL, MODE = sys.argv[1:5]

GROUP = 'peer'
COUNT = 256
BATCH = 1 if MODE == 'single' else 100
CONCURRENCY = 8
STREAMS = ['{mt:%02d}:in' % n for n in range(int(SHARDS))]

NAMES = {
    'Products Searched': 'search',
    'Product List Viewed': 'view_item_list',
    'Product Viewed': 'view_item',
    'Product Added': 'add_to_cart',
    'Product Removed': 'remove_from_cart',
    'Cart Viewed': 'view_cart',
    'Checkout Started': 'begin_checkout',
    'Payment Info Entered': 'add_payment_info',
    'Order Completed': 'purchase',
    'Order Refunded': 'refund',
    'Signed Up': 'sign_up',
    'Signed In': 'login',
}


def name_of(event):
    kind = event['type']

    if kind == 'page':
        return 'page_view'
    if kind == 'screen':
        return 'screen_view'
    if kind != 'track':
        return kind

    name = event['event']

    return NAMES.get(name) or '_'.join(name.lower().split(' '))[:40]


def seconds(text):
    moment = datetime.datetime.fromisoformat(text[:19] + '+00:00')

    return int(moment.timestamp())


def mapped(event):
    """The map of t/bench/destinations/ga4."""
    p = event.get('properties') or {}
    c = event.get('context') or {}
    page = c.get('page') or {}

    return {
        'client_id': event.get('anonymousId') or event.get('userId'),
        'user_id': event.get('userId'),
        'timestamp_micros': seconds(event['timestamp']) * 1000000,
        'consent': {'ad_user_data': 'GRANTED',
                    'ad_personalization': 'DENIED'},
        'events': [{
            'name': name_of(event),
            'params': {
                'currency': p.get('currency'),
                'value': p.get('revenue') or p.get('total') or p.get('price'),
                'transaction_id': p.get('order_id'),
                'page_location': page.get('url'),
                'page_title': page.get('title'),
                'page_referrer': page.get('referrer'),
                'language': c.get('locale'),
                'engagement_time_msec': 1,
                'stream_id': 'G-BENCH',
                'session_id': p.get('cart_id') or event['messageId'],
                'items': [{
                    'item_id': item.get('product_id') or item.get('sku'),
                    'item_name': item.get('name'),
                    'item_variant': (item.get('variant') or {}).get('color'),
                    'price': item.get('price'),
                    'quantity': item.get('quantity') or 1,
                } for item in p.get('products') or [p]],
            },
        }],
    }


def body_of(batch):
    texts = [fields[b'e'] for _, _, fields in batch]

    if MODE == 'single':
        return texts[0]
    if MODE == 'array':
        return b'[' + b','.join(texts) + b']'

    return json.dumps([mapped(json.loads(text)) for text in texts]).encode()


async def post(session, store, queue):
    """One of the senders."""
    headers = {'content-type': 'application/json'}

    while True:
        batch = [await queue.get()]

        while len(batch) < BATCH and not queue.empty():
            batch.append(queue.get_nowait())

        body = body_of(batch)

        while True:
            async with session.post(URL, data=body, headers=headers) as answer:
                await answer.read()

                if 200 <= answer.status < 300:
                    break

        pipe = store.pipeline(transaction=False)
        ids = {}

        for stream, entry, _ in batch:
            ids.setdefault(stream, []).append(entry)

        for stream, entries in ids.items():
            pipe.xack(stream, GROUP, *entries)

        pipe.hincrby('peer', 'done', len(batch))
        await pipe.execute()


async def main():
    store = redis.asyncio.Redis(unix_socket_path=SOCKET)
    queue = asyncio.Queue(maxsize=2 * COUNT)

    for stream in STREAMS:
        await store.xgroup_create(stream, GROUP, id='0', mkstream=True)

    async with aiohttp.ClientSession() as session:
        senders = [asyncio.create_task(post(session, store, queue))
                   for _ in range(CONCURRENCY)]

        print('ready', flush=True)

        while True:
            reply = await store.xreadgroup(
                GROUP, 'python', {stream: '>' for stream in STREAMS},
                count=COUNT, block=1000)

            for stream, entries in reply:
                for entry, fields in entries:
                    await queue.put((stream, entry, fields))

            for sender in senders:
                if sender.done():
                    sender.result()


asyncio.run(main())
