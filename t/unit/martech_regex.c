
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_regex: what a pattern means in either syntax,
 * which are refused and with what words, and that no text makes a search
 * last.  Realistic patterns and those that take exponential time stand in
 * t/cases/regex, one a line.
 */


#include <limits.h>
#include <time.h>

#include "martech_test.h"

/* martech */
#include "martech_regex.h"
#include "martech_regex_private.h"


#define TEST_SEARCH_MS  50       /* sanitized, on a busy machine; 1 alone */


typedef struct {
    const char  *pattern;
    const char  *text;
    int          found;
} test_search_t;


static const test_search_t  test_ecma[] = {

    /* a search, not a match of all */
    { "b", "abc", 1 }, { "^b", "abc", 0 }, { "", "", 1 }, { "", "x", 1 },
    { "a|", "x", 1 }, { "(?:)", "x", 1 }, { "()", "", 1 },

    /* the end is the end */
    { "^abc$", "abc", 1 }, { "^abc$", "abc\n", 0 }, { "a$", "a\nb", 0 },
    { "^b", "a\nb", 0 },

    /* the dot */
    { "^.$", "\n", 0 }, { "^.$", "\r", 0 }, { "^.$", "\xe2\x80\xa8", 0 },
    { "^.$", "\xe2\x80\xa9", 0 }, { "^.$", "\xc3\xa9", 1 },
    { "^.$", "\xf0\x9f\x98\x80", 1 }, { "^.$", "\xc2\x85", 1 },

    /* digits and words are ASCII */
    { "^\\d$", "7", 1 }, { "^\\d$", "\xd9\xa3", 0 },
    { "^\\D$", "\xd9\xa3", 1 }, { "^\\D$", "7", 0 },
    { "^\\w$", "a", 1 }, { "^\\w$", "_", 1 }, { "^\\w$", "\xc3\xa9", 0 },
    { "^\\W$", "\xc3\xa9", 1 }, { "^\\W$", "x", 0 },
    { "\\bfoo\\b", "a foo b", 1 }, { "\\bfoo\\b", "afoo", 0 },
    { "\\bx", "\xc3\xa9x", 1 }, { "\\Bx", "ax", 1 },

    /* white space is that of ECMA-262 */
    { "^\\s$", " ", 1 }, { "^\\s$", "\xc2\xa0", 1 },
    { "^\\s$", "\xef\xbb\xbf", 1 }, { "^\\s$", "\xe2\x80\xa9", 1 },
    { "^\\s$", "\xe2\x80\x83", 1 }, { "^\\s$", "\x0b", 1 },
    { "^\\s$", "\xe3\x80\x80", 1 }, { "^\\s$", "\x01", 0 },
    { "^\\s$", "\xe2\x80\x93", 0 }, { "^\\s$", "\xc2\x85", 0 },
    { "^\\S$", "\xc2\xa0", 0 }, { "^\\S$", "\x01", 1 },
    { "^\\S$", "\xe2\x80\x93", 1 }, { "^\\S$", "\xf0\x9f\x98\x80", 1 },
    { "^[\\s]$", "\xef\xbb\xbf", 1 }, { "^[^\\s]$", "\xef\xbb\xbf", 0 },
    { "^[\\S]$", "\xef\xbb\xbf", 0 }, { "^[^\\S]$", "\xc2\xa0", 1 },
    { "^[\\d\\s]+$", "1 2", 1 }, { "^[\\W]$", "-", 1 },

    /* escapes */
    { "^\\cA$", "\x01", 1 }, { "^\\cz$", "\x1a", 1 },
    { "^\\cC$", "\\cC", 0 }, { "^\\x41\\u0042\\u{43}$", "ABC", 1 },
    { "^\\t\\n\\v\\f\\r$", "\t\n\x0b\f\r", 1 }, { "^\\v$", "\n", 0 },
    { "^\\ud83d\\ude00$", "\xf0\x9f\x98\x80", 1 },
    { "^\\u{1f600}+$", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 1 },
    { "^\xf0\x9f\x90\xb2*$", "\xf0\x9f\x90\xb2\xf0\x9f\x90\xb2", 1 },
    { "^\xf0\x9f\x90\xb2*$", "\xf0\x9f\x90\xb2\xf0\x9f\x90\x89", 0 },
    { "\\ud83d", "\xf0\x9f\x98\x80", 0 },
    { "^[\\ud800-\\udfff]$", "a", 0 }, { "^[^\\ud800]$", "a", 1 },
    { "^\\/\\^\\$\\.\\*\\+\\?\\(\\)\\[\\]\\{\\}\\|\\\\$",
      "/^$.*+?()[]{}|\\", 1 },
    { "^\\@\\-\\ \\_$", "", -1 }, { "^\\@\\-\\#$", "@-#", 1 },
    { "^[\\b]$", "\x08", 1 }, { "^[a\\-z]$", "-", 1 }, { "^[a-]$", "-", 1 },
    { "^[-a]$", "-", 1 }, { "^[a\\-z]$", "b", 0 }, { "^[\\]]$", "]", 1 },
    { "^[[]$", "[", 1 }, { "^[[:alpha:]$", ":", 1 }, { "^[.]$", "x", 0 },
    { "^[$^]+$", "^$", 1 }, { "^[\\u0041-\\u0043]$", "B", 1 },
    { "[]", "a", 0 }, { "[]", "", 0 }, { "^[^]$", "\n", 1 }, { "a[^]b", "ab",
      0 },
    { "^#\\x23 $", "## ", 1 },

    /* properties */
    { "^\\p{Letter}+$", "\xc3\xa9", 1 }, { "^\\p{Letter}$", "1", 0 },
    { "^\\p{L}$", "\xe4\xb8\xad", 1 }, { "^\\P{L}$", "1", 1 },
    { "^\\p{Lu}\\p{Lowercase_Letter}$", "\xc3\x89\xc3\xa9", 1 },
    { "^\\p{General_Category=Decimal_Number}$", "\xd9\xa3", 1 },
    { "^\\p{gc=Nd}$", "7", 1 }, { "^\\p{digit}+$", "\xe0\xa7\xaa\xe0\xa7\xa8",
      1 },
    { "^\\p{Script=Greek}$", "\xce\xa9", 1 },
    { "^\\p{sc=Grek}$", "a", 0 }, { "^\\p{Script_Extensions=Latin}$", "a",
      1 },
    { "^[\\p{L}\\p{N}-]+$", "a1-\xc3\xa9", 1 }, { "^\\p{Alphabetic}$", "a",
      1 },
    { "^[^\\p{L}]$", "1", 1 }, { "^\\p{ASCII}$", "\x01", 1 },
    { "^\\p{Any}$", "\n", 1 }, { "^\\p{Cased_Letter}$", "a", 1 },

    /* groups */
    { "^(a)(b)\\2\\1$", "abba", 1 }, { "^(a)(b)\\2\\1$", "abab", 0 },
    { "^(?<x>a|b)\\k<x>$", "bb", 1 }, { "^(?<x>a|b)\\k<x>$", "ab", 0 },
    { "^(?<$_1>a)$", "a", 1 }, { "^(?:(a)|b)\\1$", "b", 1 },
    { "^\\1(a)$", "a", 1 }, { "^(?=a)\\w$", "a", 1 },
    { "^(?!a)\\w$", "a", 0 }, { "(?<=a)b", "ab", 1 }, { "(?<!a)b", "ab", 0 },
    { "(?<=a|bc)d", "bcd", 1 },
    { "^(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\\10$", "abcdefghijj", 1 },

    /* quantifiers */
    { "^a{2}$", "aa", 1 }, { "^a{2}$", "aaa", 0 }, { "^a{2,}$", "aaaa", 1 },
    { "^a{2,3}$", "aaaa", 0 }, { "^a{0}$", "", 1 }, { "^a??b$", "ab", 1 },
    { "^a*?$", "aaa", 1 }, { "^a+?$", "", 0 }, { "^a{02}$", "aa", 1 },
};


