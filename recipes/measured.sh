#!/usr/bin/env bash
# Train models for scans as they are: one MoDL start, then every method from there: recipes/measured.sh RUNS [METHOD ...]
# SMUG_DATA names the folder of the image sets. It goes on where it was stopped.
set -euo pipefail
runs="$1"
methods=("${@:2}")
train() { smug train --config recipes/measured.toml --resume --threads 1 --out "$runs/$1" "${@:2}"; }

[ -e "$runs/start/run.json" ] || train start --method modl --init src/smug/weights/modl-4x.safetensors
for method in "${methods[@]:-modl smug weighted-smug rs-e2e adversarial}"; do
  for name in $method; do
    [ -e "$runs/$name/run.json" ] || train "$name" --method "$name" --init "$runs/start" \
      --set optimizer.updates=400 --set optimizer.learning_rate=3e-4
  done
done
python recipes/ship.py "$runs"
