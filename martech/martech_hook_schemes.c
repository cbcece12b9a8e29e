
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The schemes: how each vendor signs, and where its payload says what has
 * happened.  Names of headers are in lower case.
 */


#include <string.h>

#include "martech_hook_private.h"


#define MINUTES  60000

#define SIGNER(mac, encoding, key, strip, prefix)                             \
    { MARTECH_HOOK_##mac, MARTECH_HOOK_##encoding, MARTECH_HOOK_KEY_##key,    \
      martech_string(strip), martech_string(prefix) }

#define LITERAL(text)  { MARTECH_HOOK_LITERAL, martech_string(text) }
#define HEADER(name)   { MARTECH_HOOK_HEADER, martech_string(name) }
#define PART(kind)     { MARTECH_HOOK_##kind, { 0, NULL } }


static const martech_hook_scheme_t  martech_hook_schemes[] = {

    /* https://www.standardwebhooks.com */
    {
        .name = martech_string("standard"),
        .signers = { SIGNER(HMAC_SHA256, BASE64, BASE64, "whsec_", "v1,"),
                     SIGNER(ED25519, BASE64, PUBLIC, "whpk_", "v1a,") },
        .parts = { HEADER("webhook-id"), LITERAL("."), PART(TIME),
                   LITERAL("."), PART(BODY) },
        .header = martech_string("webhook-signature"),
        .separator = ' ',
        .time_header = martech_string("webhook-timestamp"),
        .tolerance_ms = 5 * MINUTES,
        .topic = "/type|/event_type|/event|/eventType",
        .id = "header:webhook-id",
        .time = "/timestamp",
    },
    {
        .name = martech_string("svix"),
        .signers = { SIGNER(HMAC_SHA256, BASE64, BASE64, "whsec_", "v1,"),
                     SIGNER(ED25519, BASE64, PUBLIC, "whpk_", "v1a,") },
        .parts = { HEADER("svix-id"), LITERAL("."), PART(TIME), LITERAL("."),
                   PART(BODY) },
        .header = martech_string("svix-signature"),
        .separator = ' ',
        .time_header = martech_string("svix-timestamp"),
        .tolerance_ms = 5 * MINUTES,
        .alias = { martech_string("svix-"), martech_string("webhook-") },
        .topic = "/type|/event_type|/event|/eventType",
        .id = "header:svix-id|header:webhook-id",
        .time = "/timestamp",
    },
    {
        .name = martech_string("stripe"),
        .signers = { SIGNER(HMAC_SHA256, HEX, RAW, "", "v1=") },
        .parts = { PART(TIME), LITERAL("."), PART(BODY) },
        .header = martech_string("stripe-signature"),
        .separator = ',',
        .time_prefix = martech_string("t="),
        .tolerance_ms = 5 * MINUTES,
        .past = 1,
        .topic = "/type",
        .id = "/id",
        .user = "/data/object/customer",
        .account = "/account",
        .time = "/created",
        .notes = { { "account", "/account" },
                   { "apiVersion", "/api_version" } },
    },
    {
        .name = martech_string("shopify"),
        .signers = { SIGNER(HMAC_SHA256, BASE64, RAW, "", "") },
        .parts = { PART(BODY) },
        .header = martech_string("x-shopify-hmac-sha256"),
        .topic = "header:x-shopify-topic",
        .id = "header:x-shopify-webhook-id|header:x-shopify-event-id",
        .user = "/customer/id",
        .account = "header:x-shopify-shop-domain",
        .time = "header:x-shopify-triggered-at|/updated_at|/created_at",
        .notes = { { "account", "header:x-shopify-shop-domain" },
                   { "apiVersion", "header:x-shopify-api-version" },
                   { "eventId", "header:x-shopify-event-id" } },
    },
    {
        .name = martech_string("github"),
        .signers = { SIGNER(HMAC_SHA256, HEX, RAW, "", "sha256=") },
        .parts = { PART(BODY) },
        .header = martech_string("x-hub-signature-256"),
        .topic = "header:x-github-event",
        .id = "header:x-github-delivery",
        .user = "/sender/id",
        .account = "/organization/id|/repository/owner/id",
        .field = martech_string("payload"),
        .notes = { { "action", "/action" },
                   { "account", "/organization/login|"
                                "/repository/owner/login" } },
        .ping = "ping",
    },
    {
        .name = martech_string("slack"),
        .signers = { SIGNER(HMAC_SHA256, HEX, RAW, "", "v0=") },
        .parts = { LITERAL("v0:"), PART(TIME), LITERAL(":"), PART(BODY) },
        .header = martech_string("x-slack-signature"),
        .time_header = martech_string("x-slack-request-timestamp"),
        .tolerance_ms = 5 * MINUTES,
        .topic = "/event/type|/command|/type",
        .id = "/event_id",
        .user = "/event/user|/user_id|/user/id",
        .account = "/team_id|/team/id",
        .time = "/event_time",
        .field = martech_string("payload"),
        .notes = { { "account", "/team_id|/team/id" },
                   { "retry", "header:x-slack-retry-num" },
                   { "retryReason", "header:x-slack-retry-reason" } },
        .challenge = "url_verification",
        .content = 1,
        .reply_type = "text/plain",
        .reply = "",
    },
    {
        .name = martech_string("hubspot"),
        .signers = { SIGNER(HMAC_SHA256, BASE64, RAW, "", "") },
        .parts = { PART(METHOD), PART(URL), PART(BODY), PART(TIME) },
        .header = martech_string("x-hubspot-signature-v3"),
        .time_header = martech_string("x-hubspot-request-timestamp"),
        .unit = MARTECH_HOOK_MS,
        .tolerance_ms = 5 * MINUTES,
        .url_plain = 1,
        .topic = "/subscriptionType|/eventType",
        .id = "/eventId",
        .user = "/objectId",
        .account = "/portalId",
        .time = "/occurredAt",
        .local = 1,
        .notes = { { "account", "/portalId" } },
    },
    {
        .name = martech_string("hubspot_v2"),
        .signers = { SIGNER(SHA256, HEX, RAW, "", "") },
        .parts = { PART(METHOD), PART(URL), PART(BODY) },
        .header = martech_string("x-hubspot-signature"),
        .topic = "/subscriptionType|/eventType",
        .id = "/eventId",
        .user = "/objectId",
        .account = "/portalId",
        .time = "/occurredAt",
        .local = 1,
        .notes = { { "account", "/portalId" } },
    },
    {
        .name = martech_string("hubspot_v1"),
        .signers = { SIGNER(SHA256, HEX, RAW, "", "") },
        .parts = { PART(BODY) },
        .header = martech_string("x-hubspot-signature"),
        .topic = "/subscriptionType|/eventType",
        .id = "/eventId",
        .user = "/objectId",
        .account = "/portalId",
        .time = "/occurredAt",
        .local = 1,
        .notes = { { "account", "/portalId" } },
    },
    {
        .name = martech_string("segment"),
        .signers = { SIGNER(HMAC_SHA1, HEX, RAW, "", "") },
        .parts = { PART(FIRST) },
        .header = martech_string("x-signature"),
        .topic = "/event|/type",
        .id = "/messageId",
        .native = 1,
    },
    {
        .name = martech_string("twilio"),
        .signers = { SIGNER(HMAC_SHA1, BASE64, RAW, "", "") },
        .parts = { PART(URL), PART(FORM) },
        .header = martech_string("x-twilio-signature"),
        .digest_arg = martech_string("bodySHA256"),
        .port = 1,
        .methods = MARTECH_POST|MARTECH_GET,
        .topic = "/EventType|/MessageStatus|/CallStatus|/SmsStatus",
        .id = "header:i-twilio-idempotency-token",
        .account = "/AccountSid",
        .notes = { { "account", "/AccountSid" } },
        .content = 1,
        .reply_type = "text/xml",
        .reply = "<Response></Response>",
    },
    {
        .name = martech_string("sendgrid"),
        .signers = { SIGNER(ECDSA, BASE64, SPKI, "", "") },
        .parts = { PART(TIME), PART(BODY) },
        .header = martech_string("x-twilio-email-event-webhook-signature"),
        .time_header =
            martech_string("x-twilio-email-event-webhook-timestamp"),
        .topic = "/event",
        .id = "/sg_event_id",
        .time = "/timestamp",
        .content = 1,
    },
    {
        .name = martech_string("mandrill"),
        .signers = { SIGNER(HMAC_SHA1, BASE64, RAW, "", "") },
        .parts = { PART(URL), PART(FORM) },
        .header = martech_string("x-mandrill-signature"),
        .test_key = martech_string("test-webhook"),
        .silent = MARTECH_HEAD,
        .topic = "/event|/type",
        .time = "/ts",
        .field = martech_string("mandrill_events"),
        .content = 1,
    },
    {
        .name = martech_string("mailchimp"),
        .signers = { SIGNER(EQUAL, TEXT, RAW, "", "") },
        .arg = martech_string("secret"),
        .silent = MARTECH_GET|MARTECH_HEAD,
        .topic = "/type",
        .account = "/data[list_id]",
        .time = "/fired_at",
        .notes = { { "account", "/data[list_id]" } },
        .content = 1,
    },
    {
        .name = martech_string("intercom"),
        .signers = { SIGNER(HMAC_SHA1, HEX, RAW, "", "sha1=") },
        .parts = { PART(BODY) },
        .header = martech_string("x-hub-signature"),
        .silent = MARTECH_HEAD,
        .topic = "/topic",
        .id = "/id",
        .user = "/data/item/user/id|/data/item/contact/id|"
                "/data/item/contacts/contacts/0/id",
        .account = "/app_id",
        .time = "/created_at",
        .notes = { { "account", "/app_id" },
                   { "attempts", "/delivery_attempts" } },
        .ping = "ping",
        .content = 1,
    },
    {
        .name = martech_string("calendly"),
        .signers = { SIGNER(HMAC_SHA256, HEX, RAW, "", "v1=") },
        .parts = { PART(TIME), LITERAL("."), PART(BODY) },
        .header = martech_string("calendly-webhook-signature"),
        .separator = ',',
        .time_prefix = martech_string("t="),
        .tolerance_ms = 3 * MINUTES,
        .topic = "/event",
        .account = "/created_by",
        .time = "/created_at",
        .content = 1,
    },
    {
        .name = martech_string("typeform"),
        .signers = { SIGNER(HMAC_SHA256, BASE64, RAW, "", "sha256=") },
        .parts = { PART(BODY) },
        .header = martech_string("typeform-signature"),
        .topic = "/event_type",
        .id = "/event_id",
        .account = "/form_response/form_id",
        .time = "/form_response/submitted_at",
    },
    {
        .name = martech_string("paddle"),
        .signers = { SIGNER(HMAC_SHA256, HEX, RAW, "", "h1=") },
        .parts = { PART(TIME), LITERAL(":"), PART(BODY) },
        .header = martech_string("paddle-signature"),
        .separator = ';',
        .time_prefix = martech_string("ts="),
        .tolerance_ms = 5000,
        .past = 1,
        .topic = "/event_type",
        .id = "/event_id",
        .user = "/data/customer_id",
        .time = "/occurred_at",
        .notes = { { "notificationId", "/notification_id" } },
    },
    {
        .name = martech_string("woocommerce"),
        .signers = { SIGNER(HMAC_SHA256, BASE64, RAW, "", "") },
        .parts = { PART(BODY) },
        .header = martech_string("x-wc-webhook-signature"),
        .topic = "header:x-wc-webhook-topic",
        .id = "header:x-wc-webhook-delivery-id",
        .user = "/customer_id",
        .account = "header:x-wc-webhook-source",
        .local = 1,
        .content = 1,
        .notes = { { "account", "header:x-wc-webhook-source" },
                   { "resource", "header:x-wc-webhook-resource" },
                   { "event", "header:x-wc-webhook-event" },
                   { "webhookId", "header:x-wc-webhook-id" } },
        .hello = martech_string("webhook_id"),
    },
    {
        .name = martech_string("zendesk"),
        .signers = { SIGNER(HMAC_SHA256, BASE64, RAW, "", "") },
        .parts = { PART(TIME), PART(BODY) },
        .header = martech_string("x-zendesk-webhook-signature"),
        .time_header = martech_string("x-zendesk-webhook-signature-timestamp"),
        .unit = MARTECH_HOOK_RFC3339,
        .tolerance_ms = 5 * MINUTES,
        .test_key =
            martech_string("dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="),
        .methods = MARTECH_POST|MARTECH_GET|MARTECH_PUT|MARTECH_DELETE,
        .topic = "/type|/event",
        .id = "header:x-zendesk-webhook-invocation-id",
        .user = "/detail/requester_id",
        .account = "header:x-zendesk-account-id|/account_id",
        .time = "/time",
        .notes = { { "account", "header:x-zendesk-account-id|/account_id" },
                   { "webhookId", "header:x-zendesk-webhook-id" } },
        .content = 1,
    },

    /* the rest of it is configured */
    {
        .name = martech_string("hmac"),
        .signers = { SIGNER(HMAC_SHA256, HEX, RAW, "", "") },
        .parts = { PART(BODY) },
        .topic = "/type|/event|/event_type|/topic",
    },
    { .name = { 0, NULL } }
};


const martech_hook_scheme_t *
martech_hook_scheme(unsigned i)
{
    return (i + 1 < sizeof(martech_hook_schemes)
                    / sizeof(martech_hook_schemes[0]))
           ? &martech_hook_schemes[i] : NULL;
}


const martech_hook_scheme_t *
martech_hook_find(martech_str_t name)
{
    const martech_hook_scheme_t  *scheme;

    for (scheme = martech_hook_schemes; scheme->name.len > 0; scheme++) {

        if (scheme->name.len == name.len
            && memcmp(scheme->name.data, name.data, name.len) == 0)
        {
            return scheme;
        }
    }

    return NULL;
}


int
martech_hook_signs_url(const martech_hook_scheme_t *scheme)
{
    unsigned  i;

    for (i = 0; i < MARTECH_HOOK_PARTS; i++) {

        if (scheme->parts[i].kind == MARTECH_HOOK_URL) {
            return 1;
        }
    }

    return 0;
}
