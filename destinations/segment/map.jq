# The event as it is, without what is ours (context.martech) and what the
# vendor writes itself.  timestamp has been corrected at the edge, so the
# clock of the sender is not told again.

.event
| if (.userId // .anonymousId) == null then fail("no_identity")
  elif .type == "track" and (.event == null or .event == "") then fail("no_name")
  elif .type == "group" and .groupId == null then fail("no_group")
  elif .type == "alias" and .previousId == null then fail("no_previous")
  else
    delpaths([["receivedAt"], ["originalTimestamp"], ["sentAt"]])
    | if (.context | type) == "object" then delpaths([["context", "martech"]])
      else . end
  end
