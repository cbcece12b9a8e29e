
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Options of the commands: one table, with the commands that take each.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli.h"
#include "fwd_units.h"


typedef enum {
    FWD_OPTION_FLAG = 0,
    FWD_OPTION_TEXT,
    FWD_OPTION_NUMBER,
    FWD_OPTION_TIME,              /* with a unit, or seconds */
    FWD_OPTION_RATE,              /* a number, "/s" may follow */
    FWD_OPTION_LIST
} fwd_option_kind_t;


typedef struct {
    const char           *name;
    fwd_option_kind_t     kind;
    size_t                offset;        /* into fwd_cli_options_t */
    unsigned              commands;
    const char           *value;         /* how help calls it, or NULL */
    const char           *text;
} fwd_option_t;


static const fwd_option_t *fwd_cli_option(const char *name, unsigned mask);
static fwd_rc_t fwd_cli_set(fwd_cli_t *cli, const fwd_option_t *option,
    const char *value);
static fwd_rc_t fwd_cli_time(uint64_t *ms, const char *text);
static fwd_rc_t fwd_cli_rate(uint64_t *rate, const char *text);


#define FWD_AT(member)  offsetof(fwd_cli_options_t, member)

#define FWD_FILTERED    (FWD_CLI_DEAD & ~FWD_CLI_SHOW)
#define FWD_QFILTERED   (FWD_CLI_QUARANTINE & ~FWD_CLI_Q_SHOW)


