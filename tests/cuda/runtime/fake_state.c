/* SPDX-License-Identifier: MIT
 * Settings, failures on demand, the log; what tests may ask. */
#include "tests/cuda/runtime/fake_calls.h"
#include "tests/cuda/runtime/fake_state.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

fake_state fake;
_Thread_local int fake_device;
static _Thread_local int last_error;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool ready;

enum { MOST_NAMES = 64 };
static struct {
    char name[48];
    uint64_t n;
} calls[MOST_NAMES];
static uint64_t all_calls;

static const char *const settings[] = {"DEVICES", "CAPABILITY", "MEMORY", "DRIVER", "FAIL", "EAGER", "COUNT", "STEPS",
                                       "LOG"};

static uint64_t amount(const char *text)
{
    char *end;
    const double n = strtod(text, &end);
    const char *units = "kMG", *unit = *end ? strchr(units, *end) : NULL;
    return (uint64_t)(n * (unit ? (double)(UINT64_C(1) << 10 * (unit - units + 1)) : 1));
}

static int set(const char *name, const char *value)
{
    if (strcmp(name, "DEVICES") == 0) {
        fake.devices = atoi(value);
    } else if (strcmp(name, "CAPABILITY") == 0) {
        if (sscanf(value, "%d.%d", &fake.major, &fake.minor) != 2)
            return -1;
    } else if (strcmp(name, "MEMORY") == 0) {
        fake.memory = amount(value);
    } else if (strcmp(name, "DRIVER") == 0) {
        fake.driver = atoi(value);
    } else if (strcmp(name, "FAIL") == 0) {
        const char *colon = strchr(value, ':');
        fake.fail_name[0] = 0;
        if (*value && (!colon || (size_t)(colon - value) >= sizeof fake.fail_name))
            return -1;
        if (*value) {
            memcpy(fake.fail_name, value, (size_t)(colon - value));
            fake.fail_name[colon - value] = 0;
            fake.fail_at = strtoull(colon + 1, NULL, 10);
        }
        memset(calls, 0, sizeof calls);
        all_calls = 0;
    } else if (strcmp(name, "EAGER") == 0) {
        fake.eager = atoi(value) != 0;
    } else if (strcmp(name, "COUNT") == 0) {
        fake.counting = atoi(value) != 0;
    } else if (strcmp(name, "STEPS") == 0) {
        fake.max_steps = (uint64_t)strtod(value, NULL);
    } else if (strcmp(name, "LOG") == 0) {
        snprintf(fake.log, sizeof fake.log, "%s", value);
    } else {
        return -1;
    }
    return 0;
}

static void begin(void)
{
    memset(&fake, 0, sizeof fake);
    fake.devices = 1;
    fake.major = 8;
    fake.memory = UINT64_C(4) << 30;
    fake.driver = 13000;
    fake.max_steps = UINT64_C(4000000000);
    memset(calls, 0, sizeof calls);
    all_calls = 0;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; ++i) {
        char name[64];
        snprintf(name, sizeof name, "MDLDM_FAKE_CUDA_%s", settings[i]);
        const char *value = getenv(name);
        if (value && set(settings[i], value) != 0)
            fake_say("%s=%s is not understood", name, value);
    }
    ready = true;
}

void fake_say(const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!fake.finding[0])
        memcpy(fake.finding, text, sizeof text);
    FILE *log = fake.log[0] ? fopen(fake.log, "a") : stderr;
    if (log) {
        fprintf(log, "test CUDA runtime: %s\n", text);
        if (log != stderr)
            fclose(log);
    }
}

static uint64_t count_call(const char *name)
{
    int i = 0;
    ++all_calls;
    while (i < MOST_NAMES - 1 && calls[i].name[0] && strcmp(calls[i].name, name) != 0)
        ++i;
    snprintf(calls[i].name, sizeof calls[i].name, "%s", name);
    return ++calls[i].n;
}

fake_error fake_enter(const char *name)
{
    pthread_mutex_lock(&lock);
    if (!ready)
        begin();
    const uint64_t nth = count_call(name);
    const bool any = strcmp(fake.fail_name, "any") == 0;
    if (fake.fail_at && (any ? all_calls : nth) == fake.fail_at && (any || strcmp(fake.fail_name, name) == 0))
        return strncmp(name, "cudaMalloc", 10) == 0 ? FAKE_MEMORY : FAKE_UNKNOWN;
    if (fake.driver == 0 && strcmp(name, "cudaDriverGetVersion") != 0 && strcmp(name, "cudaRuntimeGetVersion") != 0)
        return FAKE_DRIVER;
    return fake.sticky ? FAKE_LAUNCH : FAKE_OK;
}

