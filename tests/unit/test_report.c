/* SPDX-License-Identifier: MIT
 * Reports with names that are markup or no UTF-8 at all, and with numbers that are none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../support/torture.h"
#include "data/image.h"
#include "io/json_util.h"
#include "report/findings.h"
#include "report/report.h"
#include "report/report_text.h"

enum { HEIGHT = 5, WIDTH = 7 };
/* Latin-1, an overlong slash, a lone surrogate, a control character, a cut-off sequence at the end. */
static const char hostile[] = "<b onload=\"x\">&'\xe9\xc0\xaf\xed\xa0\x80\x01 \xe2\x82\xac]]>\xe2\x82";
static const char seen[] = "&lt;b onload=&quot;x&quot;&gt;&amp;&#39;";
static const char *const names[2] = {hostile, "ID_2"};
static const double values[6] = {1.0, NAN, -INFINITY, 2.5, 3.0, INFINITY};
static const double low[6] = {0.5, NAN, 0.0, 2.0, -INFINITY, 0.0}, high[6] = {2.0, 1.0, NAN, 3.0, 4.0, 1.0};
static const double x[3] = {0.0, 1.0, 4.0};
static uint8_t rgb[HEIGHT * WIDTH * 3];

static mdldm_status fill(mdldm__report *r)
{
    static const int64_t counts[4] = {3, 0, 1, 2};
    MDLDM__TRY(mdldm__report_title(r, hostile));
    MDLDM__TRY(mdldm__report_section(r, "all", hostile, hostile));
    for (int i = 0; i < (int)sizeof rgb; i++)
        rgb[i] = (uint8_t)(37 * i);
    mdldm__figure f = {.key = "one", .title = hostile, .text = hostile, .x_label = hostile, .y_label = hostile,
                       .series = 1, .points = 1, .series_names = names, .point_names = names, .values = values + 3,
                       .low = low + 3, .high = high + 3};
    MDLDM__TRY(mdldm__report_add(r, &f));
    f.key = "none";
    f.values = values + 1;
    MDLDM__TRY(mdldm__report_add(r, &f));
    f.values = values;
    f.low = low;
    f.high = high;
    f.series = f.points = 2;
    f.key = "table";
    f.kind = MDLDM__FIGURE_TABLE;
    MDLDM__TRY(mdldm__report_add(r, &f));
    f.key = "bars";
    f.kind = MDLDM__FIGURE_BARS;
    MDLDM__TRY(mdldm__report_add(r, &f));
    f.key = "matrix";
    f.kind = MDLDM__FIGURE_MATRIX;
    MDLDM__TRY(mdldm__report_add(r, &f));
    f.key = "samples";
    f.kind = MDLDM__FIGURE_SAMPLES;
    f.counts = counts;
    MDLDM__TRY(mdldm__report_add(r, &f));
    f.key = "lines";
    f.kind = MDLDM__FIGURE_LINES;
    f.counts = NULL;
    f.points = 3;
    f.x = x;
    f.point_names = NULL;
    MDLDM__TRY(mdldm__report_add(r, &f));
    return mdldm__report_add(r, &(mdldm__figure){.kind = MDLDM__FIGURE_PICTURE, .key = "picture", .title = hostile,
                                                 .rgb = rgb, .height = HEIGHT, .width = WIDTH});
}

/* After an element's name: attributes, each name="value" without < in it. Returns the closing >. */
static const char *attributes(const char *c)
{
    while (*c != '>' && *c != '/') {
        assert_int_equal(*c, ' ');
        c += 1 + strspn(c + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-");
        assert_memory_equal(c, "=\"", 2);
        c += 2;
        const char *end = strchr(c, '"');
        assert_non_null(end);
        assert_null(memchr(c, '<', (size_t)(end - c)));
        c = end + 1;
    }
    return c;
}

/* Well-formed as XML 1.0 asks, as far as the report uses it. Returns the number of elements. */
static int elements_of(const char *c)
{
    char open[32][16];
    int depth = 0, count = 0;
    assert_memory_equal(c, "<!DOCTYPE html>\n", 16);
    for (c += 16; *c != '\0';) {
        const int length = mdldm__utf8_length(c);
        assert_true(length > 0);
        if (*c == '&') {
            assert_true(strncmp(c, "&amp;", 5) == 0 || strncmp(c, "&lt;", 4) == 0 || strncmp(c, "&gt;", 4) == 0 ||
                        strncmp(c, "&quot;", 6) == 0 || strncmp(c, "&#39;", 5) == 0);
            c++;
        } else if (*c != '<') {
            assert_true(depth > 0 || *c == '\n'); /* one root */
            c += length;
        } else {
            const int closing = c[1] == '/';
            c += 1 + closing;
            const size_t size = strspn(c, "abcdefghijklmnopqrstuvwxyz0123456789");
            assert_in_range(size, 1, 15);
            if (closing) {
                assert_true(depth-- > 0);
                assert_true(strncmp(open[depth], c, size) == 0 && open[depth][size] == '\0');
                c += size;
            } else {
                count++;
                assert_true(depth < 32 && (depth > 0 || count == 1));
                snprintf(open[depth++], sizeof open[0], "%.*s", (int)size, c);
                c = attributes(c + size);
                depth -= *c == '/';
                c += *c == '/';
            }
            assert_int_equal(*c++, '>');
        }
    }
    assert_int_equal(depth, 0);
    return count;
}

static int occurrences(const char *text, const char *what)
{
    int count = 0;
    for (; (text = strstr(text, what)) != NULL; text++)
        count++;
    return count;
}

static void html_is_well_formed_and_alone(void **state)
{
    (void)state;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    mdldm__report r = {.env = &env};
    char *html;
    size_t size;
    assert_int_equal(fill(&r), MDLDM_OK);
    assert_int_equal(mdldm__report_html(&r, &html, &size), MDLDM_OK);
    assert_int_equal(strlen(html), size);
    assert_true(elements_of(html) > 100);
    assert_true(occurrences(html, seen) > 20);
    assert_int_equal(occurrences(html, "<b "), 0);
    assert_int_equal(occurrences(html, "<script"), 0);
    /* Nothing comes from elsewhere: the only addresses are the drawings' name space, one a plot. */
    assert_int_equal(occurrences(html, "://"), 4);
    assert_int_equal(occurrences(html, "xmlns=\"http://www.w3.org/2000/svg\""), 4);
    assert_int_equal(occurrences(html, "nan"), 0);
    assert_int_equal(occurrences(html, "inf"), 0);
    mdldm__free(&env, html);
    mdldm__report_free(&r);
}

static void the_picture_comes_back(void **state)
{
    (void)state;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    mdldm__report r = {.env = &env};
    char *html;
    size_t size, count = 0;
    assert_int_equal(fill(&r), MDLDM_OK);
    assert_int_equal(mdldm__report_html(&r, &html, &size), MDLDM_OK);
    const char *at = strstr(html, "data:image/png;base64,");
    assert_non_null(at);
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t png[2048];
    uint32_t bits = 0;
    int have = 0;
    for (at += 22; strchr(digits, *at) != NULL; at++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, *at) - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            assert_true(count < sizeof png);
            png[count++] = (uint8_t)(bits >> have);
        }
    }
    mdldm__image image;
    assert_int_equal(mdldm__image_decode(&env, "report", png, count, &image), MDLDM_OK);
    assert_int_equal(image.height, HEIGHT);
    assert_int_equal(image.width, WIDTH);
    assert_memory_equal(image.rgb, rgb, sizeof rgb);
    mdldm__image_free(&env, &image);
    mdldm__free(&env, html);
    mdldm__report_free(&r);
}