static const test_search_t  test_perl[] = {
    { "(?i)abc", "xABC", 1 }, { "(?i:a)b", "Ab", 1 }, { "(?i:a)b", "AB", 0 },
    { "^[[:digit:]]+$", "123", 1 }, { "^[[:^digit:]a]+$", "bca", 1 },
    { "\\Aab\\z", "ab", 1 }, { "\\Aab\\z", "ab\n", 0 },
    { "^[]a]+$", "a]", 1 }, { "^[^]a]$", "b", 1 }, { "^a++b$", "aab", 1 },
    { "^(?>a+)b$", "aab", 1 }, { "^(?P<n>a)\\k<n>$", "aa", 1 },
    { "^(?'n'a)\\g{n}$", "aa", 1 }, { "^(a)\\1$", "aa", 1 },
    { "^\\x{e9}\\x41$", "\xc3\xa9" "A", 1 }, { "^\\h\\v$", " \n", 1 },
    { "^\\p{Lu}\\pL$", "Aa", 1 }, { "^{a}$", "{a}", 1 },
    { "^a{,3}$", "a{,3}", 1 }, { "a]b}", "a]b}", 1 }, { "^\\Qa", "", -1 },
    { "^[\\]]+$", "]]", 1 }, { "^[\\\\[:alpha:]]+$", "\\ab", 1 },
    { "^\\012$", "\n", 1 }, { "^\\e$", "\x1b", 1 }, { "(?s).", "\n", 1 },
    { "^\\R$", "\r\n", 1 },
};


