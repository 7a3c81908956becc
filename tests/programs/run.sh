#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the programs promise: flags, exit statuses, messages, files. One TAP line a test and a closing
# line. MDLDM_BACKEND_DIR is build/backends or the like; the programs stand beside it in bin/.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=$(dirname "${MDLDM_BACKEND_DIR:-$root/build/backends}")/bin
[ -x "$bin/mdldm-info" ] || bin=$root/build/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export COLUMNS=80 OMP_WAIT_POLICY=passive
. "$root/tests/support/checks.sh"

# run STATUS PROGRAM ARGUMENT...: that exit status is met; output in $work/out and $work/err.
run() {
    local wanted=$1 program=$2 status
    shift 2
    "$bin/mdldm-$program" "$@" >"$work/out" 2>"$work/err"
    status=$?
    [ $status -eq "$wanted" ] || { echo "# exit status $status, $wanted expected: mdldm-$program $*"; return 1; }
}
err() { grep -q -- "$1" "$work/err"; }
out() { grep -q -- "$1" "$work/out"; }
silent() { [ ! -s "$work/$1" ]; }
is_json() { python3 -m json.tool "$1" >/dev/null 2>&1 || { ! command -v python3 >/dev/null && head -c 1 "$1" | grep -q '{'; }; }
width() { awk -v w="$1" 'length > w { exit 1 }' "$work/out"; }

# ---- flags ----
help_is_good() {
    run 0 "$1" --help && out "usage: mdldm-$1" && out "default" && silent err && width 80
}
for p in simulate preprocess train-vqvae train generate quantize evaluate info; do
    check "$p --help" help_is_good $p
    version_is_good() { run 0 $p --version && grep -qx "mdldm-$p [0-9]*\.[0-9]*\.[0-9]*" "$work/out"; }
    check "$p --version" version_is_good
    unknown_is_refused() { run 2 $p --nonsense_flag_xyz 1 && err "no flag --nonsense_flag_xyz" && silent out; }
    check "$p refuses an unknown flag with status 2" unknown_is_refused
done
suggests() { run 2 train --lerning-rate 1 && err "did you mean --learning_rate?"; }
check "an unknown flag gets the nearest as a suggestion" suggests
choices() { run 0 generate --help && tr -s ' \n' ' ' <"$work/out" | grep -q 'one of ddpm, ddim, ' ; }
check "--help shows choices" choices
units() { run 0 simulate --help && tr -s ' \n' ' ' <"$work/out" | grep -q 'default 2.2; 0.5 to 6 seconds'; }
check "--help shows default, range and unit" units
range() { run 2 train --train_batch_size 0 && err "train_batch_size is 0: 1 to 65536"; }
check "a number out of range is refused with the range" range
number() { run 2 simulate --persons many && err "persons is many: a whole number"; }
check "text for a number is refused" number
choice() { run 2 generate --scheduler magic && err "scheduler is magic: one of ddpm|"; }
check "a value not among the choices is refused" choice
missing_value() { run 2 simulate --persons && err "persons wants a value"; }
check "a flag without its value is refused" missing_value
stray() { run 2 simulate stray && err "stray"; }
check "a stray argument is refused" stray
needs() { run 2 "$1" && err "$2 is missing"; }
check "simulate says which flag is missing" needs simulate --output_dir
check "preprocess says which flag is missing" needs preprocess --raw_data_dir
check "train says which flag is missing" needs train --output_dir
check "train-vqvae says which flag is missing" needs train-vqvae --output_dir
check "generate says which flag is missing" needs generate --model_path
check "quantize says which flag is missing" needs quantize --model_path
check "evaluate says which flag is missing" needs evaluate --real_dir
second_needed() { run 2 quantize --model_path x && err "output is missing: the quantised model directory$"; }
check "quantize says so of the second one, and what it is" second_needed
quantize_help() { run 0 quantize --help && out "^Quantising:" && out "--range_method"; }
check "quantize --help lists the options of quantising" quantize_help
backend() { run 1 info --backend nosuch && err "nosuch"; }
check "an unknown backend is an error" backend

