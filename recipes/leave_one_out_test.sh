#!/usr/bin/env bash
# Score the models of recipes/leave_one_out.sh, each on the subject that it has not seen: recipes/leave_one_out_test.sh
# RUNS [SLICES]. Rows are kept in RUNS/rows, so that it goes on where it was stopped. Then:
# python recipes/leave_one_out_table.py RUNS
set -euo pipefail
runs="$1"
for fold in "$runs"/folds/*; do
  subject="$(basename "$fold")"
  models=()
  for method in modl rs-e2e smug weighted-smug jitter adversarial; do
    [ -e "$runs/$subject/$method/run.json" ] && models+=(--model "$runs/$subject/$method")
  done
  [ "${#models[@]}" -gt 0 ] || continue
  smug evaluate --data "$fold" --protocol fast --epsilon 0.01 --epsilon 0.05 --max-slices "${2:-10}" \
    --set num_samples=2 --set noise=antithetic --store "$runs/rows" --json "$runs/$subject.json" \
    --model cg-sense --model tv "${models[@]}"
done
