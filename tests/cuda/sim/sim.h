/* SPDX-License-Identifier: MIT
 * The test runtime's machine: PTX kernels run over host memory, warp by warp, and everything they touch is checked.
 *
 * A kernel is decoded once into an array of operations. A virtual register is 32 lanes side by side, so that one
 * operation of a warp is one loop that the compiler vectorises. The warps of a block run one after the other, each
 * until it waits at a barrier or ends; blocks run one after the other. What real hardware would do in another order
 * is not run but looked for: every byte remembers who last wrote and who last read it (see sim_memory.h). */
#ifndef MDLDM_TESTS_CUDA_SIM_H
#define MDLDM_TESTS_CUDA_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_LANES = 32, SIM_MAX_OPERANDS = 16 };

/* Generic addresses: below 2^60 they are host addresses (global memory). */
#define SIM_SHARED_BASE (UINT64_C(1) << 60)
#define SIM_LOCAL_BASE (UINT64_C(2) << 60)
#define SIM_PARAM_BASE (UINT64_C(3) << 60)
/* Where a block's own shared memory begins in the shared window: the first KiB is the system's, as on sm_80. */
#define SIM_SHARED_FIRST 1024u

typedef enum sim_space {
    SIM_GENERIC, SIM_GLOBAL, SIM_SHARED, SIM_LOCAL, SIM_PARAM, SIM_CONST
} sim_space;

typedef enum sim_flow {
    SIM_PLAIN,   /* goes on with the next operation */
    SIM_BRANCH, SIM_EXIT, SIM_BARRIER, SIM_TRAP
} sim_flow;

/* A register of a warp: where its lanes begin in the warp's file (in units of 64 bytes) and which mask of
 * lanes that hold a value is its own. A predicate is one word of 32 bits there. */
typedef struct sim_reg {
    uint16_t at, id;
} sim_reg;

struct sim_warp;
struct sim_op;
typedef void (*sim_handler)(struct sim_warp *w, const struct sim_op *op, uint32_t mask);

typedef struct sim_op {
    sim_handler run;
    const char *name;     /* as it stands in the text */
    uint8_t flow;         /* sim_flow */
    uint8_t own_written;  /* the handler keeps the masks of written lanes itself */
    uint8_t n_dst, n_src; /* r[0 .. n_dst) are written, r[n_dst .. n_dst + n_src) are read */
    uint8_t guarded, guard_not;
    uint8_t space;        /* sim_space of a memory operation */
    uint8_t width;        /* bytes of one element in memory */
    uint8_t count;        /* elements of a vector access */
    uint8_t type;         /* sim_type of an element, or a comparison's */
    uint8_t wide;         /* the address register has 64 bits */
    uint8_t sizes;        /* bytes of a data register's lane */
    sim_reg guard;
    sim_reg r[SIM_MAX_OPERANDS];
    int64_t offset;       /* added to the address; or an immediate */
    uint32_t arg;         /* what the handler wants to know beside */
    int32_t line;         /* of the PTX text */
    int32_t source;       /* of the .cu file, from .loc; 0: not known */
    int32_t target;       /* of a branch; where a branch's lanes meet again stands in meet */
    int32_t meet;
} sim_op;

typedef enum sim_type {
    SIM_B8, SIM_U8, SIM_S8, SIM_B16, SIM_U16, SIM_S16, SIM_F16, SIM_BF16, SIM_B32, SIM_U32, SIM_S32, SIM_F32,
    SIM_TF32, SIM_B64, SIM_U64, SIM_S64, SIM_F64, SIM_F16X2, SIM_BF16X2, SIM_PRED, SIM_NO_TYPE
} sim_type;
unsigned sim_type_size(sim_type type);

/* What one operation did over all launches since the counters were last cleared. */
typedef struct sim_count {
    uint64_t runs;       /* by warps */
    uint64_t wavefronts; /* of shared memory: passes that its 32 banks need */
    uint64_t sectors;    /* of 32 bytes of global memory */
} sim_count;

typedef struct sim_variable {
    char name[512];
    uint32_t size, align;
    uint64_t address; /* offset in its space, or a host address */
    bool dynamic;     /* the block's dynamic shared memory */
    sim_space space;
} sim_variable;

/* What a register holds before the first operation. */
typedef struct sim_constant {
    sim_reg reg;
    uint8_t size; /* of a lane */
    bool dynamic; /* bits count from where the block's dynamic shared memory begins */
    uint64_t bits;
} sim_constant;

