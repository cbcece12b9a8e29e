
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * "new": a folder of a destination to begin with.  It has what most of them
 * have, and goldens that pass.
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "fwd_cli.h"


#define FWD_NEW_DIR    "destinations"
#define FWD_NEW_NAME   "@name@"          /* stands for the name in a text */


static fwd_rc_t fwd_new_folder(fwd_cli_t *cli, const char *path, int fresh);
static fwd_rc_t fwd_new_file(fwd_cli_t *cli, const char *path,
    const char *text, const char *name);


static const struct {
    const char  *file;
    const char  *text;
} fwd_new_files[] = {
    { "destination.yaml",
      "# What this destination is.  Every key: docs/DESTINATIONS.md.\n"
      "\n"
      "name: @name@\n"
      "kind: http\n"
      "description: events as JSON\n"
      "docs: https://api.example.com/docs\n"
      "\n"
      "settings:\n"
      "  token:\n"
      "    type: string\n"
      "    secret: true\n"
      "    required: true\n"
      "    description: key of the account\n"
      "  region:\n"
      "    type: string\n"
      "    enum: [us, eu]\n"
      "    default: us\n"
      "    description: where the account is\n"
      "\n"
      "regions:\n"
      "  by: region\n"
      "  us: { host: api.example.com }\n"
      "  eu: { host: api-eu.example.com }\n"
      "\n"
      "auth: { kind: bearer, token: \"{token}\" }\n"
      "\n"
      "endpoints:\n"
      "  events:\n"
      "    url: \"https://{region.host}/v1/events\"\n"
      "    method: POST\n"
      "    framing: body\n"
      "    body: { events: \"@records\" }\n"
      "    batch: { count: 100, bytes: 1m, record: 32k, linger: 5ms }\n"
      "\n"
      "# members of records that are null are left out\n"
      "omit: \"null\"\n"
      "\n"
      "# events of persons who have not granted this are not sent\n"
      "consent: [analytics]\n"
      "\n"
      "timeout: 15s\n"
      "concurrency: 4\n" },
    { "map.jq",
      "# An event becomes records: none, one, or several.\n"
      "\n"
      "if .event.type != \"track\" then\n"
      "  drop(\"unsupported_type\")\n"
      "elif .event.event == null then\n"
      "  fail(\"no_event_name\")\n"
      "else\n"
      "  {\n"
      "    id: event_id,\n"
      "    name: .event.event,\n"
      "    time: seconds,\n"
      "    user: user_id,\n"
      "    email_sha256: sha256(email; [\"trim\", \"lower\"]),\n"
      "    properties: .event.properties\n"
      "  }\n"
      "end\n" },
    { "answer.jq",
      "# What an answer means; null: the status decides.\n"
      "\n"
      "if .status == 429 then\n"
      "  { outcome: \"throttled\", reason: \"rate\" }\n"
      "elif .status == 400 then\n"
      "  { outcome: \"split\", reason: \"invalid\" }\n"
      "else\n"
      "  null\n"
      "end\n" },
    { "golden/event-01-track.json",
      "{\n"
      "  \"about\": \"a purchase, and an event that has no place there\",\n"
      "  \"settings\": { \"token\": \"t-1\", \"region\": \"eu\" },\n"
      "  \"now\": \"2026-11-20T19:36:05Z\",\n"
      "  \"events\": [\n"
      "    { \"type\": \"track\", \"messageId\": \"m-1\", \"userId\": \"u-1\","
      "\n"
      "      \"timestamp\": \"2026-11-20T19:36:00.123Z\",\n"
      "      \"event\": \"Order Completed\",\n"
      "      \"context\": { \"traits\": { \"email\": \" Ada@Example.com\" } "
      "},\n"
      "      \"properties\": { \"order_id\": \"o-1\", \"total\": 29.9 } },\n"
      "    { \"type\": \"page\", \"messageId\": \"m-2\", \"userId\": \"u-1\","
      "\n"
      "      \"timestamp\": \"2026-11-20T19:36:01.000Z\" }\n"
      "  ],\n"
      "  \"requests\": [\n"
      "    { \"endpoint\": \"events\", \"method\": \"POST\",\n"
      "      \"url\": \"https://api-eu.example.com/v1/events\",\n"
      "      \"headers\": { \"Content-Type\": \"application/json\",\n"
      "                   \"Authorization\": \"Bearer t-1\" },\n"
      "      \"body\": { \"events\": [\n"
      "        { \"id\": \"m-1\", \"name\": \"Order Completed\",\n"
      "          \"time\": 1795203360, \"user\": \"u-1\",\n"
      "          \"email_sha256\": \""
      "b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72\",\n"
      "          \"properties\": { \"order_id\": \"o-1\", \"total\": 29.9 } }"
      "\n"
      "      ] } }\n"
      "  ],\n"
      "  \"dropped\": [ { \"event\": 1, \"reason\": \"unsupported_type\" } ]\n"
      "}\n" },
    { "golden/answer-01-throttled.json",
      "{\n"
      "  \"about\": \"too many requests\",\n"
      "  \"settings\": { \"token\": \"t-1\" },\n"
      "  \"sent\": 2,\n"
      "  \"answer\": { \"status\": 429, \"headers\": { \"Retry-After\": \"7\" "
      "},\n"
      "              \"body\": { \"error\": \"slow down\" } },\n"
      "  \"outcome\": \"throttled\"\n"
      "}\n" }
};