# ---- missing and broken input ----
no_folder() { run 1 preprocess --raw_data_dir "$work/none" --processed_data_dir "$work/p" && err "$work/none"; }
check "preprocess names a missing folder" no_folder
no_model() { run 1 generate --model_path "$work/none" --output_dir "$work/g" && err "$work/none" && [ ! -e "$work/g" ]; }
check "generate names a missing model and makes no folder" no_model
no_data() { run 1 train-vqvae --train_data_dir "$work/none" --output_dir "$work/v" --preset tiny && err "$work/none"; }
check "train-vqvae names a missing data set" no_data
no_vae() {
    run 1 train --train_data_dir "$work/sim" --vae_path "$work/none" --output_dir "$work/l" --preset tiny --resolution 32 &&
        err "$work/none"
}
unwritable() { run 1 simulate --output_dir /dev/null/x --persons 1 --images_per_person 1 && err "/dev/null/x"; }
check "simulate names a folder it cannot make" unwritable

# ---- simulate, info, preprocess ----
small=(--persons 2 --images_per_person 9 --resolution 32 --quiet)
simulates() {
    run 0 simulate --output-dir "$work/sim" "${small[@]}" && silent err && silent out &&
        [ "$(find "$work/sim/ID_1" -name '*.png' | wc -l)" -eq 9 ] && [ "$(find "$work/sim" -name '*.png' | wc -l)" -eq 18 ]
}
check "simulate writes the pictures asked for, quietly" simulates
same() {
    run 0 simulate --output_dir="$work/sim2" "${small[@]}" && diff -r "$work/sim" "$work/sim2"
}
check "simulate: one seed, one data set" same
other() {
    run 0 simulate --output_dir "$work/sim3" "${small[@]}" --seed 1 && ! diff -rq "$work/sim" "$work/sim3" >/dev/null
}
check "simulate: another seed, another data set" other
check "train names a missing autoencoder" no_vae
info_json() {
    run 0 info "$work/sim" --json && is_json "$work/out" && out '"images": 18' && out '"ID_2": 9'
}
check "info --json of a data set is JSON and nothing else" info_json
info_plain() { run 0 info "$work/sim" && out "images  *18" && out "ID_1  *9"; }
check "info of a data set" info_plain
info_backends() { run 0 info --json && is_json "$work/out" && out '"reference"'; }
check "info --json without a path lists the backends" info_backends
keeps_structure() {
    mkdir -p "$work/raw/ID_1" "$work/raw/ID_2" && cp "$work/sim/ID_1/"*_1.png "$work/raw/ID_1/a b.png" &&
        cp "$work/sim/ID_2/"*_1.png "$work/raw/ID_2/x.png" && echo broken >"$work/raw/ID_2/y.png" &&
        run 0 preprocess --raw_data_dir "$work/raw" --processed_data_dir "$work/pre" --resolution 16 &&
        (cd "$work/pre" && find . -type f | sort) >"$work/list" &&
        printf './ID_1/a b.png\n./ID_2/x.png\n' | cmp -s - "$work/list" && err "y.png" && err "1 unreadable"
}
check "preprocess keeps the structure, names and skips a broken image" keeps_structure
png_size() { [ "$(od -An -tu1 -j18 -N6 "$work/pre/ID_2/x.png" | tr -s ' ')" = " 0 16 0 0 0 16" ]; }
check "preprocess writes the resolution asked for" png_size
strict() {
    run 1 preprocess --raw_data_dir "$work/raw" --processed_data_dir "$work/pre2" --strict && err "y.png"
}
check "preprocess --strict stops at a broken image" strict
inside() {
    run 1 preprocess --raw_data_dir "$work/raw" --processed_data_dir "$work/raw/pre" && err "lies in"
}
check "preprocess refuses to write into its input" inside

