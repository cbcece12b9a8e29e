
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Any request to the dialect ga4 (dialect.h).
 */


#include "dialect.h"


FUZZ_DIALECT("ga4")
