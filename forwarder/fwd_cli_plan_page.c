
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The mark-up of the page of a plan, as HTML that needs nothing else, or as
 * Markdown.
 */


#include <stdio.h>
#include <string.h>

#include "fwd_cli_plan_docs.h"


static void fwd_page_text(const fwd_page_t *page, const char *text);
static void fwd_page_html(const char *text);
static void fwd_page_markdown(const char *text);


/* Lines are scrolled, not broken, on paper they are; dark as the reader is. */

static const char  fwd_page_style[] =
    ":root{color-scheme:light dark;--text:#1d2433;--soft:#5b6577;"
    "--line:#dfe3ea;--back:#f6f7f9;--card:#fff;--mark:#1f5fbf;"
    "--ok:#1a7f4b;--warn:#9a5b00;--bad:#b3261e}\n"
    "@media(prefers-color-scheme:dark){:root{--text:#e6e9ef;--soft:#9aa4b5;"
    "--line:#2e3644;--back:#12161d;--card:#1a202a;--mark:#7fb0ff;"
    "--ok:#5fd39a;--warn:#f0b45a;--bad:#ff8f86}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--back);color:var(--text);"
    "font:16px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,"
    "\"Helvetica Neue\",Arial,sans-serif}\n"
    "main{max-width:68rem;margin:0 auto;padding:2rem 1.25rem 4rem}\n"
    "h1{font-size:1.9rem;line-height:1.2;margin:0 0 .5rem}\n"
    "h2{font-size:1.15rem;margin:2.5rem 0 .75rem;color:var(--soft);"
    "font-weight:600}\n"
    "h3{font-size:1.25rem;margin:0;overflow-wrap:anywhere}\n"
    "h4{font-size:1rem;margin:1.5rem 0 .5rem}\n"
    "p{margin:.5rem 0;max-width:46rem}\n"
    "a{color:var(--mark);text-decoration:none}\n"
    "a:hover{text-decoration:underline}\n"
    "nav h2{margin:1.25rem 0 .4rem}\n"
    "nav ul{margin:0;padding:0;list-style:none;columns:18rem;"
    "column-gap:2rem}\n"
    "nav li{padding:.15rem 0;break-inside:avoid;overflow-wrap:anywhere}\n"
    "article{background:var(--card);border:1px solid var(--line);"
    "border-radius:10px;padding:1.25rem 1.4rem;margin:0 0 1.25rem}\n"
    ".head{display:flex;flex-wrap:wrap;gap:.5rem .6rem;"
    "align-items:center}\n"
    ".tag{font-size:.78rem;line-height:1;padding:.3rem .55rem;"
    "border-radius:99px;border:1px solid currentColor;color:var(--soft);"
    "white-space:nowrap}\n"
    ".live{color:var(--ok)}.deprecated,.high{color:var(--warn)}"
    ".blocked{color:var(--bad)}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;"
    "gap:.25rem 1.25rem;margin:.9rem 0 0}\n"
    "dt{color:var(--soft)}\n"
    "dd{margin:0;overflow-wrap:anywhere}\n"
    "table{width:100%;border-collapse:collapse;font-size:.93rem;"
    "margin-top:1rem}\n"
    "th{text-align:left;font-weight:600;color:var(--soft);"
    "border-bottom:1px solid var(--line);padding:.4rem .9rem .4rem 0}\n"
    "td{vertical-align:top;border-bottom:1px solid var(--line);"
    "padding:.5rem .9rem .5rem 0;overflow-wrap:break-word}\n"
    "td:first-child{font-weight:600;min-width:13rem;max-width:20rem;"
    "overflow-wrap:anywhere}\n"
    "td:nth-child(2){min-width:11rem;max-width:20rem}\n"
    "td:nth-child(3),td:nth-child(4){white-space:nowrap}\n"
    "td:nth-child(5){max-width:14rem;overflow-wrap:anywhere}\n"
    "tr:last-child td{border-bottom:0}\n"
    ".d1 td:first-child{padding-left:1rem}"
    ".d2 td:first-child{padding-left:2rem}"
    ".d3 td:first-child{padding-left:3rem}\n"
    "@media(max-width:720px){main{padding:1.25rem .8rem 3rem}"
    "article{padding:1rem}thead{display:none}"
    "table,tbody,tr,td{display:block;width:100%}"
    "td{border:0;padding:.1rem 0!important;white-space:normal!important;"
    "max-width:none!important;min-width:0!important}"
    "td:empty{display:none}"
    "td[data-label]::before{content:attr(data-label)\": \";"
    "color:var(--soft)}"
    "tr{border-bottom:1px solid var(--line);padding:.6rem 0}"
    "tr:last-child{border:0}.d1{padding-left:1rem}.d2{padding-left:2rem}"
    ".d3{padding-left:3rem}"
    "dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .5rem}}\n"
    "@media print{:root{--back:#fff;--card:#fff;--text:#000;--soft:#444;"
    "--line:#bbb;--mark:#000}body{font-size:10.5pt}"
    "main{max-width:none;padding:0}article{border:0;border-top:1px solid "
    "var(--line);border-radius:0;padding:.8rem 0}tr,dl{break-inside:avoid}"
    ".head{break-after:avoid}}\n";


