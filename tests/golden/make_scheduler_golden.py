# SPDX-License-Identifier: MIT
"""Runs every scheduler of diffusers over a grid of configs and saves the trajectories.

    python tests/golden/make_scheduler_golden.py

writes data/schedulers.safetensors (torch and diffusers as in requirements.txt). The model is a formula that
test_schedulers.c repeats, the noise is a recorded table given to both sides, so that what is compared is the
scheduler alone. Metadata "cases" lists the runs in order; the tensors hold their values one after another.
"""
import json
import math
import os
import warnings

import numpy as np
import torch
from safetensors.numpy import save_file

import diffusers
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
)
from diffusers.schedulers import scheduling_ddpm, scheduling_euler_ancestral_discrete, scheduling_flow_match_euler_discrete

warnings.filterwarnings("ignore")
diffusers.utils.logging.set_verbosity_error()

SHAPE = (2, 2, 2, 2)
COUNT = math.prod(SHAPE)
NOISES = 32
rng = np.random.default_rng(20260101)
START = rng.standard_normal(SHAPE).astype(np.float32)
NOISE = rng.standard_normal((NOISES,) + SHAPE).astype(np.float32)


def model(kind, x, t):
    """Prediction for data N(m, 0.25) under about the linear schedule, with a ripple to make it nonlinear."""
    t = max(float(t), 0.0)
    if kind == "flow_prediction":
        return flow_model(x, t / 1000.0)
    alpha2 = math.exp(-(1e-4 * t + 9.95e-6 * t * t))
    sigma2 = 1.0 - alpha2 + 1e-6
    alpha, sigma = math.sqrt(alpha2), math.sqrt(sigma2)
    x = x.reshape(-1).astype(np.float64)
    m = ((np.arange(COUNT) * 7) % 11 - 5) * 0.25
    spread = alpha2 * 0.25 + sigma2
    eps = (x - alpha * m) * sigma / spread + 0.02 * np.sin(3.0 * x)
    clean = (m * sigma2 + alpha * 0.25 * x) / spread + 0.02 * np.cos(2.0 * x)
    out = {"epsilon": eps, "sample": clean, "v_prediction": alpha * eps - sigma * clean}[kind]
    return out.astype(np.float32).reshape(SHAPE)


def flow_model(x, share):
    """The same data's mean noise minus mean sample on the straight path."""
    x = x.reshape(-1).astype(np.float64)
    m = ((np.arange(COUNT) * 7) % 11 - 5) * 0.25
    left = 1.0 - share
    total = left * left * 0.25 + share * share
    off = x - left * m
    out = share * off / total - (m + left * 0.25 * off / total) + 0.02 * np.sin(3.0 * x)
    return out.astype(np.float32).reshape(SHAPE)


drawn = {"index": 0}


def recorded_noise(shape, generator=None, device=None, dtype=None, layout=None):
    return torch.from_numpy(NOISE[drawn["index"] % NOISES])


# DDPM and EulerAncestral take no noise as an argument: their generator call is replaced.
scheduling_ddpm.randn_tensor = recorded_noise
scheduling_euler_ancestral_discrete.randn_tensor = recorded_noise
scheduling_flow_match_euler_discrete.randn_tensor = recorded_noise

cases, states, timesteps = [], [], []


def stored_states(steps):
    """Indices of the steps whose result is kept: all of short runs, every 25th and the last of long ones."""
    return [i for i in range(steps) if steps <= 12 or i % 25 == 24 or i == steps - 1]


def lms_coefficient(self, order, t, current_order):
    """LMSDiscreteScheduler.get_lms_coefficient in float64: in float32, as it is, the quadrature of noise levels
    that lie close together loses up to 1e-3."""
    sigmas = self.sigmas.double().tolist()
    basis = np.poly1d([1.0])
    for k in range(order):
        if k != current_order:
            basis *= np.poly1d([1.0, -sigmas[t - k]]) / (sigmas[t - current_order] - sigmas[t - k])
    integral = basis.integ()
    return integral(sigmas[t + 1]) - integral(sigmas[t])


def run(cls, config, steps, eta=0.0):
    config = dict(config)
    scheduler = cls.from_config(config)
    if cls is LMSDiscreteScheduler and config.get("use_beta_sigmas"):
        scheduler.get_lms_coefficient = lms_coefficient.__get__(scheduler)
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    flow = cls in (FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler)
    kind = "flow_prediction" if flow else scheduler.config.prediction_type
    sigma = 1.0 if flow else float(scheduler.init_noise_sigma)
    sample = torch.from_numpy(START) * torch.tensor(sigma, dtype=torch.float32)
    keep = stored_states(len(scheduler.timesteps))
    kept = []
    for i, t in enumerate(scheduler.timesteps):
        drawn["index"] = i
        scaled = sample if flow else scheduler.scale_model_input(sample, t)
        output = torch.from_numpy(model(kind, scaled.numpy(), t))
        extra = {}
        if cls is DDIMScheduler:
            extra = {"eta": eta, "variance_noise": torch.from_numpy(NOISE[i % NOISES]) if eta > 0 else None}
        if cls is DPMSolverMultistepScheduler:
            extra = {"variance_noise": torch.from_numpy(NOISE[i % NOISES])}
        step_t = int(t) if cls in (DDPMScheduler, DDIMScheduler, PNDMScheduler) else t
        sample = scheduler.step(output, step_t, sample, **extra).prev_sample
        if i in keep:
            kept.append(sample.numpy().astype(np.float32).reshape(-1))
    assert all(np.isfinite(k).all() for k in kept), (cls, config, steps)
    states.extend(kept)
    timesteps.append(scheduler.timesteps.numpy().astype(np.float32))
    case = {"class": cls.__name__, "config": config, "steps": steps, "init_noise_sigma": sigma}
    if eta > 0:
        case["eta"] = eta
    cases.append(case)