# ---- training and generating ----
tiny=(--preset tiny --resolution 32 --train_batch_size 4 --threads 1 --lr_warmup_steps 2 --validation_gap 0)
trains_vq() {
    run 0 train-vqvae --train_data_dir "$work/sim" --output_dir "$work/vq" "${tiny[@]}" --max_train_steps 6 \
        --num_codes 32 --save_images_epochs 1 --checkpointing_steps 4 --latent_report --latent_pairs 2 &&
        is_json "$work/vq/latent_report.json" && out "codes used, perplexity" && grep -q '"pairs": 2' "$work/vq/latent_report.json" &&
        [ -f "$work/vq/model_index.json" ] && [ -d "$work/vq/checkpoint-4" ] && [ -f "$work/vq/samples/step_000006.png" ] &&
        err "train 6/6" && err "loss" && err "val_psnr" && [ "$(grep -c '"loss"' "$work/vq/training_log.jsonl")" -ge 6 ]
}
check "train-vqvae writes model, checkpoint, samples and record" trains_vq
refuses() {
    run 1 train-vqvae --train_data_dir "$work/sim" --output_dir "$work/vq" "${tiny[@]}" --max_train_steps 6 && err "overwrite_output_dir"
}
check "train-vqvae does not overwrite a run unasked" refuses
trains() {
    run 0 train --train_data_dir "$work/sim" --vae_path "$work/vq" --output_dir "$work/ldm" "${tiny[@]}" \
        --max_train_steps 4 --save_images_epochs 0 --use_ema --checkpointing_steps 0 &&
        [ -f "$work/ldm/unet/config.json" ] && [ -f "$work/ldm/scheduler/scheduler_config.json" ] && err "val_loss"
}
check "train writes a pipeline" trains
from_raw() {
    run 0 train --raw_data_dir "$work/sim" --processed_data_dir "$work/pre3" --preprocess_only --resolution 16 &&
        [ "$(find "$work/pre3" -name '*.png' | wc -l)" -eq 18 ]
}
check "train --preprocess_only preprocesses and stops" from_raw
interrupted() {
    local pid status=0 i
    rm -rf "$work/int"
    "$bin/mdldm-train" --train_data_dir "$work/sim" --vae_path "$work/vq" --output_dir "$work/int" "${tiny[@]}" \
        --max_train_steps 100000 --save_images_epochs 0 --checkpointing_steps 0 --validation_epochs 0 --save_model_epochs 0 2>"$work/err" &
    pid=$!
    for i in $(seq 600); do
        [ -s "$work/int/training_log.jsonl" ] && break
        sleep 0.1
    done
    kill -INT $pid
    wait $pid || status=$?
    [ $status -eq 130 ] && err "resume_from_checkpoint latest" && ls -d "$work/int"/checkpoint-* >/dev/null
}
# A background job of a script ignores SIGINT from the start; a program of ours takes it back.
check "SIGINT: the step ends, a checkpoint is saved, status 130" interrupted
resumes() {
    local step
    step=$(basename "$work/int"/checkpoint-*)
    step=${step#checkpoint-}
    run 0 train --train_data_dir "$work/sim" --vae_path "$work/vq" --output_dir "$work/int" "${tiny[@]}" \
        --max_train_steps $((step + 2)) --save_images_epochs 0 --checkpointing_steps 0 --resume_from_checkpoint latest &&
        err "from step $step" && [ -f "$work/int/model_index.json" ]
}
check "--resume_from_checkpoint latest goes on from there" resumes
full_disk() { # a limit on file sizes stands in for a full disk
    local before status=0
    before=$(cd "$work/vq/checkpoint-4" && find . -type f -exec cksum {} + | sort)
    (trap '' XFSZ; ulimit -f 20
     "$bin/mdldm-train-vqvae" --train_data_dir "$work/sim" --output_dir "$work/vq" "${tiny[@]}" --max_train_steps 9 \
         --num_codes 32 --save_images_epochs 0 --checkpointing_steps 5 --resume_from_checkpoint "$work/vq/checkpoint-4" 2>"$work/err") || status=$?
    [ $status -eq 1 ] && err "cannot" && [ ! -e "$work/vq/checkpoint-5" ] && [ -f "$work/vq/model_index.json" ] &&
        [ "$before" = "$(cd "$work/vq/checkpoint-4" && find . -type f -exec cksum {} + | sort)" ]
}
check "a full disk while saving: status 1, the earlier checkpoint whole" full_disk
full_output() { ! "$bin/mdldm-info" --json >/dev/full 2>"$work/err" && err "standard output"; }
check "info says when its output cannot be written" full_output
model_json() {
    run 0 info "$work/ldm" --json --tensors && is_json "$work/out" && out '"num_classes": 2' && out '"ID_2"' && out 'conv_in.weight'
}
check "info --json of a model is JSON and nothing else" model_json
latents() {
    run 0 info "$work/ldm" --latents "$work/sim" --latent_images 6 --latent_pairs 1 --quiet && out 'codes used, perplexity' &&
        run 0 info "$work/ldm" --latents "$work/sim" --latent_images 6 --latent_pairs 1 --json && is_json "$work/out" &&
        out '"latent_report"' && out '"images": 6' &&
        run 1 info "$work/ldm" --latents "$work/nothing" && err "nothing"
}
check "info --latents measures what stage 2 will learn from" latents
sampling=(--model_path "$work/ldm" --scheduler ddim --num_inference_steps 3 --threads 1 --quiet)
generates() {
    run 0 generate "${sampling[@]}" --output_dir "$work/gen" --num_images 3 --batch_size 2 --seed 5 --real_dir "$work/sim" &&
        silent out && (cd "$work/gen" && ls) >"$work/list" &&
        printf 'ID_%s_000%s_seed5.png\n' 1 0 1 1 1 2 2 0 2 1 2 2 | cmp -s - <(grep -v sheet "$work/list") && grep -qx sheet.png "$work/list"
}
check "generate names files by class, index and seed, and writes a sheet" generates
one_class() {
    run 0 generate "${sampling[@]}" --output_dir "$work/one" --num_images 2 --class_label ID_2 --seed 5 --grid 1x2 &&
        [ "$(ls "$work/one" | grep -c ID_2)" -eq 2 ] && [ ! -e "$work/one/ID_1_0000_seed5.png" ] &&
        cmp "$work/one/ID_2_0001_seed5.png" "$work/gen/ID_2_0001_seed5.png"
}
check "generate --class_label NAME: the same image, other batches or not" one_class
quantises() {
    run 0 quantize --model_path "$work/ldm" --calibration "$work/sim" --output "$work/q8" --calibration_images 1 \
        --calibration_steps 2 --threads 1 --quiet && silent out && [ -s "$work/q8/unet/mdldm_int8_model.safetensors" ] &&
        run 0 info "$work/q8" && out 'int8, ranges for 8 groups of timesteps' && err 'layers in int8' &&
        run 0 generate --model_path "$work/q8" --scheduler ddim --num_inference_steps 3 --threads 1 \
            --output_dir "$work/gen8" --num_images 1 --seed 5 && [ -s "$work/gen8/ID_1_0000_seed5.png" ] &&
        err 'layers in int8'
}
check "quantize writes a model that info and generate take" quantises
no_overwrite() { run 1 quantize --model_path "$work/ldm" --output "$work/q8" && err "--overwrite_output"; }
check "quantize does not replace a model unasked" no_overwrite
one_channel() { # pictures in jet of a stated range to grey ones and back
    local grey=(--image_mode L --colormap jet --db_floor -38 --db_ceiling 0)
    run 0 train-vqvae --train_data_dir "$work/sim" --output_dir "$work/vq1" "${tiny[@]}" --max_train_steps 3 \
        --num_codes 32 --checkpointing_steps 0 "${grey[@]}" &&
        run 1 train --train_data_dir "$work/sim" --vae_path "$work/vq1" --output_dir "$work/ldm1" "${tiny[@]}" \
            --image_mode RGB && err "image_mode L is expected" &&
        run 0 train --train_data_dir "$work/sim" --vae_path "$work/vq1" --output_dir "$work/said1" "${tiny[@]}" \
            --max_train_steps 2 --save_images_epochs 0 --checkpointing_steps 0 "${grey[@]}" &&
        run 0 train --train_data_dir "$work/sim" --vae_path "$work/vq1" --output_dir "$work/ldm1" "${tiny[@]}" \
            --max_train_steps 2 --save_images_epochs 0 --checkpointing_steps 0 && err "one channel: image_mode L, colormap jet" &&
        cmp "$work/said1/unet/diffusion_pytorch_model.safetensors" "$work/ldm1/unet/diffusion_pytorch_model.safetensors" &&
        run 0 info "$work/ldm1" && out 'of \[1, 32, 32\] pixels' && out 'range  *-38 to 0 dB' && out 'colour map  *jet' &&
        run 0 generate --model_path "$work/ldm1" --scheduler ddim --num_inference_steps 2 --threads 1 --quiet \
            --output_dir "$work/gen1" --num_images 1 --real_dir "$work/sim" &&
        [ "$(png_colour "$work/gen1/ID_1_0000_seed0.png")" = 0 ] &&
        run 0 generate --model_path "$work/ldm1" --scheduler ddim --num_inference_steps 2 --threads 1 --quiet \
            --output_dir "$work/gen2" --num_images 1 --colormap jet &&
        [ "$(png_colour "$work/gen2/ID_1_0000_seed0.png")" = 2 ] &&
        run 0 quantize --model_path "$work/ldm1" --calibration "$work/sim" --colormap jet --output "$work/q81" \
            --calibration_images 1 --calibration_steps 2 --threads 1 --quiet &&
        run 0 quantize --model_path "$work/ldm1" --calibration "$work/sim" --output "$work/q82" \
            --calibration_images 1 --calibration_steps 2 --threads 1 --quiet &&
        cmp "$work/q81/unet/mdldm_int8_model.safetensors" "$work/q82/unet/mdldm_int8_model.safetensors"
}
png_colour() { od -An -tu1 -j25 -N1 "$1" | tr -d ' '; } # the header's colour type: 0 grey, 2 RGB
check "one channel: trains, stores its range, generates grey PNGs or coloured ones" one_channel
grey_from_raw() { # pictures keep their colours when preprocessed, so that the map is undone once
    run 0 train-vqvae --raw_data_dir "$work/sim" --processed_data_dir "$work/pre4" --preprocess_only --resolution 32 \
        --image_mode L --colormap jet && cmp "$work/pre4/ID_1/ID1_walk1_1.png" "$work/sim/ID_1/ID1_walk1_1.png"
}
check "train --raw_data_dir with one channel keeps the colours" grey_from_raw

# ---- evaluation ----
# Well-formed by a parser of XML and one of HTML, nothing loaded from elsewhere, the picture a PNG.
read_page() {
    python3 - "$1" <<'EOF'
import base64, re, sys, xml.etree.ElementTree as tree
from html.parser import HTMLParser
text = open(sys.argv[1], encoding="utf-8").read()
tree.fromstring(text.split("\n", 1)[1])
seen = set()
class Reader(HTMLParser):
    def handle_starttag(self, tag, attributes):
        seen.add(tag)
        for name, value in attributes:
            assert name not in ("href", "onload", "onclick"), name
            if name == "src":
                assert base64.b64decode(value.split("base64,")[1])[:8] == b"\x89PNG\r\n\x1a\n"
Reader().feed(text)
assert {"svg", "img", "table", "path", "rect"} <= seen and not {"script", "link", "iframe"} & seen, seen
assert not re.search(r"url\(|@import", text)
EOF
}
json_value() { python3 -c 'import json, sys; v = json.load(open(sys.argv[1]))["values"][sys.argv[2]]; sys.exit(not eval(sys.argv[3], {"v": v}))' "$@"; }
hostile=$(printf '<i>&"\047\351 one')
evaluates() {
    mkdir -p "$work/re" "$work/gr" && cp -r "$work/sim/ID_1" "$work/re/$hostile" && cp -r "$work/sim/ID_2" "$work/re/" &&
        cp -r "$work/re/." "$work/gr/" &&
        run 0 evaluate --real_dir "$work/re" --fake_dir "$work/gr" --train_dir "$work/sim3" --image_mode L --colormap jet \
            --resolution 32 --pairs --neighbours 1 --report "$work/rep/ort.html" --quiet
}
if [ -d "$work/sim3" ]; then
    mv "$work/sim3/ID_1" "$work/sim3/$hostile"
fi
check "evaluate compares folders, one of them with a hostile name" evaluates
page() { read_page "$work/rep/ort.html"; }
check "evaluate writes a page that parses and stands alone" page
json_of_report() {
    json_value "$work/rep/ort.json" frechet_fixed 'abs(v) < 1e-6' && json_value "$work/rep/ort.json" ssim 'v > 0.999999' &&
        json_value "$work/rep/ort.json" psnr 'v is None' && json_value "$work/rep/ort.json" person_kept_fixed 'v == 1'
}
check "evaluate writes JSON: a set against itself" json_of_report
same_report() {
    run 0 evaluate --real_dir "$work/re" --fake_dir "$work/gr" --train_dir "$work/sim3" --image_mode L --colormap jet \
        --resolution 32 --pairs --neighbours 1 --report "$work/rep/again.html" --quiet --threads 1 &&
        cmp "$work/rep/ort.html" "$work/rep/again.html" && cmp "$work/rep/ort.json" "$work/rep/again.json"
}
check "evaluate twice gives the same bytes" same_report
no_real() { run 1 evaluate --real_dir "$work/none" --fake_dir "$work/sim" && err "$work/none" && [ ! -e report.html ]; }
check "evaluate names a missing folder" no_real
bad_class() { run 2 generate "${sampling[@]}" --class_label nobody --output_dir "$work/bad" && err "ID_1, ID_2"; }
check "generate names the classes there are" bad_class
bad_grid() { run 2 generate "${sampling[@]}" --grid 3by4 --output_dir "$work/bad" && err "grid is 3by4"; }
check "generate refuses a grid that is none" bad_grid

checks_end
