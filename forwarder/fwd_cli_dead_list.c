
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Looking at dead letters: "dead ls", "show", "stats", "export".
 */


#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_book.h"
#include "fwd_cli_dead.h"


#define FWD_DEAD_LIST_LIMIT  1000        /* of "ls", unless asked for more */
#define FWD_DEAD_AGES        8


/* What the handlers of a walk share. */
typedef struct {
    fwd_cli_t            *cli;
    uint64_t              now_ms;
    uint64_t              count;
    json_t               *stats;
} fwd_dead_list_t;


static fwd_rc_t fwd_dead_ls_one(void *data, const fwd_letter_t *letter);
static fwd_rc_t fwd_dead_show_one(void *data, const fwd_letter_t *letter);
static fwd_rc_t fwd_dead_stats_one(void *data, const fwd_letter_t *letter);
static fwd_rc_t fwd_dead_export_one(void *data, const fwd_letter_t *letter);
static json_t *fwd_dead_head(const fwd_letter_t *letter);
static void fwd_dead_stats_print(const fwd_dead_list_t *list);
static void fwd_dead_stats_group(const fwd_dead_list_t *list,
    const char *group, const char *title);
static const char *fwd_dead_age(uint64_t ms);


static const struct {
    uint64_t     below_ms;
    const char  *name;
} fwd_dead_ages[FWD_DEAD_AGES] = {
    { 60 * 1000ULL, "1m" },
    { 5 * 60 * 1000ULL, "5m" },
    { 3600 * 1000ULL, "1h" },
    { 6 * 3600 * 1000ULL, "6h" },
    { 24 * 3600 * 1000ULL, "1d" },
    { 3 * 24 * 3600 * 1000ULL, "3d" },
    { 7 * 24 * 3600 * 1000ULL, "7d" },
    { UINT64_MAX, "older" }
};


int
fwd_cli_dead_ls(fwd_cli_t *cli)
{
    int                  status;
    uint64_t             limit;
    fwd_dead_list_t      list;
    fwd_letter_filter_t  filter;

    memset(&list, 0, sizeof(fwd_dead_list_t));
    list.cli = cli;
    limit = cli->o.limit;

    if (limit == FWD_CLI_NOT_GIVEN) {
        cli->o.limit = FWD_DEAD_LIST_LIMIT;
    }

    status = fwd_dead_filter(cli, &filter);

    if (status != FWD_CLI_OK) {
        return status;
    }

    if (!cli->o.json) {
        (void) printf("%-19s  %-16s  %-11s  %4s  %3s  %-16s  %-36s  %s\n",
                      "TIME (UTC)", "DESTINATION", "CLASS", "CODE", "TRY",
                      "REASON", "ID", "PLACE");
    }

    if (fwd_dead_each(cli, &filter, fwd_dead_ls_one, &list) != FWD_OK) {
        return fwd_cli_fail(cli);
    }

    if (limit == FWD_CLI_NOT_GIVEN && list.count == FWD_DEAD_LIST_LIMIT) {
        (void) fflush(stdout);
        (void) fprintf(stderr, "the first %d; \"--limit\" shows more\n",
                       FWD_DEAD_LIST_LIMIT);
    }

    return FWD_CLI_OK;
}


static fwd_rc_t
fwd_dead_ls_one(void *data, const fwd_letter_t *letter)
{
    char              stamp[FWD_CLI_TIME_MAX], place[FWD_LETTER_PLACE_MAX];
    char              id[FWD_LETTER_PLAIN_MAX];
    const char       *class;
    fwd_dead_list_t  *list = data;

    list->count++;

    if (list->cli->o.json) {
        fwd_cli_print(fwd_dead_head(letter), 0);
        return FWD_OK;
    }

    class = fwd_letter_text(letter, FWD_LETTER_CLASS);

    (void) printf("%-19s  %-16s  %-11s  %4s  %3s  %-16s  %-36s  %s\n",
                  fwd_cli_stamp(stamp, fwd_letter_at(letter)), letter->dest,
                  class[0] ? class : "-",
                  fwd_letter_text(letter, FWD_LETTER_STATUS),
                  fwd_letter_text(letter, FWD_LETTER_ATTEMPTS),
                  fwd_letter_text(letter, FWD_LETTER_REASON),
                  fwd_letter_plain(id, letter, FWD_LETTER_ID),
                  fwd_letter_place(place, letter));

    return FWD_OK;
}


