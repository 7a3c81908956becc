# SPDX-License-Identifier: MIT
"""Some steps of both training stages, here and in torch, from the same weights, images, noise, timesteps
and labels: the same losses, and the same weights and averages afterwards."""
from ctypes import byref, c_double, c_int32, c_void_p

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DModel, VQModel
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from PIL import Image

import philox

# Losses; weights, of the longest way that any of them went. Observed: 6.6e-7 and 7.2e-5; 3.6e-6 and 1.6e-4.
TOLERANCES = {"tiny": (2.6e-6, 2.9e-4), "small": (1.4e-5, 6.4e-4)}
SEED, BATCH, ACCUMULATION, STEPS, TOTAL = 77, 2, 2, 4, 10
# Epsilon is large so that gradients which are mathematically zero do not become steps of their sign.
SETTINGS = dict(learning_rate=2e-3, adam_beta1=0.9, adam_beta2=0.99, adam_epsilon=1e-3, adam_weight_decay=0.05,
                lr_scheduler="cosine", lr_warmup_steps=1, max_grad_norm=1.0, use_ema=1, ema_max_decay=0.7,
                train_batch_size=BATCH, gradient_accumulation_steps=ACCUMULATION, max_train_steps=TOTAL,
                validation_fraction=0, seed=SEED)


class Peer:
    """torch's optimiser with the same settings."""

    def __init__(self, model):
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        s = SETTINGS
        self.optimizer = torch.optim.AdamW(self.parameters, lr=s["learning_rate"],
                                           betas=(s["adam_beta1"], s["adam_beta2"]), eps=s["adam_epsilon"],
                                           weight_decay=s["adam_weight_decay"])
        self.schedule = get_scheduler("cosine", self.optimizer, num_warmup_steps=s["lr_warmup_steps"],
                                      num_training_steps=TOTAL)
        self.ema = EMAModel(self.parameters, decay=s["ema_max_decay"], use_ema_warmup=True, inv_gamma=1.0,
                            power=0.75)

    def step(self):
        torch.nn.utils.clip_grad_norm_(self.parameters, SETTINGS["max_grad_norm"])
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        self.ema.step(self.parameters)

    def finish(self, model):
        self.ema.copy_to(self.parameters)
        return model.state_dict()


def options(lib, settings):
    handle = c_void_p()
    lib.call("options_create", byref(handle))
    for key, value in settings.items():
        lib.call("options_parse", handle, key.encode(), str(value).encode())
    return handle


def train_here(lib, stage, model, data, resolution, settings):
    """Losses of all steps; the model holds the averaged weights afterwards."""
    dataset, trainer = c_void_p(), c_void_p()
    lib.call("dataset_open", str(data).encode(), options(lib, dict(resolution=resolution)), byref(dataset))
    lib.call("trainer_create", c_int32(stage), model, dataset, options(lib, settings), byref(trainer))
    lib.lib.mdldm_trainer_metric.restype = c_double
    losses = []
    for _ in range(STEPS):
        lib.call("trainer_step", trainer)
        losses.append(lib.lib.mdldm_trainer_metric(trainer, b"loss"))
    lib.call("trainer_update_model", trainer)
    lib.lib.mdldm_trainer_free(trainer)
    lib.lib.mdldm_dataset_free(dataset)
    return losses


def make_picture(folder, resolution):
    folder.mkdir(parents=True)
    y, x = np.mgrid[0:resolution, 0:resolution]
    rgb = np.stack([127 + 120 * np.sin(x / (2.0 + c)) * np.cos(y / (4.0 - c)) for c in range(3)], -1)
    Image.fromarray(rgb.astype(np.uint8)).save(folder / "one.png")
    return torch.from_numpy(rgb.astype(np.uint8)).permute(2, 0, 1).float()[None] / 127.5 - 1


@torch.no_grad()
def spread_codes(folder, pixels):
    """Codes as far apart as latents are: new ones lie so close together that rounding chooses among them."""
    vqvae = VQModel.from_pretrained(folder / "vqvae").eval()
    latent = vqvae.encode(pixels).latents
    codes = vqvae.quantize.embedding.weight
    noise = torch.randn(codes.shape, generator=torch.Generator().manual_seed(SEED))
    codes.copy_(latent.mean(dim=(0, 2, 3)) + latent.std(dim=(0, 2, 3)) * noise)
    vqvae.save_pretrained(folder / "vqvae")


