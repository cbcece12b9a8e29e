
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A plan as a page.  What the page says is in fwd_cli_plan_docs.c, how it is
 * marked up in fwd_cli_plan_page.c, for both formats.
 */


#ifndef _FWD_CLI_PLAN_DOCS_H_INCLUDED_
#define _FWD_CLI_PLAN_DOCS_H_INCLUDED_


#include "fwd_cli_plan.h"


#define FWD_PAGE_COLUMNS  6


typedef struct {
    unsigned              html:1;        /* else Markdown */
    const fwd_plan_file_t  *file;
} fwd_page_t;


/* Texts are escaped here; NULL is "". */
void fwd_page_begin(const fwd_page_t *page, const char *title);
void fwd_page_end(const fwd_page_t *page);
void fwd_page_paragraph(const fwd_page_t *page, const char *text);

/* Contents: a heading, then links to entries, by number. */
void fwd_page_contents(const fwd_page_t *page, const char *title);
void fwd_page_contents_end(const fwd_page_t *page);
void fwd_page_link(const fwd_page_t *page, size_t number, const char *name,
    const char *stage);

void fwd_page_section(const fwd_page_t *page, const char *title);
void fwd_page_entry(const fwd_page_t *page, size_t number, const char *name,
    const char *stage, const char *priority);
void fwd_page_entry_end(const fwd_page_t *page);

/* Facts: a list of "label: text" that ends with the next call of its end. */
void fwd_page_facts(const fwd_page_t *page);
void fwd_page_fact(const fwd_page_t *page, const char *label,
    const char *text);
void fwd_page_facts_end(const fwd_page_t *page);

void fwd_page_heading(const fwd_page_t *page, const char *text);
void fwd_page_table(const fwd_page_t *page,
    const char *const titles[FWD_PAGE_COLUMNS]);
void fwd_page_row(const fwd_page_t *page,
    const char *const titles[FWD_PAGE_COLUMNS],
    const char *cells[FWD_PAGE_COLUMNS], unsigned depth);
void fwd_page_table_end(const fwd_page_t *page);


#endif /* _FWD_CLI_PLAN_DOCS_H_INCLUDED_ */
