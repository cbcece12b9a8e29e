
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Names of query parameters that carry a person or a secret.
 */


#include <string.h>

#include "martech_url.h"


/* Joints do not count: "e-mail", "e_mail" and "eMail" are one name. */

static const char *const  martech_url_words[] = {
    "mail", "tel", "mobile", "msisdn", "fax", "name", "fname", "lname",
    "firstname", "lastname", "surname", "fullname", "username", "nickname",
    "user", "login", "pass", "pwd", "auth", "authorization", "code", "state",
    "sid", "jsessionid", "phpsessid", "key", "sig", "signature", "ssn", "otp",
    "reset", "invite", "nonce", "jwt", "mceid", "birthdate", "birthday", "dob",
    "address", "street", "zip", "postcode", "iban", "uid", "userid",
    "customerid",
};

/* These wherever they stand in a name. */

static const char *const  martech_url_parts[] = {
    "email", "passw", "passphrase", "token", "secret", "phone", "apikey",
    "session", "accesskey", "credential",
};


static int
martech_url_word(const char *name)
{
    size_t  i;

    for (i = 0; i < sizeof(martech_url_words) / sizeof(char *); i++) {

        if (*name == *martech_url_words[i]
            && strcmp(name, martech_url_words[i]) == 0)
        {
            return 1;
        }
    }

    for (i = 0; i < sizeof(martech_url_parts) / sizeof(char *); i++) {

        if (strstr(name, martech_url_parts[i]) != NULL) {
            return 1;
        }
    }

    return 0;
}


int
martech_url_usual(martech_str_t name)
{
    char           last[MARTECH_URL_NAME_MAX + 1];
    char           all[MARTECH_URL_NAME_MAX + 1];
    size_t         i, n, m;
    unsigned char  c;

    if (name.len > 4 && memcmp(name.data, "utm_", 4) == 0) {
        return 0;
    }

    n = 0;
    m = 0;

    for (i = 0; i < name.len && n < MARTECH_URL_NAME_MAX; i++) {
        c = name.data[i];

        if (c == '[' || c == '.') {
            m = 0;               /* "user[email]": the part counts, too */
            continue;
        }

        if (c == '_' || c == '-' || c == ' ' || c == ']' || c == '\0') {
            continue;
        }

        all[n++] = (char) c;
        last[m++] = (char) c;
    }

    all[n] = '\0';
    last[m] = '\0';

    return martech_url_word(all) || (m < n && martech_url_word(last));
}