static const struct {
    unsigned     flags;
    const char  *pattern;
    const char  *error;          /* a part of the text */
} test_errors[] = {
    { MARTECH_REGEX_ECMA, "^(abc]", "lone \"]\"" },
    { MARTECH_REGEX_ECMA, "(abc", "\"(\" without \")\", at offset 0" },
    { MARTECH_REGEX_ECMA, "abc)", "\")\" without \"(\"" },
    { MARTECH_REGEX_ECMA, "[abc", "\"[\" without \"]\", at offset 0" },
    { MARTECH_REGEX_ECMA, "a**", "nothing to repeat" },
    { MARTECH_REGEX_ECMA, "*a", "nothing to repeat" },
    { MARTECH_REGEX_ECMA, "a++", "nothing to repeat" },
    { MARTECH_REGEX_ECMA, "^*", "nothing to repeat" },
    { MARTECH_REGEX_ECMA, "(?=a)*", "nothing to repeat" },
    { MARTECH_REGEX_ECMA, "a{1", "lone \"{\"" },
    { MARTECH_REGEX_ECMA, "{", "lone \"{\"" },
    { MARTECH_REGEX_ECMA, "a}", "write \"\\}\", at offset 1" },
    { MARTECH_REGEX_ECMA, "a{2,1}", "out of order" },
    { MARTECH_REGEX_ECMA, "a{70000}", "above 65535" },
    { MARTECH_REGEX_ECMA, "a{99999999999999999999}", "above 65535" },
    { MARTECH_REGEX_ECMA, "[z-a]", "out of order, at offset 1" },
    { MARTECH_REGEX_ECMA, "[\\w-a]", "write \"\\-\"" },
    { MARTECH_REGEX_ECMA, "[a-\\d]", "write \"\\-\"" },
    { MARTECH_REGEX_ECMA, "\\a", "unknown escape, at offset 0" },
    { MARTECH_REGEX_ECMA, "x\\", "at the end" },
    { MARTECH_REGEX_ECMA, "\\S(|(.|\\n)*\\S)\\Z", "\"\\Z\" is not part" },
    { MARTECH_REGEX_ECMA, "\\Aa", "\"\\A\" is not part" },
    { MARTECH_REGEX_ECMA, "\\Qa\\E", "\"\\Q\" is not part" },
    { MARTECH_REGEX_ECMA, "\\01", "octal" },
    { MARTECH_REGEX_ECMA, "(a)\\2", "group 2, there are 1" },
    { MARTECH_REGEX_ECMA, "\\k<a>", "not there" },
    { MARTECH_REGEX_ECMA, "\\k", "without \"<name>\"" },
    { MARTECH_REGEX_ECMA, "(?<a>x)(?<a>y)", "two groups of one name" },
    { MARTECH_REGEX_ECMA, "(?<1a>x)", "not part of the name" },
    { MARTECH_REGEX_ECMA, "(?<>x)", "without a name" },
    { MARTECH_REGEX_ECMA, "(?i)a", "flags in the pattern" },
    { MARTECH_REGEX_ECMA, "(?>a)", "unknown kind of group" },
    { MARTECH_REGEX_ECMA, "(?P<a>x)", "unknown kind of group" },
    { MARTECH_REGEX_ECMA, "(?", "\"(\" without \")\"" },
    { MARTECH_REGEX_ECMA, "\\p{Nope}", "unknown property, at offset 0" },
    { MARTECH_REGEX_ECMA, "\\p{}", "unknown property" },
    { MARTECH_REGEX_ECMA, "\\pL", "without \"{...}\"" },
    { MARTECH_REGEX_ECMA, "\\p{age=3}", "unknown kind of property" },
    { MARTECH_REGEX_ECMA, "\\u12", "four hexadecimal" },
    { MARTECH_REGEX_ECMA, "\\u{110000}", "no code point" },
    { MARTECH_REGEX_ECMA, "\\u{}", "no code point" },
    { MARTECH_REGEX_ECMA, "\\xg0", "two hexadecimal" },
    { MARTECH_REGEX_ECMA, "\\c1", "without a letter" },
    { MARTECH_REGEX_ECMA, "x(?<=a+)b", "lookbehind" },
    { MARTECH_REGEX_ECMA, "\xff", "not UTF-8" },
    { MARTECH_REGEX_ECMA, "a\xc3", "not UTF-8" },
    { MARTECH_REGEX_ECMA, "\xed\xa0\x80", "not UTF-8" },
    { MARTECH_REGEX_ECMA, "\xc0\x80", "not UTF-8" },
    { MARTECH_REGEX_ECMA, "(?:(?:a{1000}){1000}){1000}", "too" },
    { 0, "(?R)", "recursion" }, { 0, "(a)(?1)", "recursion" },
    { 0, "(?C1)a", "recursion" }, { 0, "(?(1)a)", "recursion" },
    { 0, "(*COMMIT)a", "verbs" }, { 0, "a\\Kb", "\"\\K\" is not allowed" },
    { 0, "\\C", "not allowed" }, { 0, "[a", "without \"]\"" },
    { 0, "(?x) a", "recursion" }, { 0, "(?m)^a", "a flag" },
    { 0, "\\g<1>(a)", "\"\\g\" is allowed" }, { 0, "a{3}{4}x(", "without" },
    { 0, "\\p{Nope}", "" }, { 0, "[[:nope:]]", "" },
};