/* RFC 4648, section 10. */
static void base64_of_the_standard(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        mdldm__text t = {.env = &env};
        char *out;
        mdldm__text_base64(&t, (const uint8_t *)pairs[i][0], strlen(pairs[i][0]));
        assert_int_equal(mdldm__text_finish(&t, &out, NULL), MDLDM_OK);
        assert_string_equal(out, pairs[i][1]);
        mdldm__free(&env, out);
    }
}

static void json_parses_with_null_for_no_number(void **state)
{
    (void)state;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    mdldm__report r = {.env = &env};
    mdldm_report *found;
    json_t *root;
    assert_int_equal(fill(&r), MDLDM_OK);
    assert_int_equal(mdldm__findings_create(&env, mdldm__report_tree(&r), NULL, &found), MDLDM_OK);
    const char *text = mdldm_report_json(found);
    assert_null(mdldm_report_html(found));
    assert_int_equal(mdldm__json_parse(&env, "report", text, strlen(text), &root), MDLDM_OK);
    const json_t *flat = json_object_get(root, "values");
    assert_true(json_real_value(json_object_get(flat, "one")) == 2.5);
    assert_true(json_is_null(json_object_get(flat, "none")));
    const json_t *figures = json_object_get(json_array_get(json_object_get(root, "sections"), 0), "figures");
    assert_int_equal(json_array_size(figures), 8);
    const json_t *cells = json_object_get(json_array_get(figures, 2), "values");
    assert_true(json_real_value(json_array_get(json_array_get(cells, 0), 0)) == 1.0);
    assert_true(json_is_null(json_array_get(json_array_get(cells, 0), 1)));
    assert_true(json_is_null(json_array_get(json_array_get(cells, 1), 0)));
    assert_true(json_real_value(json_array_get(json_array_get(cells, 1), 1)) == 2.5);
    const json_t *samples = json_object_get(json_array_get(figures, 5), "values");
    assert_int_equal(json_array_size(json_array_get(json_array_get(samples, 0), 0)), 3);
    assert_int_equal(json_array_size(json_array_get(json_array_get(samples, 0), 1)), 0);
    assert_true(json_real_value(json_array_get(json_array_get(json_array_get(samples, 1), 1), 0)) == 3.0);
    json_decref(root);
    assert_true(mdldm_report_value(found, "values.one") == 2.5);
    assert_true(isnan(mdldm_report_value(found, "values.none")));
    assert_true(mdldm_report_value(found, "tables.table.ID_2.ID_2") == 2.5);
    assert_true(mdldm_report_value(found, "tables.bars.ID_2.ID_2") == 2.5);
    assert_int_equal(mdldm_report_length(found, "tables"), 2);
    mdldm_report_free(found);
    mdldm__report_free(&r);
}

static mdldm_status whole(torture *t, void *user, char sentence[1024])
{
    (void)user;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    env.resize = torture_resize;
    env.resize_user = t;
    mdldm__report r = {.env = &env};
    char *html = NULL;
    size_t size;
    mdldm_report *found;
    mdldm_status status = fill(&r);
    if (status == MDLDM_OK)
        status = mdldm__report_html(&r, &html, &size);
    if (status == MDLDM_OK &&
        (status = mdldm__findings_create(&env, mdldm__report_tree(&r), html, &found)) == MDLDM_OK)
        mdldm_report_free(found);
    mdldm__report_free(&r);
    snprintf(sentence, 1024, "%s", env.error);
    return status;
}

static void allocations_may_fail(void **state)
{
    (void)state;
    assert_true(torture_run("report", whole, NULL, 200) > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(html_is_well_formed_and_alone),
        cmocka_unit_test(the_picture_comes_back),
        cmocka_unit_test(base64_of_the_standard),
        cmocka_unit_test(json_parses_with_null_for_no_number),
        cmocka_unit_test(allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
