
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Any request to the dialect snowplow (dialect.h).
 */


#include "dialect.h"


FUZZ_DIALECT("snowplow")