/* All but what was in the event, the request and the answer. */

static json_t *
fwd_dead_head(const fwd_letter_t *letter)
{
    char     place[FWD_LETTER_PLACE_MAX];
    int      n;
    json_t  *row;

    row = json_pack("{s:s,s:I,s:s,s:s}", "destination", letter->dest,
                    "shard", (json_int_t) letter->shard, "entry",
                    letter->entry, "place", fwd_letter_place(place, letter));

    for (n = 0; n < FWD_LETTER_COUNT; n++) {

        if (letter->fields[n] == NULL) {
            continue;
        }

        switch (n) {

        case FWD_LETTER_STATUS:
        case FWD_LETTER_ATTEMPTS:
        case FWD_LETTER_FIRST_AT:
        case FWD_LETTER_AT:
        case FWD_LETTER_REPLAYS:
            json_object_set_new(row, fwd_letter_names[n],
                                json_integer((json_int_t)
                                             fwd_letter_number(letter, n)));
            break;

        case FWD_LETTER_EVENT:
        case FWD_LETTER_ID:
        case FWD_LETTER_SRC:
        case FWD_LETTER_REASON:
        case FWD_LETTER_CLASS:
        case FWD_LETTER_HINT:
            json_object_set_new(row, fwd_letter_names[n],
                                json_string(fwd_letter_text(letter, n)));
            break;

        default:
            break;
        }
    }

    return row;
}


int
fwd_cli_dead_show(fwd_cli_t *cli)
{
    int                  status;
    fwd_dead_list_t      list;
    fwd_letter_filter_t  filter;

    memset(&list, 0, sizeof(fwd_dead_list_t));
    list.cli = cli;

    cli->o.ids.list[0] = cli->words[0];
    cli->o.ids.count = 1;

    status = fwd_dead_filter(cli, &filter);

    if (status != FWD_CLI_OK) {
        return status;
    }

    if (fwd_dead_each(cli, &filter, fwd_dead_show_one, &list) != FWD_OK) {
        return fwd_cli_fail(cli);
    }

    if (list.count == 0) {
        (void) fwd_error(&cli->err, "no dead letter \"%s\"", cli->words[0]);
        return fwd_cli_fail(cli);
    }

    return FWD_CLI_OK;
}


static fwd_rc_t
fwd_dead_show_one(void *data, const fwd_letter_t *letter)
{
    static const fwd_letter_field_t  rest[] = {
        FWD_LETTER_HISTORY, FWD_LETTER_VERSIONS, FWD_LETTER_REQUEST,
        FWD_LETTER_ANSWER, FWD_LETTER_E
    };

    size_t            i;
    json_t           *row;
    fwd_dead_list_t  *list = data;

    list->count++;
    row = fwd_dead_head(letter);

    for (i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        if (letter->fields[rest[i]] != NULL) {
            json_object_set_new(row, fwd_letter_names[rest[i]],
                                fwd_letter_json(letter, rest[i]));
        }
    }

    fwd_cli_print(row, !list->cli->o.json);

    return FWD_OK;
}


int
fwd_cli_dead_export(fwd_cli_t *cli)
{
    int                  status;
    fwd_dead_list_t      list;
    fwd_letter_filter_t  filter;

    memset(&list, 0, sizeof(fwd_dead_list_t));
    list.cli = cli;

    status = fwd_dead_filter(cli, &filter);

    if (status == FWD_CLI_OK
        && fwd_dead_each(cli, &filter, fwd_dead_export_one, &list) != FWD_OK)
    {
        return fwd_cli_fail(cli);
    }

    return status;
}


/*
 * What is JSON goes out as the bytes that it is: numbers of an event must not
 * change on their way through a program.
 */

