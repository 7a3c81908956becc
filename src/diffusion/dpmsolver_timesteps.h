/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_DIFFUSION_DPMSOLVER_TIMESTEPS_H
#define MDLDM_DIFFUSION_DPMSOLVER_TIMESTEPS_H

#include "diffusion/scheduler_internal.h"

/* DPMSolverMultistepScheduler.set_timesteps. */
mdldm_status mdldm__dpmsolver_set_timesteps(mdldm__scheduler *s, int64_t steps);

#endif
