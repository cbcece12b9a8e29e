
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_auth, fwd_jwt, fwd_seal and the signatures with two
 * live keys.
 */


#include "fwd_test.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

/* forwarder */
#include "fwd_auth.h"
#include "fwd_endpoint.h"
#include "fwd_grant.h"
#include "fwd_jwt.h"
#include "fwd_seal.h"
#include "fwd_sign.h"


#define KEY_HEX                                                               \
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* RFC 8032 7.1, test 1: the seed, and its public key */
#define SEED     "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define PUBLIC                                                                \
    "\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a"        \
    "\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a"


typedef struct {
    fwd_desc_t            desc;
    fwd_dest_conf_t       dest;
    fwd_auth_t           *auth;
    fwd_auth_call_t       call;
    fwd_buf_t             url;
    fwd_buf_t             headers;
    fwd_error_t           err;
} scene_t;


static fwd_rc_t
scene(scene_t *s, const char *kind, fwd_pair_t *members, size_t count)
{
    fwd_rc_t  rc;

    memset(s, 0, sizeof(scene_t));
    s->desc.auth.kind = kind;
    s->desc.auth.members = members;
    s->desc.auth.members_count = count;
    s->dest.desc = &s->desc;
    s->dest.name = "d";

    fwd_buf_init(&s->url, 4096);
    fwd_buf_init(&s->headers, 4096);
    fwd_buf_add_string(&s->url, "https://a.example/x");

    s->call.url = &s->url;
    s->call.headers = &s->headers;
    s->call.body = "{}";
    s->call.body_len = 2;
    s->call.id = "msg";
    s->call.now_ms = 1614265330000;

    rc = fwd_auth_create(&s->auth, NULL, &s->dest, &s->err);

    return rc;
}


static void
scene_end(scene_t *s)
{
    fwd_auth_destroy(s->auth);
    fwd_buf_free(&s->url);
    fwd_buf_free(&s->headers);
}


static void
test_constant(void **state)
{
    scene_t     s;
    fwd_pair_t  bearer[] = { { "token", "T" } };
    fwd_pair_t  basic[] = { { "user", "Aladdin" },
                            { "password", "open sesame" } };
    fwd_pair_t  header[] = { { "name", "X-Key" }, { "value", "V" } };
    fwd_pair_t  query[] = { { "name", "key" }, { "value", "a&b" } };

    (void) state;

    assert_int_equal(scene(&s, "bearer", bearer, 1), FWD_OK);
    assert_int_equal(fwd_auth_attach(s.auth, &s.call, &s.err), FWD_OK);
    assert_string_equal(fwd_buf_string(&s.headers),
                        "Authorization: Bearer T\n");
    fwd_auth_wipe(&s.headers);
    s.call.show = 1;
    assert_int_equal(fwd_auth_attach(s.auth, &s.call, &s.err), FWD_OK);
    assert_string_equal(fwd_buf_string(&s.headers),
                        "Authorization: Bearer ***\n");
    scene_end(&s);

    /* RFC 7617 2 has this login */

    assert_int_equal(scene(&s, "basic", basic, 2), FWD_OK);
    assert_int_equal(fwd_auth_attach(s.auth, &s.call, &s.err), FWD_OK);
    assert_string_equal(fwd_buf_string(&s.headers),
                        "Authorization: Basic "
                        "QWxhZGRpbjpvcGVuIHNlc2FtZQ==\n");
    scene_end(&s);

    assert_int_equal(scene(&s, "header", header, 2), FWD_OK);
    assert_int_equal(fwd_auth_attach(s.auth, &s.call, &s.err), FWD_OK);
    assert_string_equal(fwd_buf_string(&s.headers), "X-Key: V\n");
    scene_end(&s);

    assert_int_equal(scene(&s, "query", query, 2), FWD_OK);
    assert_int_equal(fwd_auth_attach(s.auth, &s.call, &s.err), FWD_OK);
    assert_string_equal(fwd_buf_string(&s.url),
                        "https://a.example/x?key=a%26b");
    assert_int_equal(s.headers.len, 0);
    scene_end(&s);
}


