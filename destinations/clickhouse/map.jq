# A row: what is asked for most in columns, the rest as JSON in texts.  All
# types of events are in one table.

def records: .event as $e
| {
    "@endpoint": .settings.deduplication,
    message_id: $e.messageId,
    type: $e.type,
    event: (if $e.type == "track" then $e.event else $e.name end),
    timestamp: iso,
    received_at: { "@time": $e.receivedAt, as: "iso" },
    source: $e.context.martech.source,
    user_id: $e.userId,
    anonymous_id: $e.anonymousId,
    person_id: .person,
    group_id: ($e.groupId // $e.context.groupId),
    previous_id: $e.previousId,
    url: page_url,
    properties: { "@json": $e.properties },
    traits: { "@json": $e.traits },
    context: { "@json": ($e.context | if . then delpaths([["martech"]]) else null end) }
  };

# A member of context that is not what it should be is left out, not the event.
. as $in | try records catch ($in | sane | records)
