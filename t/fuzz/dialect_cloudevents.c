
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Any request of the dialect cloudevents, see dialect.h.
 */


#include "dialect.h"


FUZZ_DIALECT("cloudevents")