static void
test_refused(void **state)
{
    scene_t     s;
    fwd_pair_t  line[] = { { "token", "T\r\nX: y" } };
    fwd_pair_t  control[] = { { "token", "T\x01" } };
    fwd_pair_t  unknown[] = { { "tokens", "T" } };
    fwd_pair_t  grant[] = { { "grant", "password" },
                            { "token_url", "https://a.example/" } };
    fwd_pair_t  jwt[] = { { "grant", "jwt_bearer" },
                          { "token_url", "https://a.example/" },
                          { "issuer", "us" }, { "key", "hidden-secret" } };

    (void) state;

    assert_int_equal(scene(&s, "bearer", line, 1), FWD_ERROR);
    scene_end(&s);
    assert_int_equal(scene(&s, "bearer", control, 1), FWD_ERROR);
    scene_end(&s);
    assert_int_equal(scene(&s, "bearer", unknown, 1), FWD_ERROR);
    assert_non_null(strstr(s.err.text, "tokens"));
    scene_end(&s);
    assert_int_equal(scene(&s, "bearer", NULL, 0), FWD_ERROR);
    scene_end(&s);
    assert_int_equal(scene(&s, "oauth2", grant, 2), FWD_ERROR);
    assert_non_null(strstr(s.err.text, "password"));
    scene_end(&s);
    assert_int_equal(scene(&s, "oauth2", jwt, 4), FWD_ERROR);
    assert_null(strstr(s.err.text, "hidden-secret"));
    scene_end(&s);
}


/* Two HMACs and an asymmetric one, each of which a receiver may know. */

static void
test_webhooks(void **state)
{
    char            text[FWD_SIGN_TEXT_MAX];
    char            *mark;
    scene_t         s;
    EVP_PKEY       *key;
    EVP_MD_CTX     *ctx;
    const char     *headers;
    fwd_sign_key_t  old;
    unsigned char   signature[96];
    fwd_pair_t      keys[] = {
        { "secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
        { "previous", "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB" },
        { "key_ed25519", "whsk_" SEED }
    };

    (void) state;

    assert_int_equal(scene(&s, "standard-webhooks", keys, 3), FWD_OK);
    assert_int_equal(fwd_auth_attach(s.auth, &s.call, &s.err), FWD_OK);

    headers = fwd_buf_string(&s.headers);
    assert_non_null(strstr(headers, "webhook-id: msg\n"));
    assert_non_null(strstr(headers, "webhook-timestamp: 1614265330\n"));

    assert_int_equal(fwd_sign_key(&old, keys[1].value, &s.err), FWD_OK);
    fwd_sign_v1(text, &old, "msg", 1614265330, "{}", 2);
    assert_non_null(strstr(headers, text));

    mark = strstr(headers, " v1a,");
    assert_non_null(mark);
    mark[5 + 88] = '\0';
    assert_int_equal(EVP_DecodeBlock(signature,
                                     (const unsigned char *) mark + 5, 88),
                     66);

    key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                      (const unsigned char *) PUBLIC, 32);
    ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key), 1);
    assert_int_equal(EVP_DigestVerify(ctx, signature, 64,
                                      (const unsigned char *)
                                      "msg.1614265330.{}", 17), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    scene_end(&s);

    keys[2].value = "whsk_AAAA";
    assert_int_equal(scene(&s, "standard-webhooks", keys, 3), FWD_ERROR);
    assert_non_null(strstr(s.err.text, "key_ed25519"));
    scene_end(&s);
}


static void
test_given(void **state)
{
    scene_t     s;
    fwd_pair_t  grant[] = { { "grant", "client_credentials" },
                            { "token_url", "https://a.example/" },
                            { "client_id", "i" }, { "client_secret", "s" } };

    (void) state;

    assert_int_equal(scene(&s, "oauth2", grant, 4), FWD_OK);
    assert_int_equal(fwd_auth_attach(s.auth, &s.call, &s.err), FWD_AGAIN);
    assert_int_equal(fwd_auth_given(s.auth, "{}", &s.err), FWD_ERROR);
    assert_int_equal(fwd_auth_given(s.auth, "{\"access_token\":\"T\","
                                    "\"instance_url\":\"https://i.example\"}",
                                    &s.err), FWD_OK);
    assert_int_equal(fwd_auth_attach(s.auth, &s.call, &s.err), FWD_OK);
    assert_string_equal(fwd_buf_string(&s.headers),
                        "Authorization: Bearer T\n");
    assert_string_equal(fwd_auth_captured(s.auth, "instance_url"),
                        "https://i.example");
    assert_null(fwd_auth_captured(s.auth, "access_token"));
    scene_end(&s);
}


