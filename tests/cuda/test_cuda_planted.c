/* SPDX-License-Identifier: MIT
 * The checker finds each planted mistake, says what it is, and finds nothing in kernels that are right - in what each
 * compiler makes of them. */
#include "tests/cuda/cuda_test.h"

#include "tests/cuda/kernels/planted_args.h"

enum { THREADS = 128, N = 4 * 4 * THREADS };

static const struct {
    const char *kernel;
    uint32_t blocks;
    size_t shared;  /* bytes */
    const char *says; /* NULL: nothing is wrong */
} cases[] = {
    {"good_turn", 1, 512, NULL},
    {"bug_no_barrier_before_read", 1, 512, "race in shared memory"},
    {"bug_no_barrier_before_write", 1, 512, "race in shared memory"},
    {"good_pipeline", 1, 4096, NULL},
    {"bug_wait_for_too_few", 1, 4096, "while a cp.async to it is not waited for"},
    {"bug_no_barrier_after_wait", 1, 4096, "shared memory"},
    {"bug_copy_never_awaited", 1, 2048, "ends before this cp.async is waited for"},
    {"bug_warps_write_one_place", 1, 512, "race in shared memory"},
    {"bug_beyond_the_end", 1, 0, "of an allocation of"},
    {"bug_before_the_start", 1, 0, "at byte -4 of an allocation of"},
    {"bug_beyond_shared", 1, 4096, "of shared memory; the block has 4096 bytes"},
    {"bug_misaligned", 1, 0, "which is not a multiple of 8"},
    {"bug_reads_unwritten_shared", 1, 512, "which nobody has written"},
    {"bug_reads_unwritten_global", 1, 0, "which nobody has written"},
    {"good_count", 4, 0, NULL},
    {"bug_threads_add", 1, 0, "another value"},
    {"bug_blocks_add", 4, 0, "race between blocks in global memory"},
    {"bug_blocks_read_each_other", 4, 0, "race between blocks in global memory"},
    {"bug_divergent_barrier", 1, 512, "in divergent code"},
    {"bug_divergent_shuffle", 1, 0, "the member mask"},
    {"good_divergence", 1, 0, NULL},
    {"bug_endless", 1, 0, "does not end"},
};

static void fill(float *in)
{
    for (int i = 0; i < N; i++)
        in[i] = (float)(i * 37 % 101) - 50.0f;
}

/* What a kernel that is right gives. */
static void expect(const char *kernel, const float *in, const float *out, uint32_t counter)
{
    if (strcmp(kernel, "good_turn") == 0) {
        for (int i = 0; i < THREADS; i++)
            assert_float_equal(out[i], in[THREADS - 1 - i] + 3.0f, 0.0);
    } else if (strcmp(kernel, "good_pipeline") == 0) {
        assert_memory_equal(in, out, N * sizeof *in);
    } else if (strcmp(kernel, "good_count") == 0) {
        uint32_t positive = 0;
        for (int i = 0; i < 4 * THREADS; i++)
            positive += in[i] > 0.0f;
        assert_int_equal(counter, positive);
    } else {
        for (int w = 0; w < THREADS / 32; w++) {
            float sum = 0.0f; /* whole numbers: exact in any order */
            for (int t = 32 * w; t < 32 * w + 32; t++) {
                float x = in[t];
                for (int i = 0; i < t % 7; i++) {
                    if (i % 2 == t % 2)
                        x *= 2.0f;
                    else if (i == 3)
                        break;
                    else
                        x += 1.0f;
                }
                sum += x;
            }
            for (int t = 32 * w; t < 32 * w + 32; t++)
                assert_float_equal(out[t], sum, 0.0);
        }
    }
}

static void run_case(const char *compiler, const char *text, size_t at)
{
    float in[N], out[N] = {0};
    uint32_t counter = 0;
    assert_int_equal(begin_device(NULL), 0);
    fake_cuda_set("LOG", "/dev/null");
    fake_cuda_set("STEPS", "1e6");
    fill(in);
    struct planted_args args = {.in = on_device(in, sizeof in), .counter = on_device(&counter, sizeof counter), .n = N};
    args.out = strstr(cases[at].kernel, "unwritten_global") ? device_room(sizeof out) : on_device(out, sizeof out);
    void *kernel = kernel_of(library_of(text), cases[at].kernel);
    assert_int_equal(launch(kernel, cases[at].blocks, THREADS, cases[at].shared, &args), 0);
    const int error = cudaStreamSynchronize(the_stream);
    const char *finding = fake_cuda_finding();
    if (cases[at].says == NULL) {
        if (error != 0)
            fail_msg("%s, %s: %s", cases[at].kernel, compiler, finding);
        assert_int_equal(from_device(out, args.out, sizeof out), 0);
        assert_int_equal(from_device(&counter, args.counter, sizeof counter), 0);
        expect(cases[at].kernel, in, out, counter);
    } else {
        if (error != LAUNCH_FAILURE || strstr(finding, cases[at].says) == NULL)
            fail_msg("%s, %s: error %d, '%s', not '%s'", cases[at].kernel, compiler, error, finding, cases[at].says);
        assert_non_null(strstr(finding, cases[at].kernel));
        assert_non_null(strstr(cudaGetErrorString(error), finding));
        assert_int_equal(cudaStreamSynchronize(the_stream), LAUNCH_FAILURE); /* for good, as on a device */
    }
    fake_cuda_reset();
}

