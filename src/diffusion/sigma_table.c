/* SPDX-License-Identifier: MIT */
#include "diffusion/sigma_table.h"

#include <math.h>

#include "diffusion/beta_schedule.h"

double mdldm__interpolate(const float *table, int64_t count, double t)
{
    if (t <= 0.0)
        return table[0];
    if (t >= (double)(count - 1))
        return table[count - 1];
    int64_t low = (int64_t)t;
    double fraction = t - (double)low;
    double slope = (double)table[low + 1] - (double)table[low];
    return fraction == 0.0 ? table[low] : slope * fraction + (double)table[low];
}

double mdldm__sigma_to_timestep(const mdldm__scheduler *s, double sigma)
{
    /* log of the float32 table is float32 there, log of the double sigma double. */
    const int64_t count = s->config.num_train_timesteps;
    if (count < 2)
        return 0.0;
    double log_sigma = log(fmax(sigma, 1e-10));
    int64_t low = 0;
    for (int64_t i = 0; i < count; i++)
        if (log_sigma >= (double)logf(s->train_sigmas[i]))
            low = i;
    if (low > count - 2)
        low = count - 2;
    float log_low = logf(s->train_sigmas[low]), log_high = logf(s->train_sigmas[low + 1]);
    double w = ((double)log_low - log_sigma) / (double)(log_low - log_high);
    w = fmin(fmax(w, 0.0), 1.0);
    return (1.0 - w) * (double)low + w * (double)(low + 1);
}

/* Regularised incomplete beta function I_x(a, a), by Lentz's continued fraction (Press et al.,
 * Numerical Recipes, section 6.4); x <= 1/2. */
