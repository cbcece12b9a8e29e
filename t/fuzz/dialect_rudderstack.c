
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Any request to the dialect rudderstack (dialect.h).
 */


#include "dialect.h"


FUZZ_DIALECT("rudderstack")
