#!/usr/bin/env bash
# Train the shipped weights for 4 coils and 4x, NAME-4x, by way of MoDL on phantoms only: recipes/train.sh RUNS (about an hour on 2 idle cores).
# SMUG_DATA names the folder of the image sets.
set -euo pipefail
runs="$1"
train() { smug train --config "recipes/$1.toml" --out "$runs/$1" ${2:+--init "$runs/$2"}; }
train phantom-start
train phantom phantom-start
train mixed phantom
train smug mixed
train modl mixed
train weighted-smug mixed
train rs-e2e mixed
train adversarial modl
python recipes/ship.py "$runs" -4x