static double
test_now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec * 1e3 + (double) ts.tv_nsec / 1e6;
}


/* From blocks of their size, so that a byte too much is a report. */
static martech_regex_t *
test_compile(const char *pattern, unsigned flags, char *error)
{
    martech_str_t     s;
    unsigned char    *copy;
    martech_regex_t  *regex;

    copy = test_copy(pattern, strlen(pattern));
    s.data = copy;
    s.len = strlen(pattern);

    error[0] = '\0';
    regex = martech_regex_compile(s, flags, error);

    free(copy);

    if ((regex == NULL) != (error[0] != '\0')) {
        test_fail("\"%s\": result and text do not agree", pattern);
    }

    return regex;
}


static int
test_find(const martech_regex_t *regex, const char *text)
{
    int             rc;
    size_t          from, to;
    unsigned char  *copy;

    copy = test_copy(text, strlen(text));
    from = to = 4711;

    rc = martech_regex_find(regex, copy, strlen(text), 0, &from, &to);

    if (rc == 1 && (from > strlen(text) || to > strlen(text) || from > to)) {
        test_fail("found outside of the text");
    }

    free(copy);

    return rc;
}


static void
test_searches(const test_search_t *searches, size_t count, unsigned flags)
{
    int               rc;
    char              error[MARTECH_REGEX_ERROR_SIZE];
    size_t            i;
    martech_regex_t  *regex;

    for (i = 0; i < count; i++) {
        regex = test_compile(searches[i].pattern, flags, error);

        if (regex == NULL) {
            if (searches[i].found != -1) {
                test_fail("\"%s\": %s", searches[i].pattern, error);
            }

            continue;
        }

        rc = test_find(regex, searches[i].text);
        martech_regex_free(regex);

        if (rc != searches[i].found) {
            test_fail("\"%s\" on \"%s\": %d", searches[i].pattern,
                      searches[i].text, rc);
        }
    }
}