static const fwd_option_t  fwd_options[] = {
    { "-c", FWD_OPTION_TEXT, FWD_AT(file), FWD_CLI_ALL, "FILE",
      "the configuration of the forwarder" },
    { "--json", FWD_OPTION_FLAG, FWD_AT(json),
      (FWD_CLI_ALL & ~FWD_CLI_TRIALS) | FWD_CLI_P_LINT | FWD_CLI_P_DIFF,
      NULL,
      "print JSON, for programs" },
    { "--wait", FWD_OPTION_TIME, FWD_AT(wait_ms), FWD_CLI_LEDGER, "SECONDS",
      "for a moment without traffic in a shard (5)" },
    { "--accept", FWD_OPTION_FLAG, FWD_AT(accept), FWD_CLI_LEDGER, NULL,
      "events that no destination was offered so far are no difference" },
    { "--destination", FWD_OPTION_TEXT, FWD_AT(destination),
      FWD_CLI_DEAD | FWD_CLI_TOP | FWD_CLI_STATUS, "NAME",
      "only this one (all)" },
    { "--class", FWD_OPTION_TEXT, FWD_AT(class), FWD_FILTERED, "CLASS",
      "of the last attempt: rejected, retry, ..." },
    { "--reason", FWD_OPTION_TEXT, FWD_AT(reason), FWD_FILTERED, "REASON",
      "of the letter: rejected, gave_up, map_error, ..." },
    { "--code", FWD_OPTION_TEXT, FWD_AT(code), FWD_FILTERED, "STATUS",
      "of the answer: 404, or 4xx; 0: there was none" },
    { "--older", FWD_OPTION_TIME, FWD_AT(older_ms), FWD_FILTERED, "AGE",
      "dead for longer than 10m, 2h, 3d" },
    { "--newer", FWD_OPTION_TIME, FWD_AT(newer_ms), FWD_FILTERED, "AGE",
      "dead for less" },
    { "--id", FWD_OPTION_LIST, FWD_AT(ids),
      FWD_FILTERED | FWD_QFILTERED, "ID",
      "messageId, or place; may be given several times" },
    { "--shard", FWD_OPTION_NUMBER, FWD_AT(shard),
      FWD_CLI_DEAD | FWD_CLI_QUARANTINE,
      "NUMBER", "only this one" },
    { "--limit", FWD_OPTION_NUMBER, FWD_AT(limit),
      FWD_FILTERED | FWD_QFILTERED, "COUNT", "not more than that" },
    { "--to", FWD_OPTION_TEXT, FWD_AT(to), FWD_CLI_REPLAY, "NAME",
      "send to another destination" },
    { "--remap", FWD_OPTION_FLAG, FWD_AT(remap), FWD_CLI_REPLAY, NULL,
      "through the map as it is now (default)" },
    { "--as-sent", FWD_OPTION_FLAG, FWD_AT(as_sent), FWD_CLI_REPLAY, NULL,
      "the body of the request as it was, without a map" },
    { "--rate", FWD_OPTION_RATE, FWD_AT(rate), FWD_CLI_REPLAY, "N/s",
      "letters a second (100)" },
    { "--rate", FWD_OPTION_RATE, FWD_AT(rate), FWD_CLI_P_REPLAY, "N/s",
      "events a second (1000)" },
    { "--dry-run", FWD_OPTION_FLAG, FWD_AT(dry_run),
      FWD_CLI_REPLAY | FWD_CLI_DROP | FWD_CLI_P_REPLAY | FWD_CLI_Q_DROP,
      NULL, "only say what would be done" },
    { "--diff", FWD_OPTION_FLAG, FWD_AT(diff), FWD_CLI_REPLAY, NULL,
      "with --dry-run: what the map would make otherwise now" },
    { "--show-values", FWD_OPTION_FLAG, FWD_AT(show_values), FWD_CLI_REPLAY,
      NULL, "with --diff: values too, which may be personal" },
    { "--anonymous", FWD_OPTION_TEXT, FWD_AT(anonymous),
      FWD_CLI_IDENTITY | FWD_CLI_FORGET, "ID", "an anonymousId" },
    { "--user", FWD_OPTION_TEXT, FWD_AT(user),
      FWD_CLI_IDENTITY | FWD_CLI_FORGET, "ID", "a userId" },
    { "--yes", FWD_OPTION_FLAG, FWD_AT(yes),
      FWD_CLI_DROP | FWD_CLI_FORGET | FWD_CLI_Q_DROP, NULL,
      "do it; without, only say what would be removed" },
    { "--why", FWD_OPTION_TEXT, FWD_AT(why), FWD_CLI_PAUSE, "TEXT",
      "kept with the pause, for colleagues" },
    { "-n", FWD_OPTION_NUMBER, FWD_AT(count), FWD_CLI_TOP, "COUNT",
      "end after so many tables" },
    { "--interval", FWD_OPTION_TIME, FWD_AT(interval_ms), FWD_CLI_TOP,
      "TIME", "between two tables (1s)" },
    { "--once", FWD_OPTION_FLAG, FWD_AT(once), FWD_CLI_TOP, NULL,
      "one table, and end" },
    { "--ages", FWD_OPTION_FLAG, FWD_AT(ages), FWD_CLI_TOP, NULL,
      "how old the waiting events are" },
    { "--plan", FWD_OPTION_TEXT, FWD_AT(plan), FWD_CLI_P_REPLAY, "FILE",
      "the plan that they have to pass" },
    { "--any-plan", FWD_OPTION_FLAG, FWD_AT(any_plan), FWD_CLI_P_REPLAY,
      NULL, "also what a plan of another name has put aside" },
    { "--unchecked", FWD_OPTION_FLAG, FWD_AT(unchecked), FWD_CLI_P_REPLAY,
      NULL, "let them in as they are" },
    { "--event", FWD_OPTION_TEXT, FWD_AT(event), FWD_QFILTERED, "NAME",
      "only these; of users and groups, \"identify\" and \"group\"" },
    { "--source", FWD_OPTION_TEXT, FWD_AT(source), FWD_QFILTERED, "NAME",
      "only what this one has sent" },
    { "--rule", FWD_OPTION_TEXT, FWD_AT(rule), FWD_QFILTERED, "RULE",
      "only what violates it: required, type, unplanned_event, ..." },
    { "--values", FWD_OPTION_FLAG, FWD_AT(values),
      FWD_CLI_Q_SHOW | FWD_CLI_Q_EXPORT, NULL,
      "the events too, which may be personal" },
    { "--strict", FWD_OPTION_FLAG, FWD_AT(strict), FWD_CLI_P_LINT, NULL,
      "exit 1 if there are warnings" },
    { "--allow-breaking", FWD_OPTION_FLAG, FWD_AT(allow_breaking),
      FWD_CLI_P_DIFF, NULL, "exit 0 in any case" },
    { "--format", FWD_OPTION_TEXT, FWD_AT(format), FWD_CLI_P_DOCS,
      "html|markdown", "of the page (html)" },
    { "--name", FWD_OPTION_TEXT, FWD_AT(name), FWD_CLI_P_INFER, "NAME",
      "of the plan (that of the file)" },
    { "--least", FWD_OPTION_NUMBER, FWD_AT(least), FWD_CLI_P_INFER, "COUNT",
      "events from which on \"always\" and \"only these\" count (20)" },
    { "--dir", FWD_OPTION_TEXT, FWD_AT(dir), FWD_CLI_NEW, "DIR",
      "where the folder is made (destinations)" },
    { "--event", FWD_OPTION_TEXT, FWD_AT(event), FWD_CLI_TRIALS, "FILE",
      "an event, JSON; \"-\" is standard input" },
    { "--token", FWD_OPTION_TEXT, FWD_AT(token), FWD_CLI_TRIALS, "FILE",
      "what the token server has answered, JSON, for auth by OAuth" },
    { "--live", FWD_OPTION_FLAG, FWD_AT(live), FWD_CLI_SEND, NULL,
      "send it; without, only print what would be sent" },
    { "--validate", FWD_OPTION_FLAG, FWD_AT(validate), FWD_CLI_SEND, NULL,
      "send it to where the vendor only checks it" },
    { NULL, FWD_OPTION_FLAG, 0, 0, NULL, NULL }
};


