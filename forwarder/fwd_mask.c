
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Secrets are not shown.
 */


#include <string.h>
#include <strings.h>

#include "fwd_mask.h"


/* Parts of names of what is secret; "key" alone would hide too much. */
static const char *const  fwd_mask_parts[] = {
    "authorization", "cookie", "token", "secret", "password", "signature",
    "apikey", "api-key", "api_key", "access-key", "access_key", "auth-key",
    "auth_key", "credential", "session"
};

/* Names that are secret as a whole. */
static const char *const  fwd_mask_names[] = { "key", "sig", "auth", "pw" };


int
fwd_mask_name(const char *name, size_t len)
{
    size_t  i, n, at;

    for (i = 0; i < sizeof(fwd_mask_names) / sizeof(char *); i++) {
        if (strlen(fwd_mask_names[i]) == len
            && strncasecmp(fwd_mask_names[i], name, len) == 0)
        {
            return 1;
        }
    }

    for (i = 0; i < sizeof(fwd_mask_parts) / sizeof(char *); i++) {
        n = strlen(fwd_mask_parts[i]);

        for (at = 0; at + n <= len; at++) {
            if (strncasecmp(fwd_mask_parts[i], name + at, n) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


void
fwd_mask_url(fwd_buf_t *out, const char *url)
{
    size_t       name;
    const char  *p, *host, *at;

    p = url;
    host = strstr(url, "://");

    if (host != NULL) {
        host += 3;
        at = memchr(host, '@', strcspn(host, "/?#"));

        if (at != NULL) {
            fwd_buf_add(out, url, (size_t) (host - url));
            fwd_buf_add_string(out, FWD_MASK);
            p = at;
        }
    }

    at = strchr(p, '?');

    if (at == NULL) {
        fwd_buf_add_string(out, p);
        return;
    }

    while (*at == '?' || *at == '&') {
        name = strcspn(at + 1, "=&");
        fwd_buf_add(out, p, (size_t) (at + 1 + name - p));
        p = at + 1 + name;
        at = p + strcspn(p, "&");

        if (*p == '=' && fwd_mask_name(p - name, name)) {
            fwd_buf_add_string(out, "=" FWD_MASK);
            p = at;
        }
    }

    fwd_buf_add_string(out, p);
}
