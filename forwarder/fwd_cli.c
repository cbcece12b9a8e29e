
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The table of commands, their help, and what all of them begin with.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* clearenv() */
#endif

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fwd_cli.h"


typedef struct {
    const char           *name;          /* one or two words */
    const char           *arguments;     /* beside options, or NULL */
    unsigned              mask;          /* which options it takes */
    int                 (*run)(fwd_cli_t *cli);  /* NULL: not from here */
    const char           *summary;
    const char           *more;          /* for its own help, or NULL */
} fwd_cli_command_t;


static const fwd_cli_command_t *fwd_cli_find(int argc, char **argv);
static int fwd_cli_is_name(const char *name, int argc, char **argv);
static int fwd_cli_words(const char *text);
static int fwd_cli_help(int argc, char **argv);
static void fwd_cli_help_all(void);
static void fwd_cli_help_one(const fwd_cli_command_t *command);
static int fwd_cli_wants_help(int argc, char **argv);
static int fwd_cli_run(const fwd_cli_command_t *command, int argc,
    char **argv);
static int fwd_cli_unnamed(int words, int argc, char **argv);
static fwd_rc_t fwd_cli_load(fwd_cli_t *cli);


static const fwd_cli_command_t  fwd_cli_commands[] = {
    { "run", NULL, 0, NULL, "deliver events until SIGTERM", NULL },
    { "check", NULL, 0, NULL,
      "read the configuration, say what is wrong", NULL },
    { "status", NULL, FWD_CLI_STATUS, fwd_cli_status,
      "one line for each destination", NULL },
    { "top", NULL, FWD_CLI_TOP, fwd_cli_top,
      "the same and more, live",
      "Ends with Ctrl-C.  Where the output is no terminal, tables follow\n"
      "each other.  Rates are what the ledger moved since the last table." },
    { "pause", "DESTINATION", FWD_CLI_PAUSE, fwd_cli_pause,
      "send nothing more to a destination",
      "Events go on to be routed, and wait.  Loops see it within a second." },
    { "resume", "DESTINATION", FWD_CLI_RESUME, fwd_cli_resume,
      "end a pause, and what parked or holds it", NULL },
    { "ledger", NULL, FWD_CLI_LEDGER, fwd_cli_ledger,
      "count events in and out, exit 1 on a difference",
      "A digest is a sum over the ids of events: it finds an event that\n"
      "was lost even if another was counted twice.  It can be checked for\n"
      "shards only in which nothing moves for a moment." },
    { "dead ls", NULL, FWD_CLI_LS, fwd_cli_dead_ls,
      "list dead letters", NULL },
    { "dead show", "ID", FWD_CLI_SHOW, fwd_cli_dead_show,
      "everything about one, the event too",
      "ID is a messageId, or a place as \"dead ls\" prints it." },
    { "dead stats", NULL, FWD_CLI_STATS, fwd_cli_dead_stats,
      "count them", NULL },
    { "dead export", NULL, FWD_CLI_EXPORT, fwd_cli_dead_export,
      "all of them as lines of JSON", NULL },
    { "dead drop", NULL, FWD_CLI_DROP, fwd_cli_dead_drop,
      "remove them for good", NULL },
    { "dead replay", NULL, FWD_CLI_REPLAY, fwd_cli_dead_replay,
      "send them again",
      "Each letter becomes a new entry of its shard, for one destination,\n"
      "and is gone from the dead letters in the same step.  It has another\n"
      "idempotency key than before." },
    { "identity show", NULL, FWD_CLI_IDENTITY, fwd_cli_identity_show,
      "the person of an id, and its links", NULL },
    { "identity forget", NULL, FWD_CLI_FORGET, fwd_cli_identity_forget,
      "remove links of an id", NULL },
    { "plan lint", "FILE", FWD_CLI_P_LINT, fwd_cli_plan_lint,
      "check a tracking plan, and how well it is kept",
      "Exit status: 0 fine, 1 warnings with --strict, 2 errors." },
    { "plan diff", "OLD NEW", FWD_CLI_P_DIFF, fwd_cli_plan_diff,
      "what a new plan changes, exit 1 if that breaks somebody",
      "Senders break when what was valid is not any more, readers when they\n"
      "find other events than before.  A new version beside the old one\n"
      "breaks nobody." },
    { "plan docs", "FILE", FWD_CLI_P_DOCS, fwd_cli_plan_docs,
      "the plan as a page to read", NULL },
    { "plan infer", "FILE", FWD_CLI_P_INFER, fwd_cli_plan_infer,
      "a draft of a plan from lines of events",
      "FILE has an event, or a batch, as JSON in each line.  The draft\n"
      "accepts all of them, and has no values of fields that look personal." },
    { "plan replay", NULL, FWD_CLI_P_REPLAY, fwd_cli_plan_replay,
      "check quarantined events again and let them in",
      "Each that passes becomes a new entry of its shard, and is gone from\n"
      "the quarantine in the same step." },
    { "plan quarantine ls", NULL, FWD_CLI_Q_LS, fwd_cli_quarantine_ls,
      "list quarantined events and why they are there", NULL },
    { "plan quarantine show", "ID", FWD_CLI_Q_SHOW, fwd_cli_quarantine_show,
      "everything about one",
      "ID is a messageId, or a place as \"plan quarantine ls\" prints it." },
    { "plan quarantine export", NULL, FWD_CLI_Q_EXPORT,
      fwd_cli_quarantine_export, "all of them as lines of JSON", NULL },
    { "plan quarantine drop", NULL, FWD_CLI_Q_DROP, fwd_cli_quarantine_drop,
      "remove them for good", NULL },
    { "test", "[DIR|NAME ...]", FWD_CLI_TEST, fwd_cli_test,
      "run the goldens of destinations, exit 1 on a difference",
      "DIR is a folder of a destination or of several (./destinations).\n"
      "Prints \"path: got VALUE / want VALUE\" for what differs." },
    { "new", "NAME", FWD_CLI_NEW, fwd_cli_new,
      "make a folder for a destination, with goldens that pass", NULL },
    { "send", "NAME", FWD_CLI_SEND, fwd_cli_send,
      "one event through map, request and answer",
      "NAME is a destination of the configuration.  Secrets are never\n"
      "printed.  An event that its rules refuse is not sent." },
    { "explain", "NAME", FWD_CLI_EXPLAIN, fwd_cli_explain,
      "why an event is sent, and as what",
      "NAME is a destination of the configuration.  Nothing is sent." },
    { "version", NULL, 0, NULL, "print the version", NULL },
    { "help", "COMMAND", 0, NULL, "print this, or what COMMAND takes", NULL },
    { NULL, NULL, 0, NULL, NULL, NULL }
};


