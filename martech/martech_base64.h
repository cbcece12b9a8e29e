
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Base64 as senders write it: both alphabets of RFC 4648, with or without
 * padding.
 */


#ifndef _MARTECH_BASE64_H_INCLUDED_
#define _MARTECH_BASE64_H_INCLUDED_


#include "martech.h"


/* Bytes that a text of so many characters may become. */
#define martech_base64_decoded(len)  (((len) + 3) / 4 * 3)

/* Characters of so many bytes, with padding. */
#define martech_base64_encoded(len)  (((len) + 2) / 3 * 4)


/*
 * Decodes into out, which has martech_base64_decoded(src.len) bytes.  Returns
 * the number of bytes, or -1 if there is a character of neither alphabet,
 * something behind the padding, or a single character left over.
 */
long martech_base64_decode(martech_str_t src, unsigned char *out);

/*
 * Writes the standard alphabet with padding; returns the number of characters,
 * martech_base64_encoded(src.len).
 */
size_t martech_base64_encode(martech_str_t src, unsigned char *out);


#endif /* _MARTECH_BASE64_H_INCLUDED_ */
