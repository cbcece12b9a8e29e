
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Any request of the dialect plausible, see dialect.h.
 */


#include "dialect.h"


FUZZ_DIALECT("plausible")