int
fwd_cli_main(int argc, char **argv)
{
    const fwd_cli_command_t  *command;

    if (argc < 2) {
        return -1;
    }

    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        return fwd_cli_help(argc - 2, argv + 2);
    }

    command = fwd_cli_find(argc - 1, argv + 1);

    if (fwd_cli_wants_help(argc - 2, argv + 2)) {
        return fwd_cli_help(argc - 1, argv + 1);
    }

    if (command == NULL || command->run == NULL) {
        return -1;
    }

    return fwd_cli_run(command, argc - 1, argv + 1);
}


/* The first word alone names all commands that begin with it. */

static const fwd_cli_command_t *
fwd_cli_find(int argc, char **argv)
{
    const fwd_cli_command_t  *command;

    for (command = fwd_cli_commands; command->name != NULL; command++) {

        if (fwd_cli_is_name(command->name, argc, argv)) {
            return command;
        }
    }

    return NULL;
}


static int
fwd_cli_is_name(const char *name, int argc, char **argv)
{
    int     i;
    size_t  len;

    for (i = 0; *name != '\0'; i++) {

        if (i >= argc || (i > 0 && argv[i][0] == '-')) {
            return i > 0;
        }

        len = strcspn(name, " ");

        if (strlen(argv[i]) != len || strncmp(name, argv[i], len) != 0) {
            return 0;
        }

        name += len + (name[len] == ' ');
    }

    return 1;
}