static void
test_ecma_searches(void **state)
{
    (void) state;

    test_searches(test_ecma, test_count(test_ecma), MARTECH_REGEX_ECMA);
}


static void
test_perl_searches(void **state)
{
    (void) state;

    test_searches(test_perl, test_count(test_perl), 0);
}


static void
test_caseless(void **state)
{
    char              error[MARTECH_REGEX_ERROR_SIZE];
    martech_regex_t  *regex;

    (void) state;

    regex = test_compile("^stra\xc3\x9f" "e\xc3\xa9$",
                         MARTECH_REGEX_ECMA|MARTECH_REGEX_CASELESS, error);
    assert_non_null(regex);
    assert_int_equal(test_find(regex, "STRA\xc3\x9f" "E\xc3\x89"), 1);
    martech_regex_free(regex);

    /* two ways for one text, but for the case */

    regex = test_compile("(?:a|A)+x",
                         MARTECH_REGEX_ECMA|MARTECH_REGEX_CASELESS, error);
    assert_null(regex);

    regex = test_compile("(?:a|A)+x", MARTECH_REGEX_ECMA, error);
    assert_non_null(regex);
    martech_regex_free(regex);
}


static void
test_offsets(void **state)
{
    char                  error[MARTECH_REGEX_ERROR_SIZE];
    size_t                from, to;
    martech_regex_t      *regex;
    const unsigned char  *text = (const unsigned char *) "a12b345";

    (void) state;

    regex = test_compile("[0-9]+", 0, error);
    assert_non_null(regex);

    assert_int_equal(martech_regex_find(regex, text, 7, 0, &from, &to), 1);
    assert_int_equal(from, 1);
    assert_int_equal(to, 3);

    assert_int_equal(martech_regex_find(regex, text, 7, 3, &from, &to), 1);
    assert_int_equal(from, 4);
    assert_int_equal(to, 7);

    assert_int_equal(martech_regex_find(regex, text, 7, 7, &from, &to), 0);
    assert_int_equal(martech_regex_find(regex, text, 7, 8, &from, &to), 0);
    assert_int_equal(martech_regex_find(regex, NULL, 0, 0, NULL, NULL), 0);

    martech_regex_free(regex);
    martech_regex_free(NULL);
}


static void
test_error_texts(void **state)
{
    char              error[MARTECH_REGEX_ERROR_SIZE];
    size_t            i;
    martech_regex_t  *regex;

    (void) state;

    for (i = 0; i < test_count(test_errors); i++) {
        regex = test_compile(test_errors[i].pattern, test_errors[i].flags,
                             error);

        if (regex != NULL) {
            test_fail("\"%s\" is accepted", test_errors[i].pattern);
        }

        if (strstr(error, test_errors[i].error) == NULL) {
            test_fail("\"%s\": \"%s\"", test_errors[i].pattern, error);
        }
    }
}


