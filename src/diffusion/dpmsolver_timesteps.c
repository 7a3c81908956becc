/* SPDX-License-Identifier: MIT */
#include "diffusion/dpmsolver_timesteps.h"

#include <math.h>

#include "diffusion/beta_schedule.h"
#include "diffusion/sigma_table.h"

/* Timesteps whose log-SNR/2 is below lambda_min_clipped are left out: what remains, counted. */
static int64_t clipped_timesteps(const mdldm__scheduler *s)
{
    const double limit = s->config.lambda_min_clipped; /* the lowest double where Python wrote -Infinity */
    int64_t count = s->config.num_train_timesteps;
    while (count > 0) {
        float ac = s->alphas_cumprod[count - 1];
        if ((double)(logf(sqrtf(ac)) - logf(sqrtf(1.0f - ac))) >= limit)
            break;
        count--;
    }
    return count;
}

/* Steps there will be: trailing spacing over clipped timesteps makes fewer than asked for. */
static int64_t step_count(const mdldm__scheduler_config *c, int64_t steps, int64_t last, int respaced)
{
    if (respaced || c->timestep_spacing != MDLDM__SPACING_TRAILING || last == c->num_train_timesteps)
        return steps;
    return (int64_t)ceil((double)last / ((double)c->num_train_timesteps / (double)steps));
}

static double spaced_timestep(const mdldm__scheduler_config *c, int64_t steps, int64_t last, int64_t i)
{
    switch (c->timestep_spacing) {
    case MDLDM__SPACING_LINSPACE: /* steps + 1 points, the last one (timestep 0) left out */
        return rint(mdldm__linspace(0.0, (double)(last - 1), steps + 1, steps - i));
    case MDLDM__SPACING_LEADING:
        return (double)((steps - i) * (last / (steps + 1)) + c->steps_offset);
    default:
        return rint(mdldm__arange_down((double)last, (double)c->num_train_timesteps / (double)steps, i)) - 1.0;
    }
}

/* Lu et al. 2022, section 3: even steps in log sigma. */
static double lu_sigma(const mdldm__scheduler *s, int64_t steps, int64_t i)
{
    const double high = logf(s->train_sigmas[s->config.num_train_timesteps - 1]), low = logf(s->train_sigmas[0]);
    return exp(high + mdldm__linspace(0.0, 1.0, steps, i) * (low - high));
}

static mdldm_status check_falling(mdldm__scheduler *s)
{
    for (int64_t i = 1; i < s->steps; i++)
        if (!(s->sigmas[i] < s->sigmas[i - 1]))
            return mdldm__error(s->env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "%lld steps of DPMSolverMultistepScheduler visit timestep %g twice, and the "
                                "multistep formula divides by the distance; fewer steps (20 to 50 are usual) "
                                "would be right",
                                (long long)s->requested, s->timesteps[i]);
    return MDLDM_OK;
}

mdldm_status mdldm__dpmsolver_set_timesteps(mdldm__scheduler *s, int64_t steps)
{
    const mdldm__scheduler_config *c = &s->config;
    const int64_t train = c->num_train_timesteps, last = clipped_timesteps(s);
    MDLDM__TRY(mdldm__check_train_sigmas(s));
    if (last < 1)
        return mdldm__error(s->env, MDLDM_ERROR_UNSUPPORTED,
                            "scheduler config key 'lambda_min_clipped' is %g, which clips every timestep away; "
                            "-5.1 is usual",
                            c->lambda_min_clipped);
    const double sigma_max = s->train_sigmas[train - 1], sigma_min = s->train_sigmas[0];
    double sigma;
    /* As there: Karras goes before Lu, Lu before the others. */
    const int lu = c->use_lu_lambdas && !c->use_karras_sigmas;
    const int respaced = lu || mdldm__respaced_sigma(c, sigma_max, sigma_min, steps, 0, &sigma);
    const int rounds = (c->use_karras_sigmas || lu) && c->beta_schedule != MDLDM__BETA_COSINE;
    MDLDM__TRY(mdldm__scheduler_reserve(s, step_count(c, steps, last, respaced)));
    for (int64_t i = 0; i < s->steps; i++) {
        double t;
        if (respaced) {
            if (lu)
                sigma = lu_sigma(s, steps, i);
            else
                mdldm__respaced_sigma(c, sigma_max, sigma_min, steps, i, &sigma);
            t = mdldm__sigma_to_timestep(s, sigma);
            t = rounds ? rint(t) : t;
        } else {
            t = spaced_timestep(c, steps, last, i);
            sigma = mdldm__interpolate(s->train_sigmas, train, t);
        }
        s->timesteps[i] = trunc(t); /* a 64-bit integer there */
        s->sigmas[i] = (float)sigma;
    }
    s->sigmas[s->steps] = c->final_sigma_min ? s->train_sigmas[0] : 0.0f;
    return check_falling(s);
}