EVERY = [
    DDPMScheduler,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    EulerAncestralDiscreteScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
]
PREDICTIONS = {c: ("epsilon", "sample", "v_prediction") for c in EVERY}
PREDICTIONS[EulerAncestralDiscreteScheduler] = PREDICTIONS[PNDMScheduler] = ("epsilon", "v_prediction")
SIGMA = [DPMSolverMultistepScheduler, EulerDiscreteScheduler, LMSDiscreteScheduler]

for c in EVERY:
    for prediction in PREDICTIONS[c]:
        for spacing in ("leading", "linspace", "trailing"):
            run(c, {"prediction_type": prediction, "timestep_spacing": spacing}, 6)
    run(c, {}, 10)
    run(c, {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}, 10)
    cosine = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}
    if c is EulerAncestralDiscreteScheduler:
        # Not from sigma 20291: sqrt(to^2 - up^2) would cancel to the last bit of torch's sqrt.
        cosine["timestep_spacing"] = "leading"
    run(c, cosine, 10)
    run(c, {"num_train_timesteps": 20, "trained_betas": [0.01 * (i + 1) for i in range(20)]}, 5)
    run(c, {"timestep_spacing": "leading", "steps_offset": 1}, 7)
    for steps in (25, 50):
        run(c, {"timestep_spacing": "trailing", "prediction_type": "v_prediction"}, steps)
    run(c, {"timestep_spacing": "leading"}, 200)
    if c is not PNDMScheduler:
        run(c, {}, 1)
        run(c, {}, 2)
        run(c, {}, 3)

# 1000 steps, the seed's number; DPM-Solver cannot (it would visit a timestep twice).
for c in (DDPMScheduler, DDIMScheduler, EulerDiscreteScheduler, EulerAncestralDiscreteScheduler,
          LMSDiscreteScheduler, PNDMScheduler):
    run(c, {}, 1000)

for c in (DDPMScheduler, DDIMScheduler):
    run(c, {"clip_sample": False}, 8)
    run(c, {"clip_sample_range": 0.4}, 8)
    run(c, {"thresholding": True, "sample_max_value": 1.6, "dynamic_thresholding_ratio": 0.9}, 8)
    run(c, {"thresholding": True}, 8)
    run(c, {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "prediction_type": "v_prediction"}, 8)
for variance in ("fixed_small_log", "fixed_large"):
    run(DDPMScheduler, {"variance_type": variance}, 8)
run(DDPMScheduler, {"beta_schedule": "sigmoid"}, 8)
run(DDPMScheduler, {"beta_schedule": "laplace", "prediction_type": "v_prediction"}, 8)
for prediction in PREDICTIONS[DDIMScheduler]:
    run(DDIMScheduler, {"prediction_type": prediction}, 8, eta=0.5)
    run(DDIMScheduler, {"prediction_type": prediction, "set_alpha_to_one": False}, 8, eta=1.0)