/* A token becomes a header: nothing else may stand in it. */

static void
test_given_bad(void **state)
{
    size_t      i;
    scene_t     s;
    fwd_pair_t  grant[] = { { "grant", "client_credentials" },
                            { "token_url", "https://a.example/" },
                            { "client_id", "i" }, { "client_secret", "s" } };

    static const char *const  cases[] = {
        "", "null", "[]", "\"T\"", "{\"access_token\":1}",
        "{\"access_token\":\"\"}", "{\"access_token\":\"T\\r\\nX: y\"}",
        "{\"access_token\":\"T T\"}", "{\"access_token\":\"T\\u0001\"}",
        "{\"access_token\":\"T\\u0000\"}", "{\"access_token\":\"\\u00e9\"}",
        "{\"access_token\":\"T\"", "{\"access_token\":[\"T\"]}"
    };

    (void) state;

    assert_int_equal(scene(&s, "oauth2", grant, 4), FWD_OK);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (fwd_auth_given(s.auth, cases[i], &s.err) != FWD_ERROR) {
            fail_msg("%s", cases[i]);
        }

        assert_int_equal(fwd_auth_attach(s.auth, &s.call, &s.err), FWD_AGAIN);
    }

    scene_end(&s);
}


static void
test_life(void **state)
{
    size_t     i;
    json_t    *ends;
    uint64_t   early, spare;

    static const struct {
        const char  *json;
        uint64_t     life_ms;
    } rows[] = {
        { "5", 5000 }, { "\"3600\"", 3600000 }, { "1.5", 1500 },
        { "0", 7 }, { "-1", 7 }, { "\"-5\"", 7 }, { "null", 7 },
        { "\"soon\"", 7 }, { "\"nan\"", 7 }, { "\"inf\"", 7 },
        { "1e300", 7 }, { "9223372036854775807", 7 },
        { "\"18446744073709551616\"", 7 }, { "[]", 7 }, { "true", 7 }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ends = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
        assert_non_null(ends);

        if (fwd_grant_life(ends, 7) != rows[i].life_ms) {
            fail_msg("%s", rows[i].json);
        }

        json_decref(ends);
    }

    assert_int_equal(fwd_grant_life(NULL, 7), 7);

    /* a long one is refreshed in time, and used until then and longer */

    fwd_grant_margins(2 * 3600 * 1000, 60000, &early, &spare);
    assert_int_equal(early, 60000);
    assert_int_equal(spare, 5000);
    fwd_grant_margins(5000, 60000, &early, &spare);
    assert_int_equal(early, 1250);
    assert_int_equal(spare, 250);
    fwd_grant_margins(3600 * 1000, 0, &early, &spare);
    assert_int_equal(early, 5000);
    fwd_grant_margins(0, 60000, &early, &spare);
    assert_int_equal(early, 0);
}


/* "auth" of an endpoint instead of that of the destination. */

static void
test_own(void **state)
{
    scene_t           s;
    fwd_pair_t        bearer[] = { { "token", "T" } };
    fwd_pair_t        header[] = { { "name", "X-Key" }, { "value", "V" } };
    fwd_desc_http_t   list[3];
    fwd_endpoint_t    endpoint;
    fwd_desc_auth_t   none, other;

    (void) state;

    assert_int_equal(scene(&s, "bearer", bearer, 1), FWD_OK);
    fwd_auth_destroy(s.auth);

    memset(list, 0, sizeof(list));
    memset(&none, 0, sizeof(none));
    memset(&other, 0, sizeof(other));
    memset(&endpoint, 0, sizeof(endpoint));
    none.kind = "none";
    other.kind = "header";
    other.members = header;
    other.members_count = 2;
    list[1].auth = &none;
    list[2].auth = &other;
    s.desc.endpoints = list;
    s.desc.endpoints_count = 3;

    assert_int_equal(fwd_auth_create(&s.auth, NULL, &s.dest, &s.err), FWD_OK);
    s.call.endpoint = &endpoint;

    assert_int_equal(fwd_auth_attach(s.auth, &s.call, &s.err), FWD_OK);
    assert_string_equal(fwd_buf_string(&s.headers),
                        "Authorization: Bearer T\n");

    fwd_auth_wipe(&s.headers);
    endpoint.index = 1;
    assert_int_equal(fwd_auth_attach(s.auth, &s.call, &s.err), FWD_OK);
    assert_int_equal(s.headers.len, 0);

    endpoint.index = 2;
    assert_int_equal(fwd_auth_attach(s.auth, &s.call, &s.err), FWD_OK);
    assert_string_equal(fwd_buf_string(&s.headers), "X-Key: V\n");
    scene_end(&s);

    /* one that lacks something is found when it is made */

    assert_int_equal(scene(&s, "bearer", bearer, 1), FWD_OK);
    fwd_auth_destroy(s.auth);
    other.members_count = 1;
    s.desc.endpoints = list;
    s.desc.endpoints_count = 3;
    assert_int_equal(fwd_auth_create(&s.auth, NULL, &s.dest, &s.err),
                     FWD_ERROR);
    assert_non_null(strstr(s.err.text, "auth.value"));
    s.auth = NULL;
    scene_end(&s);
}


