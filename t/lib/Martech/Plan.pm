package Martech::Plan;

# The tracking plan that the tests of the edge share: a shop with rules of each
# kind.

use strict;
use warnings;

use Exporter qw(import);

use Martech::Http qw(to_json from_json);

our @EXPORT = qw(plan_of $PLAN);


our $PLAN = <<'END';
{
    "martech_plan": 1,
    "name": "shop",
    "version": "7",
    "defaults": { "violation": "report", "unplanned_event": "report",
                  "unplanned_property": "report" },
    "events": {
        "Order Completed": {
            "description": "Somebody has paid.",
            "stage": "live",
            "aliases": ["order_completed", "Order \"Done\""],
            "priority": "high",
            "violation": "quarantine",
            "personal": ["/properties/email"],
            "versions": {
                "1": { "type": "object",
                       "properties": { "total": { "type": "string" } },
                       "required": ["total"] },
                "2": { "type": "object",
                       "properties": { "order_id": { "type": "string" },
                                       "total": { "type": "number" },
                                       "email": { "type": "string" },
                                       "coupon": {
                                           "type": ["string", "null"] } },
                       "required": ["order_id", "total"] }
            }
        },
        "Paid": {
            "violation": "reject",
            "properties": { "type": "object",
                            "properties": { "amount": { "type": "number",
                                                        "minimum": 0 } },
                            "required": ["amount"] }
        },
        "Seen": {
            "unplanned_property": "accept",
            "properties": { "type": "object",
                            "properties": { "item": { "type": "string" } } }
        },
        "Gone": { "stage": "blocked", "properties": {} }
    },
    "pages": { "*": { "properties": { "type": "object",
                      "properties": { "path": { "type": "string" } } } } },
    "traits": { "identify": { "violation": "reject",
                "properties": { "type": "object",
                                "properties": {
                                    "email": { "type": "string" } } } } }
}
END


# The plan as text with members changed: plan_of(defaults => {...}, ...)
sub plan_of {
    my (%members) = @_;

    return to_json({ %{ from_json($PLAN) }, %members });
}


1;
