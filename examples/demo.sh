#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make demo`: persons simulated, both stages trained, new spectrograms beside the simulated ones.
# DEMO_DIR says where (demo-output); DEMO_VQ_STEPS and DEMO_UNET_STEPS how long each stage learns.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${DEMO_DIR:-demo-output}
vq_steps=${DEMO_VQ_STEPS:-1200}
unet_steps=${DEMO_UNET_STEPS:-2000}
bin=build/bin
threads=1 # the tiny model's kernels are too small to share: on a busy machine waiting costs more than it brings
started=$SECONDS

rm -rf "$out"
mkdir -p "$out"
echo "== 1/4 Four walking persons, 160 spectrograms each (Boulic et al. 1990; simulated 77 GHz radar)"
$bin/mdldm-simulate --output_dir "$out/persons" --persons 4 --images_per_person 160 --resolution 64 --seed 3
echo "== 2/4 Stage 1: a VQ-VAE learns to compress them ($vq_steps steps)"
$bin/mdldm-train-vqvae --train_data_dir "$out/persons" --output_dir "$out/vqvae" --preset tiny \
    --resolution 64 --train_batch_size 8 --max_train_steps "$vq_steps" --learning_rate 2e-3 \
    --adam_beta1 0.9 --lr_warmup_steps 25 --ema_codebook --restart_dead_codes 50 --mixed_precision bf16 \
    --checkpointing_steps 0 --threads "$threads" --seed 3
echo "== 3/4 Stage 2: a UNet learns their latents, one class per person ($unet_steps steps)"
$bin/mdldm-train --train_data_dir "$out/persons" --vae_path "$out/vqvae" --output_dir "$out/model" \
    --preset tiny --resolution 64 --train_batch_size 16 --max_train_steps "$unet_steps" \
    --learning_rate 1e-3 --adam_beta1 0.9 --lr_warmup_steps 50 --use_ema --ema_max_decay 0.995 \
    --mixed_precision bf16 --checkpointing_steps 0 --save_images_epochs 0 --save_model_epochs 0 \
    --prediction_type v_prediction --threads "$threads" --seed 3
echo "== 4/4 Eight new spectrograms of each person"
$bin/mdldm-generate --model_path "$out/model" --output_dir "$out/generated" --num_images 8 \
    --batch_size 16 --scheduler dpmsolver++ --num_inference_steps 25 --guidance_scale 1.5 --seed 3 \
    --threads "$threads" --real_dir "$out/persons"
minutes=$(((SECONDS - started) / 60)) seconds=$(((SECONDS - started) % 60))
cat <<END

Done in $minutes min $seconds s.
  $out/generated/sheet.png   per person: simulated above, generated below
  $out/generated/            the new spectrograms, one PNG each
  $out/persons/              what was learned from
  $out/model/                the model, a diffusers pipeline directory
  $out/vqvae/                the autoencoder alone
END