static void
test_seal(void **state)
{
    size_t          i;
    fwd_buf_t       sealed, again, text;
    fwd_seal_key_t  key, other;

    (void) state;

    assert_int_equal(fwd_seal_key(&key, KEY_HEX), FWD_OK);
    assert_int_equal(key.bytes[31], 0x1f);
    assert_int_equal(fwd_seal_key(&other, "00"), FWD_ERROR);
    assert_int_equal(fwd_seal_key(&other, "zz" KEY_HEX), FWD_ERROR);
    other = key;
    other.bytes[0] ^= 1;

    fwd_buf_init(&sealed, 4096);
    fwd_buf_init(&again, 4096);
    fwd_buf_init(&text, 4096);

    assert_int_equal(fwd_seal(&sealed, &key, "place", "a secret", 8), FWD_OK);
    assert_int_equal(fwd_seal(&again, &key, "place", "a secret", 8), FWD_OK);
    assert_int_equal(sealed.len, 8 + FWD_SEAL_EXTRA);
    assert_memory_not_equal(sealed.data, again.data, sealed.len);

    assert_int_equal(fwd_unseal(&text, &key, "place", sealed.data,
                                sealed.len), FWD_OK);
    assert_string_equal(fwd_buf_string(&text), "a secret");

    assert_int_equal(fwd_unseal(&text, &key, "elsewhere", sealed.data,
                                sealed.len), FWD_ERROR);
    assert_int_equal(fwd_unseal(&text, &other, "place", sealed.data,
                                sealed.len), FWD_ERROR);

    for (i = 0; i < sealed.len; i++) {
        assert_int_equal(fwd_unseal(&text, &key, "place", sealed.data, i),
                         FWD_ERROR);
        sealed.data[i] ^= 0x40;
        assert_int_equal(fwd_unseal(&text, &key, "place", sealed.data,
                                    sealed.len), FWD_ERROR);
        sealed.data[i] ^= 0x40;
    }

    assert_string_equal(fwd_buf_string(&text), "a secret");

    fwd_buf_free(&sealed);
    fwd_buf_free(&again);
    fwd_buf_free(&text);
}


static void
test_jwt(void **state)
{
    BIO          *bio;
    char         *data, pem[8192];
    long          len;
    EVP_PKEY     *key;
    fwd_buf_t     out;
    fwd_error_t   err;

    (void) state;

    key = EVP_RSA_gen(2048);
    bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL,
                                              NULL), 1);
    len = BIO_get_mem_data(bio, &data);
    memcpy(pem, data, (size_t) len);
    pem[len] = '\0';
    BIO_free(bio);
    EVP_PKEY_free(key);

    fwd_buf_init(&out, 8192);

    assert_int_equal(fwd_jwt_key_check(pem, &err), FWD_OK);
    assert_int_equal(fwd_jwt_key_check("no key", &err), FWD_ERROR);
    assert_int_equal(fwd_jwt_rs256(&out, pem, "{\"iss\":\"us\"}", &err),
                     FWD_OK);

    /* {"alg":"RS256","typ":"JWT"} . {"iss":"us"} . 256 bytes */

    assert_int_equal(strncmp(fwd_buf_string(&out),
                             "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9."
                             "eyJpc3MiOiJ1cyJ9.", 54), 0);
    assert_int_equal(out.len, 54 + 342);
    assert_null(strpbrk(fwd_buf_string(&out), "+/="));

    fwd_buf_free(&out);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_webhooks),
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_given_bad),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_jwt)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
