#!/usr/bin/env bash
# Train every method from one warm start on the SIAT brain images: recipes/methods.sh RUNS [PROCESSES].
# SMUG_DATA names the folder of the image sets. It goes on where it was stopped; about an hour and a half on two
# idle cores, one thread for each of two processes. Then: python recipes/methods.py RUNS
set -euo pipefail
runs="$1"
train() { smug train --config recipes/methods.toml --resume --out "$runs/$1" --threads 1 "${@:2}"; }
export -f train
export runs

[ -e "$runs/start/run.json" ] || train start --method modl --set steps=1 --set optimizer.updates=2000 \
  --set optimizer.batch=4 --set optimizer.learning_rate=1e-3 --set optimizer.validate_every=500
[ -e "$runs/warm/run.json" ] || train warm --method modl --init "$runs/start" --set optimizer.updates=2000 \
  --set optimizer.learning_rate=7e-4 --set optimizer.validate_every=500

{
  for seed in 0 1 2; do
    for method in modl smug jitter adversarial rs-e2e weighted-smug; do
      echo "$method-$seed --method $method --seed $seed"
    done
    # the same budget of denoiser calls for all of these: 11 an update for SMUG with 2 samples, 5 for MoDL
    echo "modl-longer-$seed --method modl --seed $seed --set optimizer.updates=440"
    echo "smug-antithetic2-$seed --method smug --seed $seed --set smoothing.noise=antithetic"
    echo "smug-iid10-$seed --method smug --seed $seed --set training_samples=10 --set optimizer.updates=43"
    echo "smug-none-$seed --method smug --seed $seed --set training_samples=0 --set optimizer.updates=367"
  done
  echo "adversarial-smug-0 --method adversarial-smug"
  for weight in 30 100 1000; do
    echo "smug-weight$weight-0 --method smug --set reconstruction_weight=$weight.0"
  done
  for sigma in 0.03 0.1; do
    for weight in 30 300; do
      echo "smug-sigma$sigma-weight$weight-0 --method smug --set smoothing.sigma=$sigma --set reconstruction_weight=$weight.0"
    done
  done
} | while read -r name options; do
  [ -e "$runs/$name/run.json" ] || echo "$name --init $runs/warm $options"
done | xargs -P "${2:-2}" -I{} bash -c "train {}"
