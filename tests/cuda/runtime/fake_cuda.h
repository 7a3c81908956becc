/* SPDX-License-Identifier: MIT
 * What a test may ask of the test runtime beside the CUDA calls: found with dlsym in the same library.
 *
 * The environment sets what holds from the start:
 *   MDLDM_FAKE_CUDA_DEVICES     how many devices there are (1)
 *   MDLDM_FAKE_CUDA_CAPABILITY  compute capability (8.0)
 *   MDLDM_FAKE_CUDA_MEMORY      bytes of device memory, also with k, M, G (4G)
 *   MDLDM_FAKE_CUDA_DRIVER      the driver's CUDA version (13000); 0: no driver
 *   MDLDM_FAKE_CUDA_FAIL        NAME:N, the Nth call of NAME fails (NAME may be "any")
 *   MDLDM_FAKE_CUDA_EAGER       1: work runs when it is queued, not as late as it may
 *   MDLDM_FAKE_CUDA_COUNT       1: count wavefronts and sectors
 *   MDLDM_FAKE_CUDA_STEPS       instructions of a launch after which it counts as endless (4e9)
 *   MDLDM_FAKE_CUDA_LEAKS       1: what is alive when the process ends goes to the log
 *   MDLDM_FAKE_CUDA_LOG         a file that findings and refusals are appended to (else stderr) */
#ifndef MDLDM_TESTS_FAKE_CUDA_H
#define MDLDM_TESTS_FAKE_CUDA_H

#include <stddef.h>
#include <stdint.h>

#define FAKE_API __attribute__((visibility("default")))

/* Everything is released and forgotten, findings and settings too: a fresh process. */
FAKE_API void fake_cuda_reset(void);
/* One of the settings above, without the prefix: fake_cuda_set("CAPABILITY", "7.5"). -1: no such setting. */
FAKE_API int fake_cuda_set(const char *name, const char *value);
/* The first finding or refusal since the last reset; "" when there is none. */
FAKE_API const char *fake_cuda_finding(void);
/* Calls of `name` so far ("any": of all). */
FAKE_API uint64_t fake_cuda_calls(const char *name);
/* How many are alive: "allocations", "pinned", "streams", "events", "graphs", "libraries"; -1: no such kind. */
FAKE_API int64_t fake_cuda_live(const char *kind);
/* Bytes of device memory in use, and the most there were since the last reset. */
FAKE_API uint64_t fake_cuda_bytes(int most);

typedef struct fake_cuda_copies {
    uint64_t count, bytes; /* asked for, alone or into a graph */
    uint64_t pageable;     /* of them: from or to host memory that is not pinned */
} fake_cuda_copies;
/* Copies to the device (up) or from it since the last reset. */
FAKE_API fake_cuda_copies fake_cuda_copied(int up);

typedef struct fake_cuda_cost {
    uint64_t runs, wavefronts, sectors; /* by warps; see MDLDM_FAKE_CUDA_COUNT */
    int32_t line, source;               /* of the PTX text and of the .cu file (0: not known) */
} fake_cuda_cost;
/* The costs of instruction number `at` of a loaded kernel; 0 when there is none. */
FAKE_API int fake_cuda_cost_of(const char *kernel, size_t at, fake_cuda_cost *cost);
/* Of all instructions of a kernel whose name begins with `name` ("ld.shared", "ldmatrix", ""). */
FAKE_API fake_cuda_cost fake_cuda_total(const char *kernel, const char *name);
/* Launches of a kernel (NULL: of all) since the last reset. */
FAKE_API uint64_t fake_cuda_launches(const char *kernel);

#endif