void
fwd_page_begin(const fwd_page_t *page, const char *title)
{
    if (!page->html) {
        (void) printf("# ");
        fwd_page_text(page, title);
        (void) printf("\n\n");
        return;
    }

    (void) printf("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                  "<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, "
                  "initial-scale=1\">\n<title>");
    fwd_page_text(page, title);
    (void) printf("</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n"
                  "<h1>", fwd_page_style);
    fwd_page_text(page, title);
    (void) printf("</h1>\n");
}


void
fwd_page_end(const fwd_page_t *page)
{
    if (page->html) {
        (void) printf("</main>\n</body>\n</html>\n");
    }
}


void
fwd_page_paragraph(const fwd_page_t *page, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return;
    }

    (void) printf("%s", page->html ? "<p>" : "");
    fwd_page_text(page, text);
    (void) printf("%s", page->html ? "</p>\n" : "\n\n");
}


void
fwd_page_contents(const fwd_page_t *page, const char *title)
{
    (void) printf("%s", page->html ? "<nav>\n<h2>" : "**");
    fwd_page_text(page, title);
    (void) printf("%s", page->html ? "</h2>\n<ul>\n" : "**\n\n");
}


void
fwd_page_contents_end(const fwd_page_t *page)
{
    (void) printf("%s", page->html ? "</ul>\n</nav>\n" : "\n");
}


void
fwd_page_link(const fwd_page_t *page, size_t number, const char *name,
    const char *stage)
{
    (void) printf(page->html ? "<li><a href=\"#e%zu\">" : "- [",
                  number);
    fwd_page_text(page, name);

    if (page->html) {
        (void) printf("</a>");

    } else {
        (void) printf("](#e%zu)", number);
    }

    if (stage != NULL && strcmp(stage, "live") != 0) {
        (void) printf(" (");
        fwd_page_text(page, stage);
        (void) printf(")");
    }

    (void) printf("%s", page->html ? "</li>\n" : "\n");
}


void
fwd_page_section(const fwd_page_t *page, const char *title)
{
    (void) printf("%s", page->html ? "<h2>" : "## ");
    fwd_page_text(page, title);
    (void) printf("%s", page->html ? "</h2>\n" : "\n\n");
}


void
fwd_page_entry(const fwd_page_t *page, size_t number, const char *name,
    const char *stage, const char *priority)
{
    if (!page->html) {
        (void) printf("<a id=\"e%zu\"></a>\n\n### ", number);
        fwd_page_text(page, name);
        (void) printf("\n\n");
        return;
    }

    (void) printf("<article id=\"e%zu\">\n<div class=\"head\"><h3>",
                  number);
    fwd_page_text(page, name);
    (void) printf("</h3><span class=\"tag %s\">%s</span>", stage, stage);

    if (strcmp(priority, "normal") != 0) {
        (void) printf("<span class=\"tag %s\">%s priority</span>", priority,
                      priority);
    }

    (void) printf("</div>\n");
}


