
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What leads to a person in an event that must be anonymous: the members that
 * may stay, names that are a person's, and the person's own values, which are
 * looked for in all that stays.
 */


#include <string.h>

#include "martech_field.h"
#include "martech_pii_private.h"
#include "martech_privacy_private.h"


#define MARTECH_PRIVACY_SECRET_MIN  4    /* bytes; shorter ones are in any
                                            text */


static void martech_privacy_secret_add(martech_privacy_work_t *w,
    martech_str_t text);
static void martech_privacy_secret_node(martech_privacy_work_t *w,
    uint32_t node);
static void martech_privacy_secret_context(martech_privacy_work_t *w,
    uint32_t context);
static void martech_privacy_secret_traits(martech_privacy_work_t *w,
    uint32_t traits);
static size_t martech_privacy_decode(martech_str_t text, unsigned char *out,
    size_t size);


/* Lower case, without joints. */

static const char  martech_privacy_persons[] =
    "id|user|uid|userid|customer|customerid|customernumber|client|clientid|"
    "gaclientid|cid|visitor|visitorid|device|deviceid|session|sessionid|"
    "anonymousid|externalid|account|accountid|accountnumber|member|memberid|"
    "contact|contactid|profile|profileid|subscriber|subscriberid|lead|leadid|"
    "person|personid|groupid|previousid|messageid|cookie|cookies|"
    "distinctid|windowid|pageviewid|insertid|eventid|networkuserid|nuid|duid|"
    "advertisingid|adid|idfa|idfv|gaid|aaid|androidid|imei|imsi|mac|"
    "macaddress|serial|serialnumber|fingerprint|ip|ipaddress|ipaddr|"
    "remoteaddr|clientip|userip|useragent|ua|agent|clienthints|referrerid|"
    "email|mail|phone|tel|telephone|mobile|fax|"
    "firstname|lastname|middlename|fullname|surname|username|nickname|"
    "displayname|customername|contactname|recipient|givenname|familyname|"
    "salutation|login|handle|avatar|photo|picture|"
    "address|address1|address2|street|streetaddress|housenumber|zip|zipcode|"
    "postcode|postalcode|postal|shipping|billing|shippingaddress|"
    "billingaddress|company|birthday|birthdate|dob|dateofbirth|age|gender|"
    "sex|lat|lon|lng|latitude|longitude|location|geo|geolocation|gps|"
    "coordinates|iban|bic|card|cardnumber|pan|cvv|cvc|expiry|vat|vatid|taxid|"
    "ssn|passport|nationalid|driverslicense|licenseplate|"
    "password|pass|pwd|token|auth|authorization|secret|apikey|signature|"
    "hash|query|message|comment|comments|note|notes|text|body|"
    "orderid|ordernumber|transactionid|checkoutid|cartid|basketid|paymentid|"
    "invoiceid|invoicenumber|bookingid|reservationid|ticketid|"
    "subscriptionid|contractid|contractnumber|trackingid|trackingnumber|"
    "traits|identities|externalids|"
    "gclid|gbraid|wbraid|gclsrc|gadsource|gadcampaignid|dclid|srsltid|fbclid|"
    "fbc|fbp|fbcid|msclkid|ttclid|ttp|twclid|lifatid|rdtcid|rdtuuid|sccid|"
    "scid|epik|igshid|yclid|qclid|irclickid|irclid|kx|mccid|mceid|ga|gid|"
    "gclaw|gcldc|gclau|uetmsclkid|uetsid|uetvid|clickid|"
    "hubspotutk|hsctatracking";


/* These wherever they stand. */

static const char *const  martech_privacy_parts[] = {
    "email", "phone", "passw", "cookie", "clientid", "userid", "deviceid",
    "visitorid", "customerid", "fingerprint", "firstname", "lastname",
    "fullname", "surname", "ipaddr", "clickid", "clid", "birth", "token",
    "secret", "session", "address", "anonymousid", "anonid", "accountid",
    "memberid", "profileid", "subscriberid", "contactid", "personid",
    "orderid", "advertisingid", "sessid",
};


/* What stays of the context, by zone. */

static const char *const  martech_privacy_lists[MARTECH_ZONES] = {
    [MARTECH_ZONE_CONTEXT] = "library|page|locale|app|campaign|protocols",
    [MARTECH_ZONE_PAGE] = "url|path|referrer|search",
    [MARTECH_ZONE_LIBRARY] = "name|version|build|namespace",
    [MARTECH_ZONE_CAMPAIGN] = "name|source|medium|term|content|id",
    [MARTECH_ZONE_PROTOCOLS] = "event_version",
};


int
martech_privacy_personal_name(const char *name)
{
    size_t  i;

    if (martech_pii_among(name, martech_privacy_persons)) {
        return 1;
    }

    for (i = 0; i < sizeof(martech_privacy_parts) / sizeof(char *); i++) {

        if (strstr(name, martech_privacy_parts[i]) != NULL) {
            return 1;
        }
    }

    /* of a tool for advertisers, all of it */

    return strncmp(name, "hsa", 3) == 0;
}