fwd_rc_t
fwd_cli_parse(fwd_cli_t *cli, unsigned mask, int argc, char **argv)
{
    int                  i;
    const char          *value;
    const fwd_option_t  *option;

    cli->o.wait_ms = 5000;
    cli->o.rate = (mask & FWD_CLI_P_REPLAY) ? 1000 : 100;
    cli->o.least = 20;
    cli->o.interval_ms = 1000;
    cli->o.shard = FWD_CLI_NOT_GIVEN;
    cli->o.limit = FWD_CLI_NOT_GIVEN;
    cli->o.count = FWD_CLI_NOT_GIVEN;

    for (i = 0; i < argc; i++) {

        if (argv[i][0] != '-' || argv[i][1] == '\0') {

            if (cli->words_count == FWD_CLI_WORDS_MAX) {
                return fwd_error(&cli->err, "too many arguments");
            }

            cli->words[cli->words_count++] = argv[i];
            continue;
        }

        option = fwd_cli_option(argv[i], mask);

        if (option == NULL) {
            return fwd_error(&cli->err, "unknown option \"%s\"", argv[i]);
        }

        value = NULL;

        if (option->kind != FWD_OPTION_FLAG) {

            if (i + 1 == argc) {
                return fwd_error(&cli->err, "%s is missing after \"%s\"",
                                 option->value, argv[i]);
            }

            value = argv[++i];
        }

        if (fwd_cli_set(cli, option, value) != FWD_OK) {
            return FWD_ERROR;
        }
    }

    if (cli->o.file == NULL && !(mask & FWD_CLI_FILES)) {
        return fwd_error(&cli->err, "-c FILE is missing");
    }

    return FWD_OK;
}


static const fwd_option_t *
fwd_cli_option(const char *name, unsigned mask)
{
    const fwd_option_t  *option;

    for (option = fwd_options; option->name != NULL; option++) {

        if ((option->commands & mask) && strcmp(option->name, name) == 0) {
            return option;
        }
    }

    return NULL;
}


static fwd_rc_t
fwd_cli_set(fwd_cli_t *cli, const fwd_option_t *option, const char *value)
{
    void             *at;
    fwd_rc_t          rc;
    fwd_cli_list_t   *list;

    at = (char *) &cli->o + option->offset;
    rc = FWD_OK;

    switch (option->kind) {

    case FWD_OPTION_FLAG:
        *(uint64_t *) at = 1;
        break;

    case FWD_OPTION_TEXT:
        *(const char **) at = value;
        break;

    case FWD_OPTION_NUMBER:
        rc = fwd_units_number(at, value);
        break;

    case FWD_OPTION_TIME:
        rc = fwd_cli_time(at, value);
        break;

    case FWD_OPTION_RATE:
        rc = fwd_cli_rate(at, value);
        break;

    case FWD_OPTION_LIST:
        list = at;

        if (list->count == FWD_CLI_LIST_MAX) {
            return fwd_error(&cli->err, "\"%s\" may be given %d times",
                             option->name, FWD_CLI_LIST_MAX);
        }

        list->list[list->count++] = value;
        break;
    }

    if (rc != FWD_OK) {
        return fwd_error(&cli->err, "\"%s %s\": %s is expected",
                         option->name, value,
                         option->kind == FWD_OPTION_TIME
                         ? "a time such as 30s, 5m, 2h, 3d"
                         : "a number");
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_cli_time(uint64_t *ms, const char *text)
{
    uint64_t  seconds;

    if (fwd_units_number(&seconds, text) == FWD_OK
        && seconds < UINT64_MAX / 1000)
    {
        *ms = seconds * 1000;
        return FWD_OK;
    }

    return fwd_units_time(ms, text);
}


static fwd_rc_t
fwd_cli_rate(uint64_t *rate, const char *text)
{
    char    number[24];
    size_t  len;

    len = strcspn(text, "/");

    if (len >= sizeof(number)
        || (text[len] != '\0' && strcmp(&text[len], "/s") != 0))
    {
        return FWD_ERROR;
    }

    memcpy(number, text, len);
    number[len] = '\0';

    if (fwd_units_number(rate, number) != FWD_OK || *rate == 0) {
        return FWD_ERROR;
    }

    return FWD_OK;
}


void
fwd_cli_parse_help(unsigned mask)
{
    int                  width;
    const fwd_option_t  *option;

    for (option = fwd_options; option->name != NULL; option++) {

        if (option->commands & mask) {
            width = printf("  %s%s%s", option->name,
                           option->value ? " " : "",
                           option->value ? option->value : "");
            (void) printf("%*s%s\n", width < 24 ? 24 - width : 1, "",
                          option->text);
        }
    }
}
