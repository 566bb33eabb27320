#!/usr/bin/env bash
# Train the methods six times, each time without one of the six SIAT subjects: recipes/leave_one_out.sh RUNS [PROCESSES].
# SMUG_DATA names the folder of the image sets. It goes on where it was stopped; about two and a half hours of one core.
# Then: recipes/leave_one_out_test.sh RUNS
set -euo pipefail
runs="$1"
[ -e "$runs/folds/7/train.h5" ] || python -m recipes.leave_one_out "$runs/folds"
fold() {
  train() {
    [ -e "$runs/$1/$2/run.json" ] || smug train --config recipes/methods.toml --resume --out "$runs/$1/$2" --threads 1 \
      --set "data.sources=[\"$runs/folds/$1\"]" "${@:3}"
  }
  train "$1" start --method modl --set steps=1 --set optimizer.updates=1000 \
    --set optimizer.batch=4 --set optimizer.learning_rate=1e-3 --set optimizer.validate_every=500
  train "$1" warm --method modl --init "$runs/$1/start" --set optimizer.updates=1000 \
    --set optimizer.learning_rate=7e-4 --set optimizer.validate_every=500
  for method in modl smug adversarial jitter rs-e2e weighted-smug; do
    train "$1" "$method" --method "$method" --init "$runs/$1/warm"
  done
}
export -f fold
export runs
printf '%s\n' 1 2 3 4 5 7 | xargs -P "${2:-2}" -I{} bash -euc "fold {}"
