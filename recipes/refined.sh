#!/usr/bin/env bash
# Train networks that refine the image of the shipped ridge regulariser: recipes/refined.sh RUNS. First the denoiser alone,
# for a range of noise, then MoDL of two steps from it, then SMUG from that. SMUG_DATA names the folder of the image sets.
# It goes on where it was stopped. Most of the time is the first image's: about two seconds a scan on one core.
set -euo pipefail
runs="$1"
train() { # NAME OPTIONS...
  [ -e "$runs/$1/run.json" ] || smug train --config recipes/refined.toml --resume --threads 1 --out "$runs/$1" "${@:2}"
}
train denoiser --method denoise --set first=adjoint --set loss=square --set learn_lam=false --set lam_times=one \
  --set data.acquisition.coils=1 --set data.acquisition.maps=exact --set 'data.matrices=[[128,128]]' --max-steps 3000 \
  --set optimizer.batch=4 --set optimizer.learning_rate=2e-3 --set optimizer.clip_norm=1
train modl --method modl --init "$runs/denoiser"
train smug --method smug --init "$runs/modl" --max-steps 100 --set optimizer.learning_rate=2e-4
python recipes/ship.py "$runs" -ridge