static int
fwd_cli_words(const char *text)
{
    int  words;

    if (text == NULL) {
        return 0;
    }

    for (words = 1; (text = strchr(text, ' ')) != NULL; text++) {
        words++;
    }

    return words;
}


static int
fwd_cli_wants_help(int argc, char **argv)
{
    int  i;

    for (i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            return 1;
        }
    }

    return 0;
}


static int
fwd_cli_help(int argc, char **argv)
{
    int                       shown;
    const fwd_cli_command_t  *command;

    if (argc == 0) {
        fwd_cli_help_all();
        return FWD_CLI_OK;
    }

    shown = 0;

    for (command = fwd_cli_commands; command->name != NULL; command++) {

        if (fwd_cli_is_name(command->name, argc, argv)) {
            (void) printf("%s", shown ? "\n" : "");
            fwd_cli_help_one(command);
            shown = 1;
        }
    }

    if (!shown) {
        (void) fprintf(stderr, "martech-forwarder: unknown command \"%s\"; "
                       "see \"martech-forwarder help\"\n", argv[0]);
        return FWD_CLI_USAGE;
    }

    return FWD_CLI_OK;
}


static void
fwd_cli_help_all(void)
{
    int                       width;
    const fwd_cli_command_t  *command;

    (void) printf("usage: martech-forwarder COMMAND -c FILE ...\n\n");

    for (command = fwd_cli_commands; command->name != NULL; command++) {
        width = printf("  %s%s%s", command->name,
                       command->arguments ? " " : "",
                       command->arguments ? command->arguments : "");
        (void) printf("%*s%s\n", width < 24 ? 24 - width : 1, "",
                      command->summary);
    }

    (void) printf("\nexit status: 0 fine, 1 failed or a difference was "
                  "found, 2 wrong usage\n");
}


static void
fwd_cli_help_one(const fwd_cli_command_t *command)
{
    int  plain;

    plain = strcmp(command->name, "version") == 0
            || strcmp(command->name, "help") == 0;

    (void) printf("martech-forwarder %s%s%s%s%s\n\n  %s\n", command->name,
                  command->arguments ? " " : "",
                  command->arguments ? command->arguments : "",
                  plain || (command->mask & FWD_CLI_FILES) ? ""
                                                           : " -c FILE",
                  command->mask ? " [OPTION ...]" : "", command->summary);

    if (command->more != NULL) {
        (void) printf("\n%s\n", command->more);
    }

    if (command->mask != 0) {
        (void) printf("\n");
        fwd_cli_parse_help(command->mask);
    }
}


static int
fwd_cli_run(const fwd_cli_command_t *command, int argc, char **argv)
{
    int         words, wanted, some, status;
    fwd_cli_t  *cli;

    words = fwd_cli_words(command->name);
    wanted = fwd_cli_words(command->arguments);
    some = (wanted != 0 && command->arguments[0] == '[');

    cli = calloc(1, sizeof(fwd_cli_t));
    if (cli == NULL) {
        (void) fprintf(stderr, "martech-forwarder: out of memory\n");
        return FWD_CLI_FAILED;
    }

    cli->command = command->name;
    fwd_pool_init(&cli->pool);

    if (fwd_cli_unnamed(words, argc, argv)) {
        status = fwd_cli_usage(cli, "what of \"%s\" is missing", argv[0]);

    } else if (fwd_cli_parse(cli, command->mask, argc - words, argv + words)
               != FWD_OK)
    {
        status = fwd_cli_usage(cli, "%s", cli->err.text);

    } else if (!some && cli->words_count > (size_t) wanted) {
        status = fwd_cli_usage(cli, "unknown argument \"%s\"",
                               cli->words[cli->words_count - 1]);

    } else if (!some && cli->words_count < (size_t) wanted) {
        status = fwd_cli_usage(cli, "%s is missing", command->arguments);

    } else if (command->mask & FWD_CLI_FILES) {
        status = command->run(cli);

    } else if (fwd_cli_load(cli) != FWD_OK) {
        status = FWD_CLI_FAILED;

    } else {
        cli->redis = fwd_cli_redis_create(&cli->conf.redis);
        status = command->run(cli);
        fwd_cli_redis_destroy(cli->redis);
    }

    fwd_config_free(&cli->conf);
    fwd_pool_free(&cli->pool);
    free(cli);

    if (fflush(stdout) != 0 && status == FWD_CLI_OK) {
        (void) fprintf(stderr, "martech-forwarder: cannot write\n");
        status = FWD_CLI_FAILED;
    }

    return status;
}


