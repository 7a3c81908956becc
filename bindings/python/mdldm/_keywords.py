# SPDX-License-Identifier: MIT
# Made from the library's option table (src/api/options.def) by `make docs`.
"""The keyword arguments of each call, for type checkers. None leaves the default."""
from __future__ import annotations

import os
from typing import Literal, Optional, Sequence, SupportsFloat, SupportsIndex, TypedDict, Union

Text = Union[str, "os.PathLike[str]", Sequence[str]]


class ModelKeywords(TypedDict, total=False):
    """Options of scope model."""

    resolution: Optional[SupportsIndex]
    image_mode: Optional[Literal["RGB", "L"]]
    preset: Optional[Literal["ldm-256", "small", "tiny"]]
    model_config_name_or_path: Optional[Text]
    components: Optional[Literal["all", "autoencoder", "unet"]]
    vae_path: Optional[Text]
    num_classes: Optional[SupportsIndex]
    class_names: Optional[Text]
    num_codes: Optional[SupportsIndex]
    latent_channels: Optional[SupportsIndex]
    scaling_factor: Optional[SupportsFloat]
    seed: Optional[SupportsIndex]
    label_dropout: Optional[SupportsFloat]
    unconditional: Optional[bool]


class DatasetKeywords(TypedDict, total=False):
    """Options of scope dataset."""

    resolution: Optional[SupportsIndex]
    center_crop: Optional[bool]
    random_flip: Optional[bool]
    image_mode: Optional[Literal["RGB", "L"]]
    colormap: Optional[Literal["none", "jet", "viridis", "parula-like", "turbo", "grey"]]
    db_floor: Optional[SupportsFloat]
    db_ceiling: Optional[SupportsFloat]
    strict: Optional[bool]
    max_samples: Optional[SupportsIndex]
    seed: Optional[SupportsIndex]


class SampleKeywords(TypedDict, total=False):
    """Options of scope sample."""

    seed: Optional[SupportsIndex]
    scheduler: Optional[Literal[
        "ddpm", "ddim", "dpmsolver++", "dpmsolver-sde", "euler", "euler_ancestral", "lms", "pndm", "flow_euler", "flow_heun", "model"]]
    num_inference_steps: Optional[SupportsIndex]
    guidance_scale: Optional[SupportsFloat]
    eta: Optional[SupportsFloat]
    solver_order: Optional[SupportsIndex]
    use_karras_sigmas: Optional[Literal["model", "yes", "no"]]
    timestep_spacing: Optional[Literal["model", "leading", "linspace", "trailing"]]
    clip_sample: Optional[Literal["model", "yes", "no"]]


class TrainKeywords(TypedDict, total=False):
    """Options of scope train, vq, diffusion."""

    scaling_factor: Optional[SupportsFloat]
    seed: Optional[SupportsIndex]
    output_dir: Optional[Text]
    overwrite_output_dir: Optional[bool]
    train_batch_size: Optional[SupportsIndex]
    eval_batch_size: Optional[SupportsIndex]
    num_epochs: Optional[SupportsIndex]
    max_train_steps: Optional[SupportsIndex]
    gradient_accumulation_steps: Optional[SupportsIndex]
    learning_rate: Optional[SupportsFloat]
    lr_scheduler: Optional[Literal[
        "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup"]]
    lr_warmup_steps: Optional[SupportsIndex]
    lr_num_cycles: Optional[SupportsFloat]
    lr_power: Optional[SupportsFloat]
    adam_beta1: Optional[SupportsFloat]
    adam_beta2: Optional[SupportsFloat]
    adam_weight_decay: Optional[SupportsFloat]
    adam_epsilon: Optional[SupportsFloat]
    max_grad_norm: Optional[SupportsFloat]
    use_ema: Optional[bool]
    ema_inv_gamma: Optional[SupportsFloat]
    ema_power: Optional[SupportsFloat]
    ema_max_decay: Optional[SupportsFloat]
    mixed_precision: Optional[Literal["no", "bf16"]]
    allow_tf32: Optional[bool]
    gradient_checkpointing: Optional[bool]
    checkpointing_steps: Optional[SupportsIndex]
    checkpoints_total_limit: Optional[SupportsIndex]
    resume_from_checkpoint: Optional[Text]
    dataloader_num_workers: Optional[SupportsIndex]
    validation_fraction: Optional[SupportsFloat]
    validation_gap: Optional[SupportsIndex]
    l1_weight: Optional[SupportsFloat]
    l2_weight: Optional[SupportsFloat]
    codebook_weight: Optional[SupportsFloat]
    commitment_beta: Optional[SupportsFloat]
    legacy_beta: Optional[bool]
    ema_codebook: Optional[bool]
    ema_codebook_decay: Optional[SupportsFloat]
    kmeans_start: Optional[bool]
    restart_dead_codes: Optional[SupportsIndex]
    entropy_weight: Optional[SupportsFloat]
    entropy_temperature: Optional[SupportsFloat]
    prediction_type: Optional[Literal["epsilon", "sample", "v_prediction", "flow_prediction"]]
    ddpm_num_steps: Optional[SupportsIndex]
    ddpm_num_inference_steps: Optional[SupportsIndex]
    ddpm_beta_schedule: Optional[Literal["linear", "scaled_linear", "squaredcos_cap_v2"]]
    rescale_betas_zero_snr: Optional[bool]
    weighting_scheme: Optional[Literal["none", "logit_normal", "mode", "sigma_sqrt", "cosmap"]]
    logit_mean: Optional[SupportsFloat]
    logit_std: Optional[SupportsFloat]
    mode_scale: Optional[SupportsFloat]
    flow_shift: Optional[SupportsFloat]
    snr_gamma: Optional[SupportsFloat]
    label_dropout: Optional[SupportsFloat]
    unconditional: Optional[bool]
    latent_cache: Optional[Literal["auto", "on", "off"]]
    save_images_epochs: Optional[SupportsIndex]
    save_model_epochs: Optional[SupportsIndex]


