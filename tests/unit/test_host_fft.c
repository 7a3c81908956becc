/* SPDX-License-Identifier: MIT
 * A host program with an FFT of its own under kissfft's names: the library must not call it. Linked with
 * -rdynamic, so that shared libraries see the names. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mdldm/mdldm.h"

enum { COUNT = 512, ROWS = 256, COLUMNS = 5 };
static int called; /* how often the host's own functions were */

#define EXPORTED __attribute__((visibility("default")))
EXPORTED void *kiss_fft_alloc(int length, int inverse, void *memory, size_t *bytes);
EXPORTED void kiss_fft(void *plan, const void *in, void *out);
EXPORTED void kiss_fft_stride(void *plan, const void *in, void *out, int stride);

void *kiss_fft_alloc(int length, int inverse, void *memory, size_t *bytes)
{
    (void)length;
    (void)inverse;
    called++;
    if (bytes != NULL)
        *bytes = 1;
    return memory;
}

void kiss_fft(void *plan, const void *in, void *out)
{
    (void)plan;
    (void)in;
    (void)out;
    called++;
}

void kiss_fft_stride(void *plan, const void *in, void *out, int stride)
{
    (void)stride;
    kiss_fft(plan, in, out);
}

/* 500 of 2000 Hz: a quarter of the rate, row (256-1)/2 - 64. */
static void a_hosts_own_transform_is_left_alone(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* its run-time library refuses RTLD_DEEPBIND */
#endif
    mdldm_context *ctx = NULL;
    static float iq[2 * COUNT], db[ROWS * COLUMNS];
    int64_t rows, columns, loudest = 0;
    for (int i = 0; i < COUNT; i++) {
        iq[2 * i] = (float)cos(2 * M_PI * 0.25 * i);
        iq[2 * i + 1] = (float)sin(2 * M_PI * 0.25 * i);
    }
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    assert_int_equal(mdldm_spectrogram(ctx, iq, COUNT, 2000.0, NULL, db, ROWS * COLUMNS, &rows, &columns), MDLDM_OK);
    for (int64_t i = 0; i < rows; i++)
        if (db[i * columns + 2] > db[loudest * columns + 2])
            loudest = i;
    assert_int_equal(loudest, 63);
    assert_int_equal(called, 0);
    mdldm_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_hosts_own_transform_is_left_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
