
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Any bytes as a request of the dialect "segment"; see dialect.h.
 */


#include "dialect.h"


FUZZ_DIALECT("segment")
