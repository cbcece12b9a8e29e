# Canonical events to operations of the Track API.  Times are seconds, also of
# createdAt; other times in properties and traits stay the texts they are.
# The limits of 300 attributes and 1,000 bytes of each are the vendor's to
# judge: the answer names the record.

# The vendor mails to the "recipient" of an event that starts a campaign, in
# the name of its "from_address": nothing that a visitor may choose.
def harmless:
  if .settings.mail_overrides then {}
  else { recipient: null, from_address: null, reply_to: null } end;

# of a number so large that it can only be milliseconds
def born: if type == "number" and . > 1e11 then . / 1000 else . end;

def who:
  if .event.userId then { id: .event.userId }
  elif .event.type == "identify" and email then { email: email }
  else null end;

def operation($action; $name; $attributes):
  who as $who
  | {
      type: "person",
      action: $action,
      # the sources put it among the identifiers, or beside them: both
      identifiers: ($who // { anonymous_id: .event.anonymousId }),
      anonymous_id: (if $who then null else .event.anonymousId end),
      name: { "@text": $name, do: "bytes:100" },
      id: { "@text": .event.messageId, do: "bytes:150" },
      timestamp: seconds,
      attributes: ($attributes + harmless)
    };

def records: .event as $e
| if $e.type == "group" then
    if $e.groupId then
      {
        type: "object", action: "identify",
        identifiers: { object_type_id: .settings.object_type,
                       object_id: $e.groupId },
        attributes: ($e.traits // {}),
        cio_relationships:
          (if $e.userId then [{ identifiers: { id: $e.userId } }]
           else null end)
      }
    else fail("no_group") end
  elif $e.type == "alias" then
    if $e.userId and $e.previousId then
      { type: "person", action: "merge", primary: { id: $e.userId },
        secondary: { id: $e.previousId } }
    else fail("no_identity") end
  elif ($e.userId // $e.anonymousId) == null then fail("no_identity")
  elif $e.type == "identify" then
    # a person begins with an id or an address
    if who then
      ($e.traits // {}) as $t
      | {
          type: "person", action: "identify", identifiers: who,
          timestamp: seconds,
          # "" takes an attribute away as null does, which "omit" leaves out
          attributes: ($t | del(.createdAt)
            | map_values(if . == null then "" else . end) + {
                created_at: { "@time": ($t.createdAt // $t.created_at | born),
                              as: "s" },
                anonymous_id: $e.anonymousId })
        }
    else drop("anonymous") end
  elif $e.type == "track" then
    if $e.event then operation("event"; $e.event; $e.properties // {})
    else fail("no_name") end
  elif $e.type == "page" then
    operation("page"; page_url // $e.name // "Page"; $e.properties // {})
  elif $e.type == "screen" then
    operation("screen"; $e.name // $e.properties.name // "Screen";
              $e.properties // {})
  else drop("type") end;

# A member of context that is not what it should be is left out, not the event.
. as $in | try records catch ($in | sane | records)