static void
test_sizes(void **state)
{
    char              error[MARTECH_REGEX_ERROR_SIZE];
    char              pattern[MARTECH_REGEX_SIZE_MAX + 2];
    size_t            i;
    martech_regex_t  *regex;

    (void) state;

    memset(pattern, 'a', MARTECH_REGEX_SIZE_MAX + 1);
    pattern[MARTECH_REGEX_SIZE_MAX + 1] = '\0';

    assert_null(test_compile(pattern, MARTECH_REGEX_ECMA, error));
    assert_non_null(strstr(error, "4096"));

    pattern[MARTECH_REGEX_SIZE_MAX] = '\0';
    regex = test_compile(pattern, MARTECH_REGEX_ECMA, error);
    assert_non_null(regex);
    martech_regex_free(regex);

    memset(pattern, '(', MARTECH_REGEX_SIZE_MAX);
    assert_null(test_compile(pattern, MARTECH_REGEX_ECMA, error));
    assert_non_null(strstr(error, "more than 100 groups"));

    memset(pattern, '|', MARTECH_REGEX_SIZE_MAX);
    regex = test_compile(pattern, MARTECH_REGEX_ECMA, error);
    assert_non_null(regex);
    martech_regex_free(regex);

    /* what is written out at length */

    for (i = 0; i < MARTECH_REGEX_SIZE_MAX; i += 2) {
        memcpy(pattern + i, "\\S", 2);
    }

    assert_null(test_compile(pattern, MARTECH_REGEX_ECMA, error));
    assert_non_null(strstr(error, "too large"));
}


/* The lines of a file of t/cases/regex. */
static size_t
test_lines(const char *name, int (*line)(const char *pattern))
{
    char         path[PATH_MAX], buf[8192];
    FILE        *f;
    size_t       count;
    const char  *folder;

    folder = getenv("MARTECH_CASES");
    snprintf(path, sizeof(path), "%s/regex/%s",
             folder ? folder : "t/cases", name);

    f = fopen(path, "r");
    if (f == NULL) {
        snprintf(path, sizeof(path), "%.*s../cases/regex/%s",
                 (int) (sizeof(__FILE__) - sizeof("martech_regex.c")),
                 __FILE__, name);
        f = fopen(path, "r");
    }

    if (f == NULL) {
        test_fail("cannot open %s", path);
    }

    for (count = 0; fgets(buf, sizeof(buf), f) != NULL; /* void */ ) {
        buf[strcspn(buf, "\n")] = '\0';

        if (buf[0] != '\0') {
            count += (size_t) line(buf);
        }
    }

    fclose(f);

    return count;
}


/* Texts of one character, and of a few, that are long and fail at the end. */
static void
test_hostile(const martech_regex_t *regex, const char *pattern)
{
    char                *text;
    double               spent;
    size_t               i, k, len;
    static const char   *units[] = {
        "a", "1", " ", "-", ".", "a1", "a ", "a.", "a-", ",", "1,", "/",
        "a/", "\"", "<", "&a=", "x", "0", "A", "Ab "
    };

    len = 32768;
    text = test_alloc(len + 1);

    for (i = 0; i < test_count(units); i++) {
        for (k = 0; k < len; k++) {
            text[k] = units[i][k % strlen(units[i])];
        }

        text[len - 1] = 0x01;

        spent = test_now_ms();
        (void) martech_regex_find(regex, (unsigned char *) text, len, 0, NULL,
                                  NULL);
        spent = test_now_ms() - spent;

        if (spent > TEST_SEARCH_MS) {
            test_fail("\"%s\" with \"%s\" took %.1f ms", pattern, units[i],
                      spent);
        }
    }

    free(text);
}


