-- All events in one table, on servers from 22.2 on: deduplication: token.
-- Milliseconds are kept, and repeated inserts are refused.  With a
-- ReplicatedReplacingMergeTree the last two lines fall away: it remembers
-- inserts anyway (replicated_deduplication_window).

CREATE TABLE events
(
    message_id String,
    type LowCardinality(String),
    event LowCardinality(String),
    timestamp DateTime64(3, 'UTC'),
    received_at DateTime64(3, 'UTC'),
    source LowCardinality(String),
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
SETTINGS
    non_replicated_deduplication_window = 10000
