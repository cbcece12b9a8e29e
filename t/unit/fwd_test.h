
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the unit tests of forwarder/ share: a folder of their own, and files
 * in it.
 */


#ifndef _FWD_TEST_H_INCLUDED_
#define _FWD_TEST_H_INCLUDED_


/* system; cmocka wants these four in front */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* libraries */
#include <cmocka.h>

/* this folder */
#include "martech_test.h"


static char  test_folder[64];


static inline void
test_folder_make(void)
{
    (void) snprintf(test_folder, sizeof(test_folder), "/tmp/fwd_test.XXXXXX");

    if (mkdtemp(test_folder) == NULL) {
        abort();
    }
}


static inline void
test_folder_remove(void)
{
    char  command[128];

    (void) snprintf(command, sizeof(command), "rm -rf '%s'", test_folder);

    if (system(command) != 0) {
        abort();
    }
}


static inline const char *
test_path(const char *name)
{
    static char  path[256];

    (void) snprintf(path, sizeof(path), "%s/%s", test_folder, name);

    return path;
}


static inline void
test_write(const char *name, const char *text)
{
    FILE  *f;

    f = fopen(test_path(name), "w");

    if (f == NULL || fputs(text, f) == EOF || fclose(f) != 0) {
        abort();
    }
}


#endif /* _FWD_TEST_H_INCLUDED_ */