static void mistakes_are_found(void **state)
{
    (void)state;
    int ran = 0;
    for (size_t c = 0; c < sizeof compilers / sizeof *compilers; c++) {
        char *text = compiled(compilers[c], "planted");
        if (text == NULL) {
            printf("no %s here: its PTX is not tried\n", compilers[c]);
            continue;
        }
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            run_case(compilers[c], text, i);
        free(text);
        ran++;
    }
    if (ran == 0)
        skip();
}

static float bf16_value(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &wide, sizeof x);
    return x;
}

/* A kernel as the backend's main ones are. Products are multiples of 2^-16 and sums stay below 256: exact in f32. */
static void a_tile_product(void **state)
{
    (void)state;
    enum { SIZE = 128 };
    static uint16_t a[SIZE * SIZE], b[SIZE * SIZE];
    static float c[SIZE * SIZE];
    int ran = 0;
    uint32_t seed = 1;
    for (int i = 0; i < SIZE * SIZE; i++) {
        seed = seed * 1664525u + 1013904223u;
        a[i] = (uint16_t)(0x3f00u | (seed >> 31) << 15 | (seed >> 16 & 0xff)); /* 0.5 to 2, either sign */
        seed = seed * 1664525u + 1013904223u;
        b[i] = (uint16_t)(0x3f00u | (seed >> 31) << 15 | (seed >> 16 & 0xff));
    }
    for (size_t compiler = 0; compiler < sizeof compilers / sizeof *compilers; compiler++) {
        char *text = compiled(compilers[compiler], "tile_product");
        if (text == NULL)
            continue;
        assert_int_equal(begin_device(NULL), 0);
        fake_cuda_set("COUNT", "1");
        struct tile_args args = {.a = on_device(a, sizeof a), .b = on_device(b, sizeof b), .c = device_room(sizeof c),
                                 .m = SIZE, .n = SIZE, .k = SIZE};
        void *kernel = kernel_of(library_of(text), "tile_product"), *list[1] = {&args};
        const fake_launch_config config = {
            .grid = {2, 2, 1}, .threads = {128, 1, 1}, .dynamic = 3 * 2 * (64 * 40 + 32 * 72), .stream = the_stream};
        assert_int_equal(cudaLaunchKernelExC(&config, kernel, list), 0);
        assert_int_equal(from_device(c, args.c, sizeof c), 0);
        double worst = 0.0, largest = 0.0;
        for (int i = 0; i < SIZE; i++)
            for (int j = 0; j < SIZE; j++) {
                double sum = 0.0;
                for (int k = 0; k < SIZE; k++)
                    sum += (double)bf16_value(a[i * SIZE + k]) * (double)bf16_value(b[k * SIZE + j]);
                const double error = sum > (double)c[i * SIZE + j] ? sum - (double)c[i * SIZE + j]
                                                                    : (double)c[i * SIZE + j] - sum;
                worst = error > worst ? error : worst;
                largest = sum > largest ? sum : -sum > largest ? -sum : largest;
            }
        if (worst > 0.0 || largest >= 256.0)
            fail_msg("%s: off by %g of %g", compilers[compiler], worst, largest);
        /* Padded rows: each of the four matrices of an ldmatrix takes one pass over the banks. */
        const fake_cuda_cost rows = fake_cuda_total("tile_product", "ldmatrix");
        assert_int_equal(rows.runs, 4 * 4 * 8 * 4); /* blocks, warps, halves of 4 steps, fragments */
        assert_int_equal(rows.wavefronts, 4 * rows.runs);
        /* 2 x 32 bytes in each of 8 rows that a store of c meets: a sector a row. */
        const fake_cuda_cost stores = fake_cuda_total("tile_product", "st.global");
        assert_int_equal(stores.sectors, 8 * stores.runs);
        free(text);
        fake_cuda_reset();
        ran++;
    }
    if (ran == 0)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(mistakes_are_found, end_device),
        cmocka_unit_test_teardown(a_tile_product, end_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