static double incomplete_beta(double a, double x)
{
    const double tiny = 1e-300;
    double front = tgamma(2.0 * a) / (tgamma(a) * tgamma(a)) * pow(x * (1.0 - x), a) / a;
    double c = 1.0, d = 1.0 - 2.0 * a * x / (a + 1.0);
    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int m = 1; m <= 500; m++) {
        double even = m * (a - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1.0 / (1.0 + even * d);
        c = 1.0 + even / c;
        value *= d * c;
        double odd = -(a + m) * (2.0 * a + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1.0 / (1.0 + odd * d);
        c = 1.0 + odd / c;
        value *= d * c;
        if (fabs(d * c - 1.0) < 1e-16)
            break;
    }
    return front * value;
}

double mdldm__beta_quantile(double p)
{
    if (p <= 0.0)
        return 0.0;
    if (p >= 1.0)
        return 1.0;
    if (p > 0.5)
        return 1.0 - mdldm__beta_quantile(1.0 - p);
    double low = 0.0, high = 0.5;
    for (int i = 0; i < 100; i++) {
        double middle = 0.5 * (low + high);
        if (incomplete_beta(0.6, middle) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

int mdldm__respaced_sigma(const mdldm__scheduler_config *config, double sigma_max, double sigma_min,
                          int64_t steps, int64_t i, double *sigma)
{
    const double rho = 7.0;
    /* LMS's Karras spacing alone does not read the limits from its config. */
    int limits = !(config->kind == MDLDM__LMS && config->use_karras_sigmas);
    if (limits && !isnan(config->sigma_min))
        sigma_min = config->sigma_min;
    if (limits && !isnan(config->sigma_max))
        sigma_max = config->sigma_max;
    if (config->use_karras_sigmas) { /* Karras et al. 2022, equation 5 */
        double low = pow(sigma_min, 1.0 / rho), high = pow(sigma_max, 1.0 / rho);
        *sigma = pow(high + mdldm__linspace(0.0, 1.0, steps, i) * (low - high), rho);
        return 1;
    }
    if (config->use_exponential_sigmas) {
        *sigma = exp(mdldm__linspace(log(sigma_max), log(sigma_min), steps, i));
        return 1;
    }
    if (config->use_beta_sigmas) { /* Lee et al. 2024, "Beta sampling is all you need" */
        double p = mdldm__beta_quantile(1.0 - mdldm__linspace(0.0, 1.0, steps, i));
        *sigma = sigma_min + p * (sigma_max - sigma_min);
        return 1;
    }
    return 0;
}

mdldm_status mdldm__check_train_sigmas(mdldm__scheduler *s)
{
    int64_t last = s->config.num_train_timesteps - 1;
    if (!isfinite(s->train_sigmas[last]))
        return mdldm__error(s->env, MDLDM_ERROR_UNSUPPORTED,
                            "%s cannot start from infinite noise: alphas_cumprod of timestep %lld is %g; "
                            "ddpm or ddim can",
                            mdldm__scheduler_class(s), (long long)last, (double)s->alphas_cumprod[last]);
    return MDLDM_OK;
}

/* Timestep i of the run, first the noisiest, in float32 as there. */
static float spaced_timestep(const mdldm__scheduler_config *c, int64_t steps, int64_t i)
{
    const int64_t train = c->num_train_timesteps;
    switch (c->timestep_spacing) {
    case MDLDM__SPACING_LINSPACE:
        return (float)mdldm__linspace(0.0, (double)(train - 1), steps, steps - 1 - i);
    case MDLDM__SPACING_LEADING:
        return (float)((steps - 1 - i) * (train / steps)) + (float)c->steps_offset;
    default:
        return (float)rint(mdldm__arange_down((double)train, (double)train / (double)steps, i)) - 1.0f;
    }
}

/* Noise level i before any respacing. */
static double plain_sigma(const mdldm__scheduler *s, int64_t steps, int64_t i)
{
    const mdldm__scheduler_config *c = &s->config;
    if (c->log_linear) {
        float high = logf(s->train_sigmas[c->num_train_timesteps - 1]), low = logf(s->train_sigmas[0]);
        return expf(mdldm__linspace_f32(high, low, steps + 1, i));
    }
    return mdldm__interpolate(s->train_sigmas, c->num_train_timesteps, spaced_timestep(c, steps, i));
}

mdldm_status mdldm__sigma_set_timesteps(mdldm__scheduler *s, int64_t steps)
{
    const mdldm__scheduler_config *c = &s->config;
    MDLDM__TRY(mdldm__check_train_sigmas(s));
    MDLDM__TRY(mdldm__scheduler_reserve(s, steps));
    /* log_linear makes one more level, the table's smallest, and so ends there instead of at zero. */
    int64_t levels = c->log_linear ? steps + 1 : steps;
    double first = plain_sigma(s, steps, 0), last = plain_sigma(s, steps, levels - 1);
    float largest = 0.0f;
    for (int64_t i = 0; i < steps; i++) {
        double sigma;
        if (mdldm__respaced_sigma(c, first, last, steps, i, &sigma)) {
            s->timesteps[i] = (float)mdldm__sigma_to_timestep(s, sigma);
        } else {
            sigma = plain_sigma(s, steps, i);
            s->timesteps[i] = spaced_timestep(c, steps, i);
        }
        s->sigmas[i] = (float)sigma;
        if (c->continuous && c->prediction_type == MDLDM__PREDICT_V)
            s->timesteps[i] = 0.25f * logf(s->sigmas[i]);
        largest = fmaxf(largest, s->sigmas[i]);
    }
    int respaced = c->use_karras_sigmas || c->use_exponential_sigmas || c->use_beta_sigmas;
    if (c->log_linear && !respaced)
        s->sigmas[steps] = (float)last;
    else
        s->sigmas[steps] = c->final_sigma_min ? s->train_sigmas[0] : 0.0f;
    int from_peak = c->timestep_spacing != MDLDM__SPACING_LEADING;
    s->init_noise_sigma = from_peak ? largest : sqrtf(largest * largest + 1.0f);
    return MDLDM_OK;
}