def stage_1(lib, folder, data, pixels, report, tolerances):
    spread_codes(folder, pixels)
    model = lib.load(folder)
    vqvae = VQModel.from_pretrained(folder / "vqvae").train()
    before = {name: value.clone() for name, value in vqvae.state_dict().items()}
    peer, losses = Peer(vqvae), []
    pixels = pixels.expand(BATCH, -1, -1, -1)
    for _ in range(STEPS):
        mean = 0.0
        for _ in range(ACCUMULATION):
            latent = vqvae.encode(pixels).latents
            straight, _, (_, _, codes) = vqvae.quantize(latent)
            codes = codes.reshape(BATCH, *latent.shape[2:])
            nearest = vqvae.quantize.embedding(codes).permute(0, 3, 1, 2)
            decoded = vqvae.decoder(vqvae.post_quant_conv(straight))
            loss = (F.l1_loss(decoded, pixels) + F.mse_loss(decoded, pixels) + F.mse_loss(nearest, latent.detach()) +
                    0.25 * F.mse_loss(latent, nearest.detach()))
            (loss / ACCUMULATION).backward()
            mean += loss.item() / ACCUMULATION
        peer.step()
        losses.append(mean)
    want = peer.finish(vqvae)
    got = train_here(lib, 1, model, data, pixels.shape[-1],
                     dict(SETTINGS, kmeans_start=0, restart_dead_codes=0, scaling_factor=1))
    report("stage 1 losses", got, losses, tolerances[0])
    lib.save(model, folder / "after")
    check_weights("stage 1", before, want, VQModel.from_pretrained(folder / "after/vqvae").state_dict(), report,
                  tolerances[1])
    lib.free_model(model)


def check_weights(name, before, want, got, report, tolerance):
    """Differences relative to the longest way that any weight went."""
    way = max(float((want[key] - value).abs().max()) for key, value in before.items())
    error = max(float((got[key] - value).abs().max()) for key, value in want.items()) / way
    report(f"{name} weights after {STEPS} steps, of the longest way {way:.1e}", error, 0.0, tolerance)


def stage_2(lib, model, folder, data, pixels, prediction, report, tolerances):
    unet = UNet2DModel.from_pretrained(folder / "unet").train()
    vqvae = VQModel.from_pretrained(folder / "vqvae").eval()
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    scheduler = DDPMScheduler(prediction_type=prediction)
    peer, losses = Peer(unet), []
    with torch.no_grad():
        clean = (vqvae.encode(pixels).latents * vqvae.config.scaling_factor).expand(BATCH, -1, -1, -1)
    null_class, sample, dropped = unet.config.num_class_embeds - 1, 0, 0
    for _ in range(STEPS):
        mean = 0.0
        for _ in range(ACCUMULATION):
            numbers = range(sample, sample + BATCH)
            noise = torch.from_numpy(np.stack([philox.normal(SEED, philox.TRAIN_NOISE, k, clean[0].numel())
                                               for k in numbers])).reshape(clean.shape)
            t = torch.tensor([philox.below(SEED, philox.TIMESTEP, k, 1000) for k in numbers])
            drop = [philox.uniform(SEED, philox.LABEL_DROP, k, 1)[0] < 0.5 for k in numbers]
            labels = torch.tensor([null_class if gone else 0 for gone in drop])
            dropped += sum(drop)
            output = unet(scheduler.add_noise(clean, noise, t), t, class_labels=labels).sample
            target = scheduler.get_velocity(clean, noise, t) if prediction == "v_prediction" else noise
            loss = F.mse_loss(output, target)
            (loss / ACCUMULATION).backward()
            mean += loss.item() / ACCUMULATION
            sample += BATCH
        peer.step()
        losses.append(mean)
    assert 0 < dropped < sample, "the seed must drop some labels and keep some"
    want = peer.finish(unet)
    got = train_here(lib, 2, model, data, pixels.shape[-1],
                     dict(SETTINGS, label_dropout=0.5, prediction_type=prediction))
    report(f"stage 2 losses, {prediction}", got, losses, tolerances[0])
    lib.save(model, folder / "after")
    check_weights(f"stage 2, {prediction}", before, want,
                  UNet2DModel.from_pretrained(folder / "after/unet").state_dict(), report, tolerances[1])


def check(lib, work, report, preset="tiny", resolution=32):
    print(f"the same training steps here and in torch, preset {preset}")
    data = work / f"picture-{preset}"
    pixels = make_picture(data / "person", resolution)
    for name, prediction in (("vq", None), ("epsilon", "epsilon"), ("velocity", "v_prediction")):
        folder, model = work / f"training-{preset}-{name}", c_void_p()
        # few codes: rounding must not choose another one
        settings = dict(preset=preset, resolution=resolution, num_codes=24, num_classes=1, label_dropout=0.5, seed=5)
        lib.call("model_create", options(lib, settings), byref(model))
        lib.save(model, folder)
        if prediction:
            stage_2(lib, model, folder, data, pixels, prediction, report, TOLERANCES[preset])
        else:
            stage_1(lib, folder, data, pixels, report, TOLERANCES[preset])
        lib.free_model(model)
