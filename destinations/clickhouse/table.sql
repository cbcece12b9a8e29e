-- All events in one table, on any server: deduplication: engine.
-- Columns that you take out are not asked for; put your own behind them.

CREATE TABLE events
(
    message_id String,
    type String,
    event String,
    timestamp DateTime('UTC'),
    received_at DateTime('UTC'),
    source String,
    user_id String,
    anonymous_id String,
    person_id String,
    group_id String,
    previous_id String,
    url String,
    properties String,
    traits String,
    context String
)
ENGINE = ReplacingMergeTree(received_at)
PARTITION BY toYYYYMM(timestamp)
ORDER BY (toDate(timestamp), message_id)