enum sim_special {
    SIM_TID_X, SIM_TID_Y, SIM_TID_Z, SIM_NTID_X, SIM_NTID_Y, SIM_NTID_Z, SIM_CTAID_X, SIM_CTAID_Y, SIM_CTAID_Z,
    SIM_NCTAID_X, SIM_NCTAID_Y, SIM_NCTAID_Z, SIM_LANEID, SIM_WARPID, SIM_LANEMASK_LT, SIM_LANEMASK_LE,
    SIM_LANEMASK_GT, SIM_LANEMASK_GE, SIM_LANEMASK_EQ, SIM_DYNAMIC_SMEM, SIM_SPECIALS
};

typedef struct sim_kernel {
    char name[512];
    struct sim_module *module;
    sim_op *ops;
    sim_count *counts;
    size_t n_ops, cap_ops;
    sim_variable *params;
    size_t n_params;
    uint32_t param_bytes, shared_bytes, local_bytes; /* shared_bytes: of static variables */
    uint32_t dynamic_at; /* where dynamic shared memory begins, from the first byte of the block's own */
    uint32_t file_units, n_regs;
    char **names; /* of operations, each once */
    size_t n_names, cap_names;
    sim_constant *constants;
    size_t n_constants, cap_constants;
    sim_reg special[SIM_SPECIALS];
    bool has_special[SIM_SPECIALS];
    int32_t max_threads; /* .maxntid; 0: none */
    int32_t max_dynamic; /* of shared memory, cudaFuncSetAttribute; 0: what needs no leave */
} sim_kernel;

typedef struct sim_module {
    sim_kernel **kernels;
    size_t n_kernels;
    sim_variable *globals; /* of module scope: address is a host address */
    size_t n_globals;
    bool shares; /* its kernels' code is that of another module */
} sim_module;

/* Decodes `text` (NUL-terminated PTX). NULL and a sentence (with the line) in `why` when it has something that is
 * not in the instruction set. */
sim_module *sim_module_load(const char *text, char *why, size_t room);
void sim_module_free(sim_module *m);
sim_kernel *sim_module_find(sim_module *m, const char *name);

typedef struct sim_path { /* lanes that go on together */
    uint32_t mask;
    int32_t pc, meet; /* where they wait for the others; -1: never */
} sim_path;

enum { SIM_MAX_PATHS = 64 };

typedef struct sim_copy { /* a cp.async on its way */
    uint64_t from;
    uint32_t to, size, from_size, group;
    uint8_t lane;
    int32_t pc;
} sim_copy;

typedef struct sim_warp {
    struct sim_block *block;
    unsigned char *file;  /* lanes of all registers */
    uint32_t *written;    /* a mask of lanes for each register */
    unsigned char *local, *local_set;
    uint32_t index, lanes; /* lanes: those that exist */
    uint32_t exited;
    sim_path path[SIM_MAX_PATHS];
    int depth;             /* path[depth - 1] runs */
    int32_t pc;
    bool waits, ended;
    uint32_t barrier;      /* which it waits at */
    uint32_t me;           /* who it is in memory's records */
    sim_copy *copies;
    size_t n_copies, cap_copies;
    uint32_t groups[SIM_LANES]; /* of cp.async, committed */
    uint64_t steps;
} sim_warp;

typedef struct sim_block {
    struct sim_launch *launch;
    sim_kernel *kernel;
    uint32_t at[3], index;
    unsigned char *shared;
    uint32_t *shared_wrote, *shared_read; /* a record a byte */
    uint32_t shared_size;
    uint32_t block_first, interval_first;
    sim_warp *warps;
    uint32_t n_warps;
} sim_block;

typedef struct sim_launch {
    sim_kernel *kernel;
    uint32_t grid[3], threads[3], dynamic;
    const unsigned char *params;
    uint32_t launch_first;
    uint64_t steps, max_steps;
    bool counting;
    char *finding; /* empty: none */
    size_t room;
} sim_launch;

/* Runs it whole. False with a sentence in launch->finding when the checker found something. */
bool sim_run(sim_launch *launch);

/* Writes the sentence, once for each launch; `op` and `lane` may be absent (NULL, -1). */
void sim_found(sim_warp *w, const sim_op *op, int lane, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static inline bool sim_stopped(const sim_warp *w)
{
    return w->block->launch->finding[0] != 0;
}

static inline void *sim_lanes(sim_warp *w, sim_reg r)
{
    return w->file + (size_t)r.at * 64;
}
/* The mask of a predicate. */
static inline uint32_t *sim_pred(sim_warp *w, sim_reg r)
{
    return (uint32_t *)(void *)(w->file + (size_t)r.at * 64);
}
static inline void sim_set_written(sim_warp *w, sim_reg r, uint32_t mask, uint32_t written)
{
    w->written[r.id] = (w->written[r.id] & ~mask) | (written & mask);
}

/* Hot loops get the processor's own vectors and fused multiply-add. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define SIM_FAST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SIM_FAST
#endif
#define SIM_PER_LANE _Pragma("GCC ivdep") for (int l = 0; l < SIM_LANES; ++l)

#endif
