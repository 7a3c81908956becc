/* SPDX-License-Identifier: MIT
 * Allocations and their records. */
#include "tests/cuda/sim/sim_memory.h"

#include <stdlib.h>
#include <string.h>

static struct {
    sim_allocation **all; /* by base */
    size_t n, cap;
    sim_allocation *last;
    uint32_t next;
} machine = {.next = SIM_FIRST_NUMBER};

enum { GAP = 4096 };

/* The first allocation that ends beyond `addr`. */
static size_t place_of(uint64_t addr)
{
    size_t low = 0, high = machine.n;
    while (low < high) {
        const size_t mid = (low + high) / 2;
        if (machine.all[mid]->base + machine.all[mid]->size <= addr)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void *sim_allocate(size_t size, sim_kind kind)
{
    if (machine.n == machine.cap) {
        const size_t cap = machine.cap ? 2 * machine.cap : 32;
        sim_allocation **all = realloc(machine.all, cap * sizeof *all);
        if (!all)
            return NULL;
        machine.all = all;
        machine.cap = cap;
    }
    sim_allocation *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->size = size ? size : 1;
    a->kind = kind;
    a->block = malloc(size + 2 * GAP + 1024);
    if (kind != SIM_PINNED_MEMORY) {
        a->wrote = calloc(size + 1, sizeof *a->wrote);
        a->read = calloc(size + 1, sizeof *a->read);
    }
    if (!a->block || (kind != SIM_PINNED_MEMORY && (!a->wrote || !a->read))) {
        free(a->block);
        free(a->wrote);
        free(a->read);
        free(a);
        return NULL;
    }
    a->base = ((uint64_t)(uintptr_t)a->block + GAP + 511) / 512 * 512 + 256;
    /* What is not written must not look like something. */
    memset((void *)(uintptr_t)a->base, 0xa5, size < 1 << 20 ? size : 1 << 20);
    const size_t at = place_of(a->base);
    memmove(machine.all + at + 1, machine.all + at, (machine.n - at) * sizeof *machine.all);
    machine.all[at] = a;
    ++machine.n;
    return (void *)(uintptr_t)a->base;
}

bool sim_release(void *base, sim_kind kind)
{
    const size_t at = place_of((uint64_t)(uintptr_t)base);
    if (at == machine.n || machine.all[at]->base != (uint64_t)(uintptr_t)base || machine.all[at]->kind != kind)
        return false;
    sim_allocation *a = machine.all[at];
    memmove(machine.all + at, machine.all + at + 1, (machine.n - at - 1) * sizeof *machine.all);
    --machine.n;
    machine.last = NULL;
    free(a->block);
    free(a->wrote);
    free(a->read);
    free(a);
    return true;
}

void sim_release_all(void)
{
    while (machine.n)
        (void)sim_release((void *)(uintptr_t)machine.all[0]->base, machine.all[0]->kind);
}

sim_allocation *sim_find(uint64_t addr, size_t size)
{
    sim_allocation *a = machine.last;
    if (a && addr >= a->base && addr - a->base <= a->size && size <= a->size - (addr - a->base))
        return a;
    const size_t at = place_of(addr);
    if (at == machine.n)
        return NULL;
    a = machine.all[at];
    if (addr < a->base || size > a->size - (addr - a->base))
        return NULL;
    machine.last = a;
    return a;
}

const sim_allocation *sim_near(uint64_t addr)
{
    const size_t at = place_of(addr);
    if (at < machine.n && machine.all[at]->base <= addr + GAP)
        return machine.all[at];
    if (at > 0 && addr - (machine.all[at - 1]->base + machine.all[at - 1]->size) < GAP)
        return machine.all[at - 1];
    return NULL;
}

size_t sim_allocated(sim_kind kind, size_t *count)
{
    size_t bytes = 0, n = 0;
    for (size_t i = 0; i < machine.n; ++i)
        if (machine.all[i]->kind == kind) {
            bytes += machine.all[i]->size;
            ++n;
        }
    if (count)
        *count = n;
    return bytes;
}

void sim_mark_written(uint64_t addr, size_t size)
{
    sim_allocation *a = sim_find(addr, size);
    if (!a || !a->wrote)
        return;
    uint32_t *wrote = a->wrote + (addr - a->base);
    for (size_t i = 0; i < size; ++i)
        wrote[i] = SIM_HOST;
}

size_t sim_first_unwritten(uint64_t addr, size_t size)
{
    const sim_allocation *a = sim_find(addr, size);
    if (!a || !a->wrote)
        return size;
    const uint32_t *wrote = a->wrote + (addr - a->base);
    size_t i = 0;
    while (i < size && wrote[i] != SIM_UNWRITTEN)
        ++i;
    return i;
}

uint32_t sim_new_numbers(uint32_t n)
{
    const uint32_t first = machine.next;
    machine.next += n;
    return first;
}

uint32_t sim_launch_number(void)
{
    if (machine.next > SIM_ATOMIC / 2) { /* what was written stays written, by the host */
        for (size_t i = 0; i < machine.n; ++i) {
            sim_allocation *a = machine.all[i];
            for (size_t k = 0; a->wrote && k < a->size; ++k) {
                a->wrote[k] = a->wrote[k] != SIM_UNWRITTEN ? SIM_HOST : SIM_UNWRITTEN;
                a->read[k] = 0;
            }
        }
        machine.next = SIM_FIRST_NUMBER;
    }
    return sim_new_numbers(1);
}
