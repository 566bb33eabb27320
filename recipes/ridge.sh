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
train_both() { # NAME OPTIONS...: from score matching to the minimiser itself
  train "$1-start" --set "network.kind=$1" "${@:2}" --method score-matching --max-steps 200 --set optimizer.learning_rate=0.01
  train "$1" --set "network.kind=$1" "${@:2}" --init "$runs/$1-start"
}
train_both ridge
train_both convex-ridge --set tau=0.0025  # a gain of at most 10
python recipes/ship.py "$runs"