static int
martech_privacy_name_among(const martech_json_tape_t *tape, uint32_t node,
    const char *names)
{
    char           name[32];
    martech_str_t  text;
    unsigned char  buf[MARTECH_PRIVACY_NAME_MAX];

    if (!martech_privacy_name_text(tape, node, buf, &text)
        || text.len == 0 || text.len >= sizeof(name)
        || memchr(text.data, '\0', text.len) != NULL)
    {
        return 0;
    }

    memcpy(name, text.data, text.len);
    name[text.len] = '\0';

    return martech_pii_among(name, names);
}


int
martech_privacy_unknown(martech_privacy_work_t *w, uint32_t node,
    unsigned zone)
{
    if (martech_privacy_lists[zone] != NULL) {

        if (!martech_privacy_name_among(w->tape, node,
                                        martech_privacy_lists[zone]))
        {
            return 1;
        }

        /* the lists are of plain values, but for the context itself */

        return (zone == MARTECH_ZONE_CONTEXT)
               ? (w->tape->nodes[node].kind == MARTECH_JSON_ARRAY)
               : (w->tape->nodes[node].kind >= MARTECH_JSON_ARRAY);
    }

    /* "title" and "name" of a page call are those of the page's head */

    return zone == MARTECH_ZONE_PROPERTIES
           && w->ev->type == MARTECH_EVENT_PAGE
           && martech_privacy_name_among(w->tape, node, "title");
}


unsigned
martech_privacy_zone(martech_privacy_work_t *w, uint32_t node, unsigned zone)
{
    if (zone != MARTECH_ZONE_CONTEXT) {
        return MARTECH_ZONE_DEEP;
    }

    if (martech_privacy_name_among(w->tape, node, "page")) {
        return MARTECH_ZONE_PAGE;
    }

    if (martech_privacy_name_among(w->tape, node, "library|app")) {
        return MARTECH_ZONE_LIBRARY;
    }

    if (martech_privacy_name_among(w->tape, node, "campaign")) {
        return MARTECH_ZONE_CAMPAIGN;
    }

    if (martech_privacy_name_among(w->tape, node, "protocols")) {
        return MARTECH_ZONE_PROTOCOLS;
    }

    return MARTECH_ZONE_DEEP;
}


/*
 * The ids are looked up in the text, not in the fields of the event, which
 * are gone once it is anonymous.
 */

void
martech_privacy_secrets(martech_privacy_work_t *w, martech_str_t ip,
    martech_str_t agent)
{
    unsigned                    f;
    uint32_t                    i;
    const martech_json_node_t  *nodes;

    nodes = w->tape->nodes;

    martech_privacy_secret_add(w, ip);
    martech_privacy_secret_add(w, agent);

    for (i = w->ev->node + 1; i < nodes[w->ev->node].next; i = nodes[i].next) {
        f = martech_field(w->tape, &nodes[i]);

        switch (f) {

        case MARTECH_FIELD_MESSAGE_ID:
        case MARTECH_FIELD_ANONYMOUS_ID:
        case MARTECH_FIELD_USER_ID:
        case MARTECH_FIELD_GROUP_ID:
        case MARTECH_FIELD_PREVIOUS_ID:
            martech_privacy_secret_node(w, i);
            break;

        case MARTECH_FIELD_TRAITS:
            martech_privacy_secret_traits(w, i);
            break;

        case MARTECH_FIELD_CONTEXT:
            martech_privacy_secret_context(w, i);
            break;

        default:
            break;
        }
    }

    if (w->ev->batch->context != MARTECH_JSON_NONE) {
        martech_privacy_secret_context(w, w->ev->batch->context);
    }
}


static void
martech_privacy_secret_context(martech_privacy_work_t *w, uint32_t context)
{
    uint32_t                    i;
    const martech_json_node_t  *nodes;

    nodes = w->tape->nodes;

    if (nodes[context].kind != MARTECH_JSON_OBJECT) {
        return;
    }

    for (i = context + 1; i < nodes[context].next; i = nodes[i].next) {

        if (martech_privacy_name_among(w->tape, i, "ip|userAgent")) {
            martech_privacy_secret_node(w, i);

        } else if (martech_privacy_name_among(w->tape, i,
                                              "traits|device|externalIds"))
        {
            martech_privacy_secret_traits(w, i);
        }
    }
}


/* Values of all depths whose name is a person's, and "name" itself. */