class QuantizeKeywords(TypedDict, total=False):
    """Options of scope quantize."""

    seed: Optional[SupportsIndex]
    timestep_groups: Optional[SupportsIndex]
    calibration_images: Optional[SupportsIndex]
    calibration_steps: Optional[SupportsIndex]
    range_method: Optional[Literal["mse", "percentile", "minmax"]]


class SpectrogramKeywords(TypedDict, total=False):
    """Options of scope spectrogram."""

    window: Optional[Literal["hann", "hamming", "blackman", "kaiser", "rectangular"]]
    kaiser_beta: Optional[SupportsFloat]
    win_length: Optional[SupportsIndex]
    hop_length: Optional[SupportsIndex]
    n_fft: Optional[SupportsIndex]
    clutter_removal: Optional[Literal["none", "mean", "highpass", "mti"]]
    clutter_cutoff: Optional[SupportsFloat]
    db_reference: Optional[Literal["full_scale", "peak"]]


class GaitKeywords(TypedDict, total=False):
    """Options of scope gait."""

    colormap: Optional[Literal["none", "jet", "viridis", "parula-like", "turbo", "grey"]]
    db_floor: Optional[SupportsFloat]
    db_ceiling: Optional[SupportsFloat]
    picture_duration: Optional[SupportsFloat]
    doppler_high: Optional[SupportsFloat]
    doppler_low: Optional[SupportsFloat]
    zero_doppler: Optional[SupportsFloat]
    step_low: Optional[SupportsFloat]
    step_high: Optional[SupportsFloat]
    step_threshold: Optional[SupportsFloat]
    envelope_percentile: Optional[SupportsFloat]
    torso_width: Optional[SupportsFloat]


class LatentsKeywords(TypedDict, total=False):
    """Options of scope latents."""

    latent_images: Optional[SupportsIndex]
    latent_pairs: Optional[SupportsIndex]
    latent_steps: Optional[SupportsIndex]


class EvaluateKeywords(TypedDict, total=False):
    """Options of scope evaluate."""

    colormap: Optional[Literal["none", "jet", "viridis", "parula-like", "turbo", "grey"]]
    db_floor: Optional[SupportsFloat]
    db_ceiling: Optional[SupportsFloat]
    seed: Optional[SupportsIndex]
    picture_duration: Optional[SupportsFloat]
    doppler_high: Optional[SupportsFloat]
    doppler_low: Optional[SupportsFloat]
    zero_doppler: Optional[SupportsFloat]
    step_low: Optional[SupportsFloat]
    step_high: Optional[SupportsFloat]
    step_threshold: Optional[SupportsFloat]
    envelope_percentile: Optional[SupportsFloat]
    torso_width: Optional[SupportsFloat]
    pairs: Optional[bool]
    neighbours: Optional[SupportsIndex]
