
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * martech-forwarder: the command line.
 */


#include <stdio.h>
#include <string.h>

#include <sys/resource.h>

#include "fwd_check.h"
#include "fwd_cli.h"
#include "fwd_loop.h"
#include "fwd_secret.h"
#include "fwd_supervisor.h"


typedef struct {
    const char           *name;
    int                 (*run)(const char *file);
    unsigned              file:1;        /* needs -c FILE */
} fwd_command_t;


static void fwd_main_protect(void);
static int fwd_main_version(const char *file);
static int fwd_main_usage(const char *what, const char *word);


static const fwd_command_t  fwd_commands[] = {
    { "run", fwd_supervisor_run, 1 },
    { "check", fwd_check_run, 1 },
    { "version", fwd_main_version, 0 },
    { NULL, NULL, 0 }
};


int
main(int argc, char **argv)
{
    int                   status;
    const char           *file;
    const fwd_command_t  *command;

    fwd_main_protect();

    /* the commands for people, and help about all of them */

    status = fwd_cli_main(argc, argv);

    if (status >= 0) {
        return status;
    }

    if (argc < 2) {
        return fwd_main_usage("a command is missing", NULL);
    }

    for (command = fwd_commands; command->name != NULL; command++) {
        if (strcmp(command->name, argv[1]) == 0) {
            break;
        }
    }

    if (command->name == NULL) {
        return fwd_main_usage("unknown command", argv[1]);
    }

    file = NULL;

    if (command->file) {
        if (argc != 4 || strcmp(argv[2], "-c") != 0) {
            return fwd_main_usage("-c FILE is missing after", argv[1]);
        }

        file = argv[3];

    } else if (argc != 2) {
        return fwd_main_usage("unknown argument", argv[2]);
    }

    return command->run(file);
}


/* Commands for people read secrets too: neither dumps nor /proc show them. */

static void
fwd_main_protect(void)
{
    struct rlimit  none;

    none.rlim_cur = 0;
    none.rlim_max = 0;
    (void) setrlimit(RLIMIT_CORE, &none);

    fwd_secret_hide_environment();
}


static int
fwd_main_usage(const char *what, const char *word)
{
    (void) fprintf(stderr, "martech-forwarder: %s%s%s%s; see "
                   "\"martech-forwarder help\"\n", what, word ? " \"" : "",
                   word ? word : "", word ? "\"" : "");

    return FWD_EXIT_USAGE;
}


static int
fwd_main_version(const char *file)
{
    (void) file;

    (void) printf("martech-forwarder %s (stream format %s)\n",
                  MARTECH_VERSION, MARTECH_FORMAT_VERSION);

    return FWD_EXIT_OK;
}
