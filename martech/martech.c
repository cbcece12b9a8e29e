
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Names and texts of the result codes, and the default limits.
 */


#include "martech.h"


typedef struct {
    const char  *name;
    const char  *text;
} martech_rc_entry_t;


static const martech_rc_entry_t  martech_rc_table[MARTECH_RC_COUNT] = {

    [MARTECH_OK] = { "ok", "accepted" },

    [MARTECH_BODY_EMPTY] = { "body_empty", "the body is empty" },
    [MARTECH_JSON_INVALID] = { "json_invalid", "the body is not JSON" },
    [MARTECH_JSON_UTF8] = { "json_utf8", "the body is not valid UTF-8" },
    [MARTECH_JSON_DEPTH] = { "json_depth",
        "arrays and objects are nested too deeply" },
    [MARTECH_JSON_TOKENS] = { "json_tokens", "the body has too many values" },
    [MARTECH_JSON_KEY_SIZE] = { "json_key_size", "a member name is too long" },
    [MARTECH_JSON_STRING_SIZE] = { "json_string_size",
        "a string is too long" },
    [MARTECH_REQUEST_FIELD] = { "request_field",
        "a field that the wire format asks for is missing or malformed" },

    [MARTECH_BODY_NOT_OBJECT] = { "body_not_object",
        "the body must be a JSON object" },
    [MARTECH_BATCH_NOT_ARRAY] = { "batch_not_array",
        "a batch must be an object with an array \"batch\"" },
    [MARTECH_BATCH_EMPTY] = { "batch_empty", "the batch has no event" },
    [MARTECH_BATCH_COUNT] = { "batch_count", "the batch has too many events" },
    [MARTECH_BATCH_SIZE] = { "batch_size", "the body is too large" },
    [MARTECH_BATCH_MEMBERS] = { "batch_members",
        "the batch's own context or integrations has more than 64 members" },

    [MARTECH_EVENT_NOT_OBJECT] = { "event_not_object",
        "an event must be a JSON object" },
    [MARTECH_EVENT_SIZE] = { "event_size", "the event is too large" },
    [MARTECH_FIELD_DUPLICATE] = { "field_duplicate",
        "the member stands twice" },
    [MARTECH_TYPE_REQUIRED] = { "type_required",
        "an event of a batch needs a \"type\"" },
    [MARTECH_TYPE_UNKNOWN] = { "type_unknown",
        "\"type\" must be track, identify, page, screen, group or alias" },
    [MARTECH_TYPE_MISMATCH] = { "type_mismatch",
        "\"type\" differs from the type that the path names" },
    [MARTECH_NO_USER_ANON_ID] = { "no_user_anon_id",
        "an event needs a \"userId\" or an \"anonymousId\"" },
    [MARTECH_ID_NOT_STRING] = { "id_not_string", "an id must be a string" },
    [MARTECH_ID_SIZE] = { "id_size", "an id is longer than 512 bytes" },
    [MARTECH_MESSAGE_ID_INVALID] = { "message_id_invalid",
        "\"messageId\" must be a string without control characters" },
    [MARTECH_MESSAGE_ID_SIZE] = { "message_id_size",
        "\"messageId\" is too long" },
    [MARTECH_EVENT_NOT_DEFINED] = { "event_not_defined",
        "a track event needs a name in \"event\"" },
    [MARTECH_EVENT_NOT_STRING] = { "event_not_string",
        "\"event\" must be a string" },
    [MARTECH_NAME_NOT_STRING] = { "name_not_string",
        "\"name\" must be a string" },
    [MARTECH_CATEGORY_NOT_STRING] = { "category_not_string",
        "\"category\" must be a string" },
    [MARTECH_PROPERTIES_NOT_OBJECT] = { "properties_not_object",
        "\"properties\" must be an object" },
    [MARTECH_TRAITS_NOT_OBJECT] = { "traits_not_object",
        "\"traits\" must be an object" },
    [MARTECH_CONTEXT_NOT_OBJECT] = { "context_not_object",
        "\"context\" must be an object" },
    [MARTECH_INTEGRATIONS_NOT_OBJECT] = { "integrations_not_object",
        "\"integrations\" must be an object" },
    [MARTECH_GROUP_ID_REQUIRED] = { "group_id_required",
        "a group event needs a \"groupId\"" },
    [MARTECH_PREVIOUS_ID_REQUIRED] = { "previous_id_required",
        "an alias event needs a \"previousId\"" },
    [MARTECH_USER_ID_REQUIRED] = { "user_id_required",
        "an alias event needs a \"userId\"" },

    [MARTECH_PLAN_VIOLATION] = { "plan_violation",
        "the event breaks a rule of the tracking plan" },
    [MARTECH_PRIVACY_LIMIT] = { "privacy_limit",
        "the event has too many values that must not be stored" },
};


void
martech_limits_default(martech_limits_t *limits)
{
    limits->event_size_max = 32 * 1024;
    limits->batch_size_max = 500 * 1024;
    limits->batch_count_max = 2500;
    limits->message_id_max = 100;
    limits->depth_max = 32;
    limits->tokens_max = 262144;
    limits->key_size_max = 1024;
    limits->string_size_max = 32 * 1024;
    limits->inflate_ratio_max = 200;
}


const char *
martech_rc_name(martech_rc_t rc)
{
    if ((unsigned) rc >= MARTECH_RC_COUNT) {
        return "unknown";
    }

    return martech_rc_table[rc].name;
}


const char *
martech_rc_text(martech_rc_t rc)
{
    if ((unsigned) rc >= MARTECH_RC_COUNT) {
        return "unknown result";
    }

    return martech_rc_table[rc].text;
}