int fake_leave(fake_error error)
{
    if (error != FAKE_OK)
        last_error = (int)error;
    pthread_mutex_unlock(&lock);
    return (int)error;
}

int cudaGetLastError(void)
{
    const fake_error injected = fake_enter("cudaGetLastError");
    const int error = injected != FAKE_OK ? (int)injected : last_error;
    last_error = 0;
    pthread_mutex_unlock(&lock);
    return error;
}

const char *cudaGetErrorString(int error)
{
    switch (error) {
    case FAKE_OK: return "no error";
    case FAKE_VALUE: return "invalid argument";
    case FAKE_MEMORY: return "out of memory";
    case FAKE_CONFIGURATION: return "invalid configuration argument";
    case FAKE_DRIVER: return "CUDA driver version is insufficient for CUDA runtime version";
    case FAKE_NO_DEVICE: return "no CUDA-capable device is detected";
    case FAKE_DEVICE: return "invalid device ordinal";
    case FAKE_IMAGE: return "device kernel image is invalid";
    case FAKE_NO_IMAGE: return "no kernel image is available for execution on the device";
    case FAKE_PTX: return "a PTX JIT compilation failed";
    case FAKE_HANDLE: return "invalid resource handle";
    case FAKE_SYMBOL: return "named symbol not found";
    case FAKE_RESOURCES: return "too many resources requested for launch";
    case FAKE_CAPTURE: return "operation not permitted when stream is capturing";
    case FAKE_LAUNCH:
        snprintf(fake.described, sizeof fake.described, "unspecified launch failure: %s", fake.finding);
        return fake.described;
    default: return "unknown error";
    }
}

void fake_cuda_reset(void)
{
    pthread_mutex_lock(&lock);
    if (ready) {
        fake_forget_streams();
        fake_forget_graphs();
        fake_forget_libraries();
        sim_release_all();
    }
    last_error = 0;
    fake_device = 0;
    begin();
    pthread_mutex_unlock(&lock);
}

int fake_cuda_set(const char *name, const char *value)
{
    pthread_mutex_lock(&lock);
    if (!ready)
        begin();
    const int done = set(name, value);
    pthread_mutex_unlock(&lock);
    return done;
}

const char *fake_cuda_finding(void)
{
    return fake.finding;
}

uint64_t fake_cuda_calls(const char *name)
{
    uint64_t n = strcmp(name, "any") == 0 ? all_calls : 0;
    for (int i = 0; i < MOST_NAMES; ++i)
        if (strcmp(calls[i].name, name) == 0)
            n = calls[i].n;
    return n;
}

int64_t fake_cuda_live(const char *kind)
{
    int64_t n = 0;
    size_t count = 0;
    if (strcmp(kind, "allocations") == 0) {
        (void)sim_allocated(SIM_DEVICE_MEMORY, &count);
        n = (int64_t)count;
    } else if (strcmp(kind, "pinned") == 0) {
        (void)sim_allocated(SIM_PINNED_MEMORY, &count);
        n = (int64_t)count;
    } else if (strcmp(kind, "streams") == 0) {
        for (const fake_stream *s = fake.streams; s; s = s->next)
            n += s->alive;
    } else if (strcmp(kind, "events") == 0) {
        for (const fake_event *e = fake.events; e; e = e->next)
            n += e->alive;
    } else if (strcmp(kind, "graphs") == 0) {
        for (const fake_graph *g = fake.graphs; g; g = g->next)
            n += g->alive;
    } else if (strcmp(kind, "libraries") == 0) {
        for (const fake_library *l = fake.libraries; l; l = l->next)
            ++n;
    } else {
        return -1;
    }
    return n;
}

/* MDLDM_FAKE_CUDA_LEAKS=1: what is alive when the library goes is written to the log. */
__attribute__((destructor)) static void say_what_is_left(void)
{
    static const char *const kinds[] = {"allocations", "pinned", "streams", "events", "graphs", "libraries"};
    const char *wanted = getenv("MDLDM_FAKE_CUDA_LEAKS");
    for (size_t i = 0; wanted && strcmp(wanted, "1") == 0 && i < sizeof kinds / sizeof *kinds; ++i)
        if (fake_cuda_live(kinds[i]) != 0)
            fake_say("at the end %lld %s are left", (long long)fake_cuda_live(kinds[i]), kinds[i]);
}

fake_cuda_copies fake_cuda_copied(int up)
{
    return fake.copied[up != 0];
}

uint64_t fake_cuda_bytes(int most)
{
    return most ? fake.most : sim_allocated(SIM_DEVICE_MEMORY, NULL);
}
