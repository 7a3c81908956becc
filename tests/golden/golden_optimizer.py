# SPDX-License-Identifier: MIT
"""AdamW of torch with clipping by global norm, the schedules of diffusers.optimization and its
EMAModel: given gradients, the weights and averages after each step."""
import torch
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel

from golden_common import DATA, relative, save_case

STEPS = 8
SHAPES = {"conv.weight": (5, 3, 3, 3), "linear.weight": (4, 6), "bias": (7,)}  # not multiples of a vector
FACTS = dict(lr=3e-2, beta1=0.95, beta2=0.99, eps=1e-6, weight_decay=0.1, max_grad_norm=1.0, warmup=3,
             total=20, ema_inv_gamma=1.0, ema_power=0.75, ema_max_decay=0.8, steps=STEPS)


def run(start, gradients, dtype):
    parameters = [torch.nn.Parameter(value.to(dtype).clone()) for value in start]
    optimizer = torch.optim.AdamW(parameters, lr=FACTS["lr"], betas=(FACTS["beta1"], FACTS["beta2"]),
                                  eps=FACTS["eps"], weight_decay=FACTS["weight_decay"])
    schedule = get_scheduler("cosine", optimizer, num_warmup_steps=FACTS["warmup"],
                             num_training_steps=FACTS["total"])
    ema = EMAModel(parameters, decay=FACTS["ema_max_decay"], use_ema_warmup=True,
                   inv_gamma=FACTS["ema_inv_gamma"], power=FACTS["ema_power"])
    values, averages, norms, rates, decays = [], [], [], [], []
    for step in gradients:
        for parameter, gradient in zip(parameters, step):
            parameter.grad = gradient.to(dtype).clone()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, FACTS["max_grad_norm"]).detach())
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
        ema.step(parameters)
        decays.append(ema.cur_decay_value)
        values.append(torch.cat([parameter.detach().flatten() for parameter in parameters]))
        averages.append(torch.cat([average.detach().flatten() for average in ema.shadow_params]))
    return dict(values=torch.stack(values), averages=torch.stack(averages), norms=torch.stack(norms),
                rates=torch.tensor(rates, dtype=torch.float64), decays=torch.tensor(decays, dtype=torch.float64))


def schedules():
    """The factor of each schedule over 30 steps, past the end."""
    out = {}
    for name, extra in (("linear", {}), ("cosine", {}), ("cosine_with_restarts", dict(num_cycles=3)),
                        ("polynomial", dict(power=2.0)), ("constant", {}), ("constant_with_warmup", {})):
        optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
        schedule = get_scheduler(name, optimizer, num_warmup_steps=4, num_training_steps=25, **extra)
        rates = []
        for _ in range(30):
            rates.append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
        out[f"schedule.{name}"] = torch.tensor(rates, dtype=torch.float64) / 1e-3
    return out


def make():
    generator = torch.Generator().manual_seed(61)
    start = [torch.randn(shape, generator=generator) for shape in SHAPES.values()]
    # Some steps are clipped, some not: the norm of 145 normal numbers is about 12.
    gradients = [[torch.randn(shape, generator=generator) * (0.02 if k % 3 else 0.5)
                  for shape in SHAPES.values()] for k in range(STEPS)]
    out, exact = run(start, gradients, torch.float32), run(start, gradients, torch.float64)
    facts = dict(FACTS, **{f"drift.{key}": relative(out[key], exact[key]) for key in ("values", "averages")})
    tensors = {f"start.{name}": value for name, value in zip(SHAPES, start)}
    for index, name in enumerate(SHAPES):
        tensors[f"gradients.{name}"] = torch.stack([step[index] for step in gradients])
    save_case(DATA / "optimizer", {**tensors, **out, **schedules()}, facts)
