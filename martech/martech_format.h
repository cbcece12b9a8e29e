
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The formats of JSON Schema: "date-time", "email", "uuid", ...
 */


#ifndef _MARTECH_FORMAT_H_INCLUDED_
#define _MARTECH_FORMAT_H_INCLUDED_


#include "martech.h"


/* 1 if a string (un-escaped UTF-8) has the format. */
typedef int (*martech_format_pt)(const unsigned char *data, size_t len);


/* The check of a format by its name; NULL if the name is not known. */
martech_format_pt martech_format(martech_str_t name);


#endif /* _MARTECH_FORMAT_H_INCLUDED_ */
