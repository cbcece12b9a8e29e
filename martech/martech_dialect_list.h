
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Private to the files of the dialects: each of them, see martech_dialect.c.
 */


#ifndef _MARTECH_DIALECT_LIST_H_INCLUDED_
#define _MARTECH_DIALECT_LIST_H_INCLUDED_


#include "martech_dialect.h"


#endif /* _MARTECH_DIALECT_LIST_H_INCLUDED_ */