for c in (DPMSolverMultistepScheduler, EulerDiscreteScheduler, EulerAncestralDiscreteScheduler):
    run(c, {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction", "timestep_spacing": "trailing"}, 8)

for c in SIGMA:
    for kind in ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"):
        run(c, {kind: True}, 8)
        run(c, {kind: True, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}, 8)
    run(c, {"use_karras_sigmas": True}, 40)
run(DPMSolverMultistepScheduler, {"use_lu_lambdas": True}, 8)
run(DPMSolverMultistepScheduler, {"use_lu_lambdas": True, "beta_schedule": "squaredcos_cap_v2"}, 8)
for kind in ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"):
    run(EulerDiscreteScheduler, {kind: True, "sigma_min": 0.05, "sigma_max": 40.0}, 6)
run(EulerDiscreteScheduler, {"interpolation_type": "log_linear"}, 8)
run(EulerDiscreteScheduler, {"interpolation_type": "log_linear", "use_karras_sigmas": True}, 8)
run(EulerDiscreteScheduler, {"timestep_type": "continuous", "prediction_type": "v_prediction"}, 8)
run(EulerDiscreteScheduler, {"final_sigmas_type": "sigma_min"}, 8)

for algorithm in ("dpmsolver++", "sde-dpmsolver++", "dpmsolver", "sde-dpmsolver"):
    plain = not algorithm.endswith("++")
    for order in (1, 2, 3):
        if algorithm == "sde-dpmsolver" and order == 3:
            continue  # diffusers has no such update
        for solver in ("midpoint", "heun"):
            config = {"algorithm_type": algorithm, "solver_order": order, "solver_type": solver}
            config["final_sigmas_type"] = "sigma_min" if plain else "zero"
            run(DPMSolverMultistepScheduler, config, 7)
            if solver == "midpoint":
                run(DPMSolverMultistepScheduler, dict(config, lower_order_final=False), 16)
    for prediction in ("sample", "v_prediction"):
        run(DPMSolverMultistepScheduler, {"algorithm_type": algorithm, "prediction_type": prediction,
                                          "final_sigmas_type": "sigma_min"}, 6)
    run(DPMSolverMultistepScheduler, {"algorithm_type": algorithm, "thresholding": True, "sample_max_value": 1.5,
                                      "final_sigmas_type": "sigma_min"}, 6)
run(DPMSolverMultistepScheduler, {"euler_at_final": True, "final_sigmas_type": "sigma_min", "solver_order": 3}, 16)
run(DPMSolverMultistepScheduler, {"final_sigmas_type": "sigma_min", "solver_order": 3}, 16)
for spacing in ("leading", "linspace", "trailing"):
    run(DPMSolverMultistepScheduler, {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1,
                                      "timestep_spacing": spacing}, 9)

for skip in (False, True):
    for one in (False, True):
        run(PNDMScheduler, {"skip_prk_steps": skip, "set_alpha_to_one": one}, 5)
    run(PNDMScheduler, {"skip_prk_steps": skip, "prediction_type": "v_prediction", "timestep_spacing": "trailing"}, 4)
    run(PNDMScheduler, {"skip_prk_steps": skip}, 50)
for steps in (1, 2, 3):
    run(PNDMScheduler, {"skip_prk_steps": True}, steps)

# One class's stored file under another class, as pipelines do with from_config.
ddpm = json.loads(DDPMScheduler(beta_schedule="scaled_linear", prediction_type="v_prediction").to_json_string())
dpm = json.loads(DPMSolverMultistepScheduler(use_karras_sigmas=True, timestep_spacing="trailing").to_json_string())
dpm["lambda_min_clipped"] = -1.7976931348623157e308  # Python writes -Infinity, which no strict reader takes
euler = json.loads(EulerDiscreteScheduler(use_karras_sigmas=True, sigma_min=0.1, sigma_max=30.0).to_json_string())
for c in EVERY:
    run(c, ddpm, 6)
    run(c, dpm, 6)
    run(c, euler, 6)

for c in (FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler):
    for steps in (1, 2, 3, 10, 50):
        run(c, {}, steps)
    run(c, {"shift": 3.0}, 8)
    run(c, {"shift": 0.5, "num_train_timesteps": 400}, 8)
for kind in ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"):
    run(FlowMatchEulerDiscreteScheduler, {kind: True, "shift": 2.0}, 8)
run(FlowMatchEulerDiscreteScheduler, {"shift_terminal": 0.1, "shift": 2.0}, 8)
run(FlowMatchEulerDiscreteScheduler, {"stochastic_sampling": True}, 8)
stored = json.loads(FlowMatchEulerDiscreteScheduler(shift=1.5).to_json_string())
run(FlowMatchEulerDiscreteScheduler, stored, 6)
run(FlowMatchHeunDiscreteScheduler, stored, 6)

# Forward process.
forward = {}
training = [0, 1, 499, 998, 999]
for schedule in ("linear", "scaled_linear", "squaredcos_cap_v2"):
    scheduler = DDPMScheduler(beta_schedule=schedule)
    x = torch.from_numpy(NOISE[:5, 0])
    e = torch.from_numpy(NOISE[5:10, 0])
    forward["noisy." + schedule] = scheduler.add_noise(x, e, torch.tensor(training)).numpy()
    forward["velocity." + schedule] = scheduler.get_velocity(x, e, torch.tensor(training)).numpy()
    forward["alphas_cumprod." + schedule] = scheduler.alphas_cumprod.numpy()

for shift in (1.0, 3.0):
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    times = scheduler.timesteps.flip(0)[torch.tensor(training)]  # ours rise with the share of noise
    noisy = scheduler.scale_noise(torch.from_numpy(NOISE[:5, 0]), times, torch.from_numpy(NOISE[5:10, 0]))
    forward[f"flow.noisy.{shift:g}"] = noisy.numpy()
    forward[f"flow.times.{shift:g}"] = times.numpy()

tensors = {
    "start": START.reshape(-1),
    "noise": NOISE.reshape(NOISES, -1),
    "states": np.stack(states),
    "timesteps": np.concatenate(timesteps),
    **forward,
}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "schedulers.safetensors")
metadata = {"cases": json.dumps({"cases": cases}, separators=(",", ":")), "diffusers": diffusers.__version__}
save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, path, metadata=metadata)
print(f"{len(cases)} cases, {len(states)} states, {os.path.getsize(path)} bytes")