static int
test_safe_line(const char *pattern)
{
    char              error[MARTECH_REGEX_ERROR_SIZE];
    martech_regex_t  *regex;

    regex = test_compile(pattern, MARTECH_REGEX_ECMA, error);
    if (regex == NULL) {
        test_fail("\"%s\" is refused: %s", pattern, error);
    }

    test_hostile(regex, pattern);
    martech_regex_free(regex);

    return 1;
}


static int
test_catastrophic_line(const char *pattern)
{
    char              error[MARTECH_REGEX_ERROR_SIZE];
    martech_regex_t  *regex;

    regex = test_compile(pattern, MARTECH_REGEX_ECMA, error);
    if (regex != NULL) {
        test_fail("\"%s\" is accepted", pattern);
    }

    if (strstr(error, "a match ") == NULL
        || (strstr(error, "offset") == NULL && pattern[2] != '='
            && pattern[2] != '!'))
    {
        test_fail("\"%s\": %s", pattern, error);
    }

    return 1;
}


static void
test_safe(void **state)
{
    (void) state;

    assert_true(test_lines("safe.txt", test_safe_line) >= 60);
}


static void
test_catastrophic(void **state)
{
    (void) state;

    assert_true(test_lines("catastrophic.txt", test_catastrophic_line) >= 40);
}


/*
 * What is not exponential is allowed, and given up where it takes long.  The
 * first rows are quadratic only for the interpreter.
 */
static void
test_long(unsigned flags, size_t row)
{
    size_t                i;
    char                  error[MARTECH_REGEX_ERROR_SIZE];
    unsigned char        *text;
    martech_regex_t      *regex;
    static const struct {
        const char       *pattern;
        const char       *tail;
        int               fill;
    } rows[] = {
        { "\\s+$", "yx", ' ' },
        { "\\d+x", "yx", '1' },
        { "[a-c]+x", "yx", 'a' },
        { "\\d{5000}x", "yx", '1' },
        { "^.*.*.*x$", "xy", 'a' },
        { "a*b?a*c", "dc", 'a' },
        { "(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)x", "yx",
          'a' },
        { "(a+)\\1x", "yx", 'a' },
        { "(?=a+b)a|x", "yx", 'a' },
    };

    text = test_alloc(32768);

    for (i = row; i < test_count(rows); i++) {
        regex = test_compile(rows[i].pattern, MARTECH_REGEX_ECMA|flags, error);
        if (regex == NULL) {
            test_fail("\"%s\": %s", rows[i].pattern, error);
        }

        memset(text, rows[i].fill, 32768);
        memcpy(text + 32766, rows[i].tail, 2);

        if (martech_regex_find(regex, text, 32768, 0, NULL, NULL) != -1) {
            test_fail("\"%s\" is not given up", rows[i].pattern);
        }

        /* the next search has all its budget again */

        if (martech_regex_find(regex, text + 32700, 60, 0, NULL, NULL) == -1) {
            test_fail("\"%s\" is given up on a short text", rows[i].pattern);
        }

        martech_regex_free(regex);
    }

    free(text);
}


static void
test_given_up(void **state)
{
    (void) state;

    test_long(0, 4);
    test_long(MARTECH_REGEX_INTERPRET, 0);
}


/* The same searches without code made at run time. */
static void
test_interpreted(void **state)
{
    (void) state;

    test_searches(test_ecma, test_count(test_ecma),
                  MARTECH_REGEX_ECMA|MARTECH_REGEX_INTERPRET);
    test_searches(test_perl, test_count(test_perl), MARTECH_REGEX_INTERPRET);
}


/*
 * Plain patterns are matched without PCRE2, and must find what it finds: each
 * is held against texts that are made of few characters, some of them beyond
 * ASCII.
 */