static fwd_rc_t
fwd_dead_export_one(void *data, const fwd_letter_t *letter)
{
    static const fwd_letter_field_t  rest[] = {
        FWD_LETTER_HISTORY, FWD_LETTER_VERSIONS, FWD_LETTER_REQUEST,
        FWD_LETTER_ANSWER, FWD_LETTER_E
    };

    char             *text;
    size_t            i;
    json_t           *row, *value;
    fwd_dead_list_t  *list = data;

    row = fwd_dead_head(letter);
    text = json_dumps(row, JSON_COMPACT);
    json_decref(row);

    if (text == NULL) {
        return fwd_error(&list->cli->err, "out of memory");
    }

    (void) printf("%.*s", (int) strlen(text) - 1, text);
    free(text);

    for (i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {

        if (letter->fields[rest[i]] == NULL) {
            continue;
        }

        value = fwd_letter_json(letter, rest[i]);
        (void) printf(",\"%s\":", fwd_letter_names[rest[i]]);

        if (json_is_object(value) || json_is_array(value)) {
            (void) fwrite(fwd_letter_text(letter, rest[i]), 1,
                          (size_t) letter->fields[rest[i]]->len, stdout);

        } else {
            (void) json_dumpf(value, stdout, JSON_ENCODE_ANY);
        }

        json_decref(value);
    }

    (void) printf("}\n");

    if (ferror(stdout)) {
        return fwd_error(&list->cli->err, "cannot write");
    }

    return FWD_OK;
}


int
fwd_cli_dead_stats(fwd_cli_t *cli)
{
    int                  status;
    fwd_dead_list_t      list;
    fwd_letter_filter_t  filter;

    memset(&list, 0, sizeof(fwd_dead_list_t));
    list.cli = cli;

    status = fwd_dead_filter(cli, &filter);

    if (status != FWD_CLI_OK) {
        return status;
    }

    list.now_ms = filter.now_ms;
    list.stats = json_object();

    if (fwd_dead_each(cli, &filter, fwd_dead_stats_one, &list) != FWD_OK) {
        status = fwd_cli_fail(cli);

    } else if (cli->o.json) {
        fwd_book_count(list.stats, "count", (int64_t) list.count);
        fwd_cli_print(json_incref(list.stats), 1);

    } else {
        fwd_dead_stats_print(&list);
    }

    json_decref(list.stats);

    return status;
}


static fwd_rc_t
fwd_dead_stats_one(void *data, const fwd_letter_t *letter)
{
    uint64_t          age_ms, at_ms;
    const char       *class, *code;
    fwd_dead_list_t  *list = data;

    list->count++;

    class = fwd_letter_text(letter, FWD_LETTER_CLASS);
    code = fwd_letter_text(letter, FWD_LETTER_STATUS);
    at_ms = fwd_letter_at(letter);
    age_ms = list->now_ms > at_ms ? list->now_ms - at_ms : 0;

    fwd_book_count(fwd_book_at(list->stats, "destination"), letter->dest, 1);
    fwd_book_count(fwd_book_at(list->stats, "class"),
                   class[0] ? class : "-", 1);
    fwd_book_count(fwd_book_at(list->stats, "reason"),
                   fwd_letter_text(letter, FWD_LETTER_REASON), 1);
    fwd_book_count(fwd_book_at(list->stats, "code"), code[0] ? code : "0",
                   1);
    fwd_book_count(fwd_book_at(list->stats, "age"), fwd_dead_age(age_ms), 1);

    return FWD_OK;
}


static const char *
fwd_dead_age(uint64_t ms)
{
    size_t  i;

    i = 0;

    while (i + 1 < FWD_DEAD_AGES && ms >= fwd_dead_ages[i].below_ms) {
        i++;
    }

    return fwd_dead_ages[i].name;
}


static void
fwd_dead_stats_print(const fwd_dead_list_t *list)
{
    size_t       i;
    json_t      *ages;
    const char  *name;

    (void) printf("%" PRIu64 " dead letters\n", list->count);

    fwd_dead_stats_group(list, "destination", "DESTINATION");
    fwd_dead_stats_group(list, "class", "CLASS");
    fwd_dead_stats_group(list, "reason", "REASON");
    fwd_dead_stats_group(list, "code", "CODE");

    (void) printf("\n%-34s  %8s\n", "YOUNGER THAN", "LETTERS");
    ages = json_object_get(list->stats, "age");

    for (i = 0; i < FWD_DEAD_AGES; i++) {
        name = fwd_dead_ages[i].name;
        (void) printf("%-34s  %8" PRId64 "\n", name,
                      fwd_book_get(ages, name));
    }
}


static void
fwd_dead_stats_group(const fwd_dead_list_t *list, const char *group,
    const char *title)
{
    json_t      *n;
    const char  *name;

    (void) printf("\n%-34s  %8s\n", title, "LETTERS");

    json_object_foreach(json_object_get(list->stats, group), name, n) {
        (void) printf("%-34s  %8" JSON_INTEGER_FORMAT "\n", name,
                      json_integer_value(n));
    }
}
