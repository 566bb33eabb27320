#!/usr/bin/env bash
# Train the shipped ridge regularisers: recipes/ridge.sh RUNS (about 50 minutes of one idle core). SMUG_DATA names the folder
# of the image sets. A run that was cut off goes on when this is called again.
set -euo pipefail
runs="$1"
train() { # NAME OPTIONS...
  local out="$runs/$1" && shift
  if [ -e "$out/run.json" ]; then return; fi
  if [ -e "$out/checkpoint.safetensors" ]; then set -- "$@" --resume; fi
  smug train --config ridge --out "$out" "$@"
}
for kind in ridge convex-ridge; do
  train "$kind-start" --set "network.kind=$kind" --method score-matching --max-steps 200 --set optimizer.learning_rate=0.01
  train "$kind" --set "network.kind=$kind" --init "$runs/$kind-start"
done
python recipes/ship.py "$runs"