static void
test_plain(void **state)
{
    char                   error[MARTECH_REGEX_ERROR_SIZE];
    char                   text[64];
    size_t                 i, k, n, len;
    uint32_t               random;
    martech_str_t          pattern;
    martech_regex_t       *ours, *theirs;
    martech_regex_plain_t  plain;

    static const char *const  pieces[] = {
        "A", "B", "a", "z", "0", "9", "-", " ", ".", "_", "\xc3\xa9", "\n"
    };
    static const struct {
        const char  *pattern;
        int          plain;
    } rows[] = {
        { "^[A-Z]{3}$", 1 }, { "^[A-Z]{2}-\\d{6,10}$", 1 },
        { "^[A-Z]{1,2}-\\d{1,2}$", 1 }, { "^[a-z]{2}(?:-[A-Z]{2})?$", 1 },
        { "^a(?:-0)?$", 1 }, { "^a*(?:-0)?$", 1 }, { "^(?:-0)?$", 1 },
        { "^[0-9A-Z -]{3,10}$", 1 }, { "^\\w+$", 1 }, { "^\\d*$", 1 },
        { "^[A-Z0-9-]{4,20}$", 1 }, { "^a?0{2,}$", 1 }, { "^A{0}B$", 1 },
        { "^\\w{0,2}-?\\.$", 1 }, { "^[\\w.-]+$", 1 }, { "^$", 1 },
        { "^[+--]a$", 1 }, { "^a\\.0$", 1 }, { "^\\-a\\-$", 1 },
        { "^[\\d_]{2}[a-z]$", 1 }, { "^a-*[A-Z]?0$", 1 },

        { "^a*a$", 0 }, { "^a?[a-z]$", 0 }, { "^\\w+A$", 0 },
        { "^a*-?a$", 0 }, { "^a*(?:a0)?$", 0 }, { "^a(?:-?0)?$", 0 },
        { "^a|b$", 0 }, { "^[^a]$", 0 }, { "^.$", 0 }, { "^\\D$", 0 },
        { "^\\s$", 0 }, { "^a+?$", 0 }, { "a$", 0 }, { "^a", 0 },
        { "^(a)$", 0 }, { "^a(?:b)$", 0 }, { "^[]$", 0 }, { "^\\n$", 0 },
        { "^\xc3\xa9$", 0 }, { "^[a\xc3\xa9]$", 0 }, { "^a$-", 0 },
        { "^(?:-0)?a$", 0 }, { "^\\b$", 0 }, { "^(?:a)?(?:b)?$", 0 },
    };

    (void) state;
    random = 1;

    for (i = 0; i < test_count(rows); i++) {
        pattern.data = (const unsigned char *) rows[i].pattern;
        pattern.len = strlen(rows[i].pattern);

        if (martech_regex_plain(&plain, pattern) != rows[i].plain) {
            fail_msg("%s: plain should be %d", rows[i].pattern,
                     rows[i].plain);
        }

        ours = martech_regex_compile(pattern, MARTECH_REGEX_ECMA, error);
        theirs = martech_regex_compile(pattern, MARTECH_REGEX_ECMA
                                                |MARTECH_REGEX_INTERPRET,
                                       error);
        assert_non_null(ours);
        assert_non_null(theirs);

        for (k = 0; k < 3000; k++) {
            len = 0;

            for (n = k % 9; n > 0; n--) {
                random = random * 1664525 + 1013904223;
                strcpy(text + len, pieces[(random >> 24)
                                          % test_count(pieces)]);
                len += strlen(text + len);
            }

            n = (size_t) martech_regex_find(ours, (unsigned char *) text, len,
                                            0, NULL, NULL);

            if ((size_t) martech_regex_find(theirs, (unsigned char *) text,
                                            len, 0, NULL, NULL)
                != n)
            {
                fail_msg("%s: \"%.*s\": %zu", rows[i].pattern, (int) len,
                         text, n);
            }
        }

        martech_regex_free(ours);
        martech_regex_free(theirs);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_ecma_searches),
        cmocka_unit_test(test_perl_searches),
        cmocka_unit_test(test_caseless),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_error_texts),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_safe),
        cmocka_unit_test(test_catastrophic),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_interpreted),
        cmocka_unit_test(test_plain),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("martech_regex", tests, NULL, NULL);
}