static void
martech_privacy_secret_traits(martech_privacy_work_t *w, uint32_t traits)
{
    uint32_t                    i;
    const martech_json_node_t  *nodes;
    martech_privacy_name_t      name;

    nodes = w->tape->nodes;

    for (i = traits + 1; i < nodes[traits].next; i++) {

        if (nodes[i].kind != MARTECH_JSON_STRING
            && nodes[i].kind != MARTECH_JSON_NUMBER)
        {
            continue;
        }

        memset(&name, 0, sizeof(name));

        if (nodes[i].key == 0 || martech_privacy_person(w, i, &name)
            || name.called)
        {
            martech_privacy_secret_node(w, i);
        }
    }
}


static void
martech_privacy_secret_node(martech_privacy_work_t *w, uint32_t node)
{
    long                       n;
    martech_str_t              text;
    martech_privacy_secrets_t  *secrets;

    if (w->tape->nodes[node].kind != MARTECH_JSON_STRING
        && w->tape->nodes[node].kind != MARTECH_JSON_NUMBER)
    {
        return;
    }

    secrets = w->secrets;
    text = martech_json_slice(w->tape, node);

    if (w->tape->nodes[node].flags & MARTECH_JSON_VALUE_ESCAPED) {
        n = martech_json_unescape(text, secrets->buf + secrets->used,
                                  sizeof(secrets->buf) - secrets->used);
        if (n < 0) {
            w->edits->full = 1;
            return;
        }

        text.data = secrets->buf + secrets->used;
        text.len = (size_t) n;
        secrets->used += text.len;
    }

    martech_privacy_secret_add(w, text);
}


static inline unsigned char
martech_privacy_small(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') ? c | 0x20 : c;
}


static void
martech_privacy_secret_add(martech_privacy_work_t *w, martech_str_t text)
{
    unsigned                    i;
    martech_privacy_secrets_t  *secrets;

    secrets = w->secrets;

    if (text.len < MARTECH_PRIVACY_SECRET_MIN) {
        return;
    }

    for (i = 0; i < secrets->count; i++) {

        if (secrets->list[i].len == text.len
            && memcmp(secrets->list[i].data, text.data, text.len) == 0)
        {
            return;
        }
    }

    if (secrets->count == MARTECH_PRIVACY_SECRETS) {
        w->edits->full = 1;
        return;
    }

    secrets->first[martech_privacy_small(text.data[0])] = 1;
    secrets->list[secrets->count++] = text;
}


int
martech_privacy_secret(const martech_privacy_secrets_t *secrets,
    martech_str_t text, size_t offset, size_t *from, size_t *to)
{
    size_t                at, i;
    unsigned              n;
    const martech_str_t  *secret;

    for (at = offset; at < text.len; at++) {

        if (!secrets->first[martech_privacy_small(text.data[at])]) {
            continue;
        }

        for (n = 0; n < secrets->count; n++) {
            secret = &secrets->list[n];

            if (secret->len > text.len - at) {
                continue;
            }

            for (i = 0; i < secret->len
                 && martech_privacy_small(secret->data[i])
                    == martech_privacy_small(text.data[at + i]);
                 i++)
            {
                /* void */
            }

            if (i == secret->len) {
                *from = at;
                *to = at + i;
                return 1;
            }
        }
    }

    return 0;
}


/*
 * Percent-encoding and the escapes of JSON, one layer of each at a time; a
 * sender that encodes more often than this hides from everyone.
 */

int
martech_privacy_hidden(martech_privacy_work_t *w, martech_str_t text)
{
    size_t               from, to;
    unsigned             i;
    unsigned char       *out;
    martech_pii_match_t  match;

    out = martech_privacy_scratch(w->privacy, 3);

    for (i = 0; i < 2; i++) {

        if (memchr(text.data, '%', text.len) == NULL
            && memchr(text.data, '\\', text.len) == NULL
            && memchr(text.data, '+', text.len) == NULL)
        {
            return 0;
        }

        text.len = martech_privacy_decode(text, out, MARTECH_PRIVACY_SCRATCH);
        text.data = out;

        if (martech_privacy_secret(w->secrets, text, 0, &from, &to)
            || martech_pii_next(MARTECH_PII_ALL | MARTECH_PII_RANDOM, 0,
                                text.data, text.len, 0, &match))
        {
            return 1;
        }
    }

    return 0;
}


/* out may be the text itself. */

static size_t
martech_privacy_decode(martech_str_t text, unsigned char *out, size_t size)
{
    int                   code;
    size_t                n;
    const unsigned char  *p, *end;

    text.len = martech_url_decode(text, out, size);

    p = out;
    end = out + text.len;

    for (n = 0; p < end; n++) {

        if (*p != '\\' || end - p < 2) {
            out[n] = *p++;
            continue;
        }

        code = (p[1] == 'u' && end - p >= 6) ? martech_json_hex4(p + 2, end)
                                             : -1;

        if (code >= 0 && code < 0x80) {
            out[n] = (unsigned char) code;
            p += 6;
            continue;
        }

        out[n] = p[1];
        p += 2;
    }

    return n;
}