void
fwd_page_entry_end(const fwd_page_t *page)
{
    if (page->html) {
        (void) printf("</article>\n");
    }
}


void
fwd_page_facts(const fwd_page_t *page)
{
    if (page->html) {
        (void) printf("<dl>\n");
    }
}


void
fwd_page_fact(const fwd_page_t *page, const char *label, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return;
    }

    (void) printf("%s", page->html ? "<dt>" : "- ");
    fwd_page_text(page, label);
    (void) printf("%s", page->html ? "</dt><dd>" : ": ");
    fwd_page_text(page, text);
    (void) printf("%s", page->html ? "</dd>\n" : "\n");
}


void
fwd_page_facts_end(const fwd_page_t *page)
{
    (void) printf("%s", page->html ? "</dl>\n" : "\n");
}


void
fwd_page_heading(const fwd_page_t *page, const char *text)
{
    (void) printf("%s", page->html ? "<h4>" : "#### ");
    fwd_page_text(page, text);
    (void) printf("%s", page->html ? "</h4>\n" : "\n\n");
}


void
fwd_page_table(const fwd_page_t *page,
    const char *const titles[FWD_PAGE_COLUMNS])
{
    size_t  i;

    if (page->html) {
        (void) printf("<table>\n<thead><tr>");
    }

    for (i = 0; i < FWD_PAGE_COLUMNS; i++) {
        (void) printf(page->html ? "<th>%s</th>" : "| %s ", titles[i]);
    }

    (void) printf("%s", page->html ? "</tr></thead>\n<tbody>\n" : "|\n");

    for (i = 0; !page->html && i < FWD_PAGE_COLUMNS; i++) {
        (void) printf("%s", i + 1 < FWD_PAGE_COLUMNS ? "| --- "
                                                     : "| --- |\n");
    }
}


void
fwd_page_row(const fwd_page_t *page,
    const char *const titles[FWD_PAGE_COLUMNS],
    const char *cells[FWD_PAGE_COLUMNS], unsigned depth)
{
    size_t  i;

    if (page->html) {
        (void) printf("<tr class=\"d%u\">", depth < 3 ? depth : 3);
    }

    for (i = 0; i < FWD_PAGE_COLUMNS; i++) {

        if (!page->html) {
            (void) printf("| ");

        } else if (i == 0) {
            (void) printf("<td>");

        } else {
            (void) printf("<td data-label=\"%s\">", titles[i]);
        }

        fwd_page_text(page, cells[i]);
        (void) printf("%s", page->html ? "</td>" : " ");
    }

    (void) printf("%s", page->html ? "</tr>\n" : "|\n");
}


void
fwd_page_table_end(const fwd_page_t *page)
{
    (void) printf("%s", page->html ? "</tbody>\n</table>\n" : "\n");
}


static void
fwd_page_text(const fwd_page_t *page, const char *text)
{
    if (text == NULL) {
        return;
    }

    if (page->html) {
        fwd_page_html(text);

    } else {
        fwd_page_markdown(text);
    }
}


static void
fwd_page_html(const char *text)
{
    for ( /* void */ ; *text != '\0'; text++) {

        switch (*text) {

        case '<':
            (void) printf("&lt;");
            break;

        case '>':
            (void) printf("&gt;");
            break;

        case '&':
            (void) printf("&amp;");
            break;

        case '"':
            (void) printf("&quot;");
            break;

        case '\'':
            (void) printf("&#39;");
            break;

        default:
            if ((unsigned char) *text < 0x20 && *text != '\n') {
                (void) putchar(' ');

            } else {
                (void) putchar(*text);
            }
        }
    }
}


/* Nothing of a plan becomes mark-up, nor leaves its line. */

static void
fwd_page_markdown(const char *text)
{
    for ( /* void */ ; *text != '\0'; text++) {

        if (*text == '<') {
            (void) printf("&lt;");

        } else if (*text == '&') {
            (void) printf("&amp;");

        } else if ((unsigned char) *text < 0x20) {
            (void) putchar(' ');

        } else {
            if (strchr("\\`*_[]|#~>", *text) != NULL) {
                (void) putchar('\\');
            }

            (void) putchar(*text);
        }
    }
}