/* 1 if a word of the name of a command is not there. */

static int
fwd_cli_unnamed(int words, int argc, char **argv)
{
    int  i;

    for (i = 1; i < words; i++) {
        if (i >= argc || argv[i][0] == '-') {
            return 1;
        }
    }

    return 0;
}


/* As with "run", a map finds no environment. */

static fwd_rc_t
fwd_cli_load(fwd_cli_t *cli)
{
    size_t        i;
    fwd_rc_t      rc;
    fwd_report_t  report;

    (void) signal(SIGPIPE, SIG_IGN);

    memset(&report, 0, sizeof(fwd_report_t));
    rc = fwd_config_load(&cli->conf, cli->o.file, &report);

    (void) clearenv();

    for (i = 0; i < report.count && i < FWD_REPORT_MAX; i++) {
        (void) fprintf(stderr, "%s\n", report.texts[i]);
    }

    return rc;
}


int
fwd_cli_fail(const fwd_cli_t *cli)
{
    (void) fflush(stdout);
    (void) fprintf(stderr, "martech-forwarder: %s\n", cli->err.text);

    return FWD_CLI_FAILED;
}


int
fwd_cli_usage(const fwd_cli_t *cli, const char *fmt, ...)
{
    char     text[512];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    (void) fflush(stdout);
    (void) fprintf(stderr, "martech-forwarder: %s; see \"martech-forwarder "
                   "help %s\"\n", text, cli->command);

    return FWD_CLI_USAGE;
}


const fwd_dest_conf_t *
fwd_cli_dest(const fwd_cli_t *cli, const char *name)
{
    size_t  i;

    for (i = 0; i < cli->conf.dests_count; i++) {
        if (strcmp(cli->conf.dests[i].name, name) == 0) {
            return &cli->conf.dests[i];
        }
    }

    return NULL;
}


void
fwd_cli_print(json_t *value, int pretty)
{
    if (value != NULL) {
        (void) json_dumpf(value, stdout, JSON_ENCODE_ANY
                          | (pretty ? JSON_INDENT(2) : JSON_COMPACT));
        (void) putchar('\n');
        json_decref(value);
    }
}


const char *
fwd_cli_stamp(char *out, uint64_t unix_ms)
{
    time_t     t;
    struct tm  tm;

    t = (time_t) (unix_ms / 1000);

    if (unix_ms == 0 || gmtime_r(&t, &tm) == NULL
        || strftime(out, FWD_CLI_TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
    {
        (void) strcpy(out, "-");
    }

    return out;
}


const char *
fwd_cli_age(char *out, uint64_t ms)
{
    static const struct {
        uint64_t  from_ms;
        uint64_t  size_ms;
        char      unit;
    } units[] = {
        { 48 * 3600000ULL, 86400000, 'd' },
        { 2 * 3600000ULL, 3600000, 'h' },
        { 2 * 60000ULL, 60000, 'm' },
        { 1000, 1000, 's' }
    };

    size_t  i;

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {

        if (ms >= units[i].from_ms) {
            (void) snprintf(out, FWD_CLI_TIME_MAX, "%llu%c",
                            (unsigned long long) (ms / units[i].size_ms),
                            units[i].unit);
            return out;
        }
    }

    (void) snprintf(out, FWD_CLI_TIME_MAX, "%llums", (unsigned long long) ms);

    return out;
}
