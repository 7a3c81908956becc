/* SPDX-License-Identifier: MIT
 * Whole generations on the cuda backend while calls of the CUDA runtime fail in turn, through the public interface: an
 * error with a sentence, nothing left on the device, and the process may go on. And two contexts on two devices that
 * draw at the same time. */
#include <pthread.h>

#include "tests/cuda/cuda_test.h"

#include "mdldm/mdldm.h"
#include "support/backend_list.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

static char *folder;
static const mdldm_backend *backend;

static const char *const kinds[] = {"allocations", "pinned", "streams", "events", "graphs", "libraries"};

static void nothing_is_left(const char *after)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (fake_cuda_live(kinds[i]) != 0)
            fail_msg("%s: %lld %s left", after, (long long)fake_cuda_live(kinds[i]), kinds[i]);
}

enum { PIXELS = 2 * 3 * 16 * 16 };

/* Draws two images of a small model on a device; the first failure's status and sentence. */
static mdldm_status draw_on(const char *device, float pixels[PIXELS], char sentence[1024])
{
    mdldm_context *ctx = NULL;
    mdldm_model *m = NULL;
    mdldm_options *o = NULL;
    mdldm_sampler *s = NULL;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    mdldm_status status = mdldm_context_use_backend(ctx, device);
    if (status == MDLDM_OK)
        status = small_model_create(ctx, folder, 0, &m);
    if (status == MDLDM_OK)
        status = mdldm_options_create(ctx, &o);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(ctx, o, "num_inference_steps", 2);
    if (status == MDLDM_OK)
        status = mdldm_sampler_create(ctx, m, o, &s);
    if (status == MDLDM_OK)
        status = mdldm_generate(ctx, s, 2, 16, 16, NULL, 0, pixels, PIXELS);
    snprintf(sentence, 1024, "%s", status == MDLDM_OK ? "" : mdldm_context_error(ctx));
    mdldm_sampler_free(s);
    mdldm_options_free(o);
    mdldm_model_free(m);
    mdldm_context_free(ctx);
    return status;
}

static mdldm_status draw(char sentence[1024])
{
    static float pixels[PIXELS];
    return draw_on("cuda", pixels, sentence);
}

/* Fails call number `nth` of `name`. A call that gives something back may fail unnoticed. */
static int fails(const char *name, uint64_t nth)
{
    char which[96], sentence[1024];
    snprintf(which, sizeof which, "%s:%llu", name, (unsigned long long)nth);
    fake_cuda_reset();
    assert_int_equal(fake_cuda_set("FAIL", which), 0);
    const mdldm_status status = draw(sentence);
    if (fake_cuda_finding()[0] != '\0')
        fail_msg("%s: %s", which, fake_cuda_finding());
    nothing_is_left(which);
    if (status != MDLDM_OK && sentence[0] == '\0')
        fail_msg("%s: status %d without a sentence", which, (int)status);
    return status != MDLDM_OK;
}

static void in_turn(uint64_t most)
{
    static const char *const names[] = {
        "cudaSetDevice", "cudaGetDevice", "cudaDeviceGetAttribute", "cudaStreamCreateWithFlags", "cudaMallocHost",
        "cudaEventCreateWithFlags", "cudaMalloc", "cudaLibraryLoadData", "cudaLibraryGetKernel", "cudaFuncSetAttribute",
        "cudaMemcpyAsync", "cudaMemsetAsync", "cudaLaunchKernelExC", "cudaEventRecord", "cudaEventSynchronize",
        "cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate", "cudaGraphLaunch",
        "cudaStreamSynchronize", "cudaGraphExecDestroy", "cudaGraphDestroy", "cudaFree", "cudaFreeHost",
        "cudaEventDestroy", "cudaLibraryUnload", "cudaStreamDestroy",
    };
    uint64_t calls[sizeof names / sizeof *names], all, failed = 0;
    char sentence[1024];
    fake_cuda_reset();
    if (draw(sentence) != MDLDM_OK)
        fail_msg("%s", sentence);
    nothing_is_left("a whole run");
    all = fake_cuda_calls("any");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        calls[i] = fake_cuda_calls(names[i]);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) { /* the first and the last of each */
        if (calls[i] > 0)
            failed += (uint64_t)fails(names[i], 1);
        if (calls[i] > 1)
            failed += (uint64_t)fails(names[i], calls[i]);
    }
    const uint64_t step = all > most ? all / most : 1; /* and some of all */
    for (uint64_t nth = 1; nth <= all; nth += step)
        failed += (uint64_t)fails("any", nth);
    assert_true(failed > 20);
}

static int find_plugin(void **state)
{
    (void)state;
    const mdldm_backend *list[MOST_BACKENDS];
    folder = temp_dir_make();
    small_model_configs(folder, small_vq_config);
    for (int i = 0, n = backend_list(list); i < n; i++)
        if (strcmp(list[i]->name, "cuda") == 0)
            backend = list[i];
    if (backend == NULL)
        printf("neither clang-16 nor nvcc made a cuda plug-in: nothing to test\n");
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    fake_cuda_reset();
    return 0;
}

static void drawing(void **state)
{
    (void)state;
    if (backend == NULL)
        skip();
    in_turn(40);
}

typedef struct drawer {
    const char *device;
    float pixels[PIXELS];
    char sentence[1024];
    int rounds, own_device, seen_device;
} drawer;

/* A host program's thread, with a device of its own choice that stays. */
static void *draw_rounds(void *arg)
{
    drawer *d = arg;
    if (cudaSetDevice(d->own_device) != 0)
        return NULL;
    for (; d->rounds > 0; d->rounds--)
        if (draw_on(d->device, d->pixels, d->sentence) != MDLDM_OK)
            break;
    if (cudaGetDevice(&d->seen_device) != 0)
        d->seen_device = -1;
    return NULL;
}

static void two_devices_at_the_same_time(void **state)
{
    (void)state;
    static drawer drawers[2] = {{.device = "cuda:0", .rounds = 3, .own_device = 1, .seen_device = -1},
                                {.device = "cuda:1", .rounds = 3, .own_device = 0, .seen_device = -1}};
    static float alone[PIXELS];
    char sentence[1024];
    pthread_t threads[2];
    if (backend == NULL)
        skip();
    fake_cuda_reset();
    assert_int_equal(fake_cuda_set("DEVICES", "2"), 0);
    if (draw_on("cuda:0", alone, sentence) != MDLDM_OK)
        fail_msg("%s", sentence);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, draw_rounds, &drawers[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        if (drawers[i].rounds != 0)
            fail_msg("%s: %s", drawers[i].device, drawers[i].sentence);
        assert_memory_equal(drawers[i].pixels, alone, sizeof alone);
        assert_int_equal(drawers[i].seen_device, drawers[i].own_device);
    }
    assert_string_equal(fake_cuda_finding(), "");
    nothing_is_left("two devices");
}

int main(void)
{
    char self[1024], path[1200];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length > 0) {
        self[length] = '\0';
        snprintf(path, sizeof path, "%s/libcudart.so.13", dirname(self));
        setenv("MDLDM_CUDART", path, 1); /* the very library this program is linked with */
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(drawing, tidy),
        cmocka_unit_test_teardown(two_devices_at_the_same_time, tidy),
    };
    const int failed = cmocka_run_group_tests(tests, find_plugin, tidy);
    temp_dir_remove(folder);
    return failed;
}
