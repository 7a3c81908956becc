/* SPDX-License-Identifier: MIT
 * What devices draw themselves comes from the host's counters: the elements that a dropout keeps, on each backend that
 * can run here, are those of the host's Philox (what a codebook's restarts draw: test_codebook.c). Noise of latents and
 * timesteps is drawn on the host for all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "../support/backend_list.h"
#include "../support/op_session.h"
#include "util/philox.h"

static const mdldm_backend *list[MOST_BACKENDS];
static int backends;

static const op_feed *seed_of(const op_session *s)
{
    for (int i = 0; i < s->c.feed_count; i++)
        if (s->c.feeds[i].integers != NULL)
            return &s->c.feeds[i];
    fail_msg("no seed");
    return NULL;
}

static void dropout_keeps_what_the_host_would(void **state)
{
    (void)state;
    for (int i = 0; i < backends; i++)
        for (int32_t changed = 0; changed < 3; changed++) {
            op_session s;
            int64_t dropped = 0;
            op_session_expect_ok(&s, op_session_open(&s, list[i], op_case_find("dropout", MDLDM_F32), 1, MDLDM_STORE_TRAIN,
                                                     0, NULL));
            const mdldm_graph_op *op = s.c.graph.ops;
            while (op->kind != MDLDM_OP_DROPOUT)
                op++;
            const op_feed *seed = seed_of(&s);
            seed->integers[0] -= 1000000007 * changed;
            seed->integers[1] ^= changed << 30;
            op_session_expect_ok(&s, op_session_run(&s, 0));
            const op_read *y = &s.c.reads[op_session_read(&s, "output y")];
            const float *x = s.c.feeds[0].values, p = op->attr.dropout.p;
            const uint32_t key[2] = {(uint32_t)seed->integers[0], (uint32_t)seed->integers[1]};
            assert_int_equal(s.c.feeds[0].tensor, op->in[0]);
            for (int64_t k = 0; k < y->count; k++) {
                const uint32_t counter[4] = {(uint32_t)(k / 4), op->attr.dropout.salt, 0, 0};
                uint32_t words[4];
                mdldm__philox(counter, key, words);
                const int kept = mdldm__philox_uniform(words[k % 4]) >= (double)p;
                dropped += !kept;
                assert_true(x[k] != 0.0f);
                assert_int_equal(y->values[k] != 0.0f, kept);
                if (kept) /* a quotient, or a product with the factor: the last bit may differ */
                    assert_true(fabsf(y->values[k] - x[k] / (1.0f - p)) <= 1.2e-7f * fabsf(y->values[k]));
            }
            assert_in_range(dropped, 1, y->count - 1);
            op_session_close(&s);
        }
}

int main(void)
{
    backend_use_test_cuda();
    backends = backend_list(list);
    const struct CMUnitTest tests[] = {cmocka_unit_test(dropout_keeps_what_the_host_would)};
    return cmocka_run_group_tests_name("noise of devices", tests, NULL, NULL);
}
