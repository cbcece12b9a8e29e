
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Short digests that tell versions of files apart.
 */


#ifndef _FWD_DIGEST_H_INCLUDED_
#define _FWD_DIGEST_H_INCLUDED_


#define FWD_DIGEST_MAX  13               /* 12 hexadecimal digits, a zero */


/*
 * The first digits of the SHA-256 of a text, or of a file; "" if the text is
 * NULL, or the file cannot be read.
 */
void fwd_digest_text(char out[FWD_DIGEST_MAX], const char *text);
void fwd_digest_file(char out[FWD_DIGEST_MAX], const char *file);


#endif /* _FWD_DIGEST_H_INCLUDED_ */
