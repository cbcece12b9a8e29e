
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of fwd_vault share with the one that keeps the process.
 */


#ifndef _FWD_VAULT_PRIVATE_H_INCLUDED_
#define _FWD_VAULT_PRIVATE_H_INCLUDED_


#include <jansson.h>

#include "fwd_buf.h"
#include "fwd_vault.h"


#define FWD_VAULT_MESSAGE_MAX  (16 * 1024 * 1024)
#define FWD_VAULT_LENGTH       9         /* 8 digits and "\n" */


/*
 * JSON of which nothing stays in memory: between the two calls all memory of
 * jansson that is freed is wiped.  NULL is no JSON; parsed() takes that too.
 */
json_t *fwd_vault_parse(const char *text, size_t len);
void fwd_vault_parsed(json_t *json);

/* The JSON of the first message in a buffer; NULL: not all of it is there. */
const char *fwd_vault_message(fwd_buf_t *text);


#endif /* _FWD_VAULT_PRIVATE_H_INCLUDED_ */
