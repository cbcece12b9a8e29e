
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Any request of the dialect reporting, see dialect.h.
 */


#include "dialect.h"


FUZZ_DIALECT("reporting")
