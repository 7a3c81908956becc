/* SPDX-License-Identifier: MIT
 * A program that calls every function of mdldm.h and prints what each promises: statuses, counts, names, not
 * the last digits of a float. Its binary is kept at each release and must print the same with every later
 * library. It needs nothing but the header, libc and a folder to write into. */
#ifndef CALLER_H
#define CALLER_H

#include <mdldm/mdldm.h>

/* One line "function -> ...", named by the call's own text up to the bracket. */
void caller_say(const char *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The line of a call that returns a status; returns 1 for MDLDM_OK. */
int caller_status(const char *call, mdldm_status status);
#define TRY(call) caller_status(#call, call)

/* "finite" when all are, else "NOT FINITE". */
const char *caller_finite(const float *values, size_t count);

typedef struct caller {
    mdldm_context *ctx;
    const char *folder;
    mdldm_model *model; /* tiny, 2 persons, 32 codes */
    mdldm_dataset *data; /* 2 persons, 6 images each, and one broken file */
} caller;

enum { CALLER_SIDE = 32, CALLER_PIXELS = 3 * CALLER_SIDE * CALLER_SIDE };

void caller_context(caller *c); /* creates ctx */
void caller_options(caller *c);
void caller_signal(caller *c);
void caller_images(caller *c); /* writes the folder "data" */
void caller_matrix(caller *c);
void caller_dataset(caller *c);
void caller_model(caller *c);
void caller_inference(caller *c);
void caller_sampler(caller *c);
void caller_training(caller *c);
void caller_gait(caller *c);
void caller_evaluation(caller *c);
void caller_latents(caller *c);

#endif