int
fwd_cli_new(fwd_cli_t *cli)
{
    size_t       i;
    const char  *dir, *folder, *name;

    name = cli->words[0];
    dir = cli->o.dir ? cli->o.dir : FWD_NEW_DIR;

    if (!fwd_config_name_valid(name)) {
        return fwd_cli_usage(cli, "\"%s\" is no name: 1 to %d of a-z, 0-9, "
                             "\"_\" and \"-\" are expected", name,
                             FWD_NAME_MAX);
    }

    folder = fwd_pool_printf(&cli->pool, "%s/%s", dir, name);

    if (fwd_new_folder(cli, dir, 0) != FWD_OK
        || fwd_new_folder(cli, folder, 1) != FWD_OK
        || fwd_new_folder(cli, fwd_pool_printf(&cli->pool, "%s/golden",
                                               folder), 1) != FWD_OK)
    {
        return fwd_cli_fail(cli);
    }

    for (i = 0; i < sizeof(fwd_new_files) / sizeof(fwd_new_files[0]); i++) {

        if (fwd_new_file(cli, fwd_pool_printf(&cli->pool, "%s/%s", folder,
                                              fwd_new_files[i].file),
                         fwd_new_files[i].text, name)
            != FWD_OK)
        {
            return fwd_cli_fail(cli);
        }
    }

    (void) printf("%s is there; next: martech-forwarder test %s\n", folder,
                  folder);

    return FWD_CLI_OK;
}


/* fresh: what somebody has made is never written over. */

static fwd_rc_t
fwd_new_folder(fwd_cli_t *cli, const char *path, int fresh)
{
    if (mkdir(path, 0777) != 0 && (fresh || errno != EEXIST)) {
        return fwd_error(&cli->err, "%s: %s", path, strerror(errno));
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_new_file(fwd_cli_t *cli, const char *path, const char *text,
    const char *name)
{
    int          fd, rc;
    FILE        *out;
    const char  *at;

    fd = open(path, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0666);
    out = (fd != -1) ? fdopen(fd, "w") : NULL;

    if (out == NULL) {
        return fwd_error(&cli->err, "%s: %s", path, strerror(errno));
    }

    at = strstr(text, FWD_NEW_NAME);

    if (at != NULL) {
        (void) fprintf(out, "%.*s%s", (int) (at - text), text, name);
        text = at + strlen(FWD_NEW_NAME);
    }

    (void) fputs(text, out);
    rc = ferror(out);

    if (fclose(out) != 0 || rc) {
        return fwd_error(&cli->err, "%s: cannot be written", path);
    }

    return FWD_OK;
}
