
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Replies of Redis: however the bytes are cut into pieces, the same replies
 * come out and the same byte ends them.  The first byte of the input chooses
 * the pieces.
 */


#include "fuzz.h"

/* the module's part without NGINX */
#include "ngx_http_martech_resp.h"


#define FUZZ_REPLIES_MAX  64


typedef struct {
    int                       type;
    size_t                    len;
    size_t                    end;       /* where in the input it ended */
    int                       cut;
    char                      text[NGX_HTTP_MARTECH_RESP_TEXT_MAX];
} fuzz_reply_t;


typedef struct {
    fuzz_reply_t              replies[FUZZ_REPLIES_MAX];
    size_t                    count;
    size_t                    used;      /* bytes, up to the refused one */
    int                       refused;
} fuzz_run_t;


static void
fuzz_reply(fuzz_run_t *run, const ngx_http_martech_resp_t *resp, size_t end)
{
    size_t         i;
    fuzz_reply_t  *reply;

    fuzz_assert(resp->len <= NGX_HTTP_MARTECH_RESP_TEXT_MAX);
    fuzz_assert(resp->depth == 0);
    fuzz_assert(!resp->cut || resp->len == NGX_HTTP_MARTECH_RESP_TEXT_MAX);

    reply = &run->replies[run->count++];

    reply->type = resp->type;
    reply->len = resp->len;
    reply->end = end;
    reply->cut = resp->cut;
    memcpy(reply->text, resp->text, resp->len);

    switch (resp->type) {

    case NGX_HTTP_MARTECH_RESP_NULL:
        fuzz_assert(resp->len == 0);
        break;

    case NGX_HTTP_MARTECH_RESP_ERROR:
        fuzz_assert(ngx_http_martech_resp_class(resp->text, resp->len)
                    < NGX_HTTP_MARTECH_REDIS_CLASSES);
        /* fall through */

    case NGX_HTTP_MARTECH_RESP_STATUS:

        for (i = 0; i < resp->len; i++) {
            fuzz_assert(resp->text[i] != '\r' && resp->text[i] != '\n');
        }

        break;

    default:
        fuzz_assert(resp->type == NGX_HTTP_MARTECH_RESP_INTEGER
                    || resp->type == NGX_HTTP_MARTECH_RESP_BULK
                    || resp->type == NGX_HTTP_MARTECH_RESP_ARRAY);
    }
}


/* Parses the input in pieces of a length that a small generator gives. */
static void
fuzz_parse(fuzz_run_t *run, const uint8_t *data, size_t size, unsigned seed,
    size_t piece_max)
{
    int                       rc;
    size_t                    done, piece;
    uint8_t                  *copy;
    const unsigned char      *pos, *end;
    ngx_http_martech_resp_t   resp;

    memset(&resp, 0, sizeof(resp));

    run->count = 0;
    run->used = 0;
    run->refused = 0;

    for (done = 0; done < size; done += piece) {
        seed = seed * 1103515245 + 12345;

        piece = 1 + (seed >> 16) % piece_max;
        if (piece > size - done) {
            piece = size - done;
        }

        copy = fuzz_copy(data + done, piece);
        pos = copy;
        end = copy + piece;

        do {
            rc = ngx_http_martech_resp_parse(&resp, &pos, end);

            fuzz_assert(pos >= copy && pos <= end);
            run->used = done + (size_t) (pos - copy);

            if (rc == 1) {
                fuzz_reply(run, &resp, run->used);
            }

        } while (rc == 1 && run->count < FUZZ_REPLIES_MAX);

        if (rc == 0) {
            fuzz_assert(pos == end);
        }

        free(copy);

        if (rc == -1) {
            run->refused = 1;
            return;
        }

        if (run->count == FUZZ_REPLIES_MAX) {
            return;
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t             i;
    static fuzz_run_t  whole, split;

    if (size < 1) {
        return 0;
    }

    fuzz_parse(&whole, data + 1, size - 1, 0, 1);
    fuzz_parse(&split, data + 1, size - 1, data[0], 1 + data[0] % 40);

    fuzz_assert(whole.count == split.count);
    fuzz_assert(whole.refused == split.refused);
    fuzz_assert(whole.used == split.used);

    for (i = 0; i < whole.count; i++) {
        fuzz_assert(whole.replies[i].type == split.replies[i].type);
        fuzz_assert(whole.replies[i].len == split.replies[i].len);
        fuzz_assert(whole.replies[i].end == split.replies[i].end);
        fuzz_assert(whole.replies[i].cut == split.replies[i].cut);
        fuzz_assert(memcmp(whole.replies[i].text, split.replies[i].text,
                           whole.replies[i].len) == 0);
    }

    return 0;
}
