"""What training gives, and what smoothing at test time: python recipes/smoothing_at_test.py STORE [SLICES [SIZE]].

The denoisers of the shipped MoDL and SMUG, each in the same loop without noise, with an antithetic pair, and with a
pair at five times the sigma of training: clean, and under the fast attack, made for each, of a relative l2 norm SIZE.
The slices are spread over all six SIAT subjects, which neither has seen. STORE keeps the rows, so that it goes on where
it was stopped; SMUG_DATA names the folder of the image sets.
"""

import sys
from pathlib import Path

import smug

SAMPLERS = {
    "no noise": smug.Smoothing(num_samples=0),
    "a pair, 0.01": smug.Smoothing(0.01, 2, noise="antithetic"),
    "a pair, 0.05": smug.Smoothing(0.05, 2, noise="antithetic"),
}


def main() -> None:
    """Print the table."""
    kept, slices, size = Path(sys.argv[1]), int([*sys.argv, "6"][2]), float([*sys.argv[3:], "0.05"][0])
    models = {}
    for name in ("modl-4x", "smug-4x"):
        loop = smug.load(name).reconstructor
        for sampler, smoothing in SAMPLERS.items():
            models[f"{name}, {sampler}"] = smug.normalised(smug.SMUG(loop.denoiser, smoothing, loop.steps, loop.lam))
    data = {"split": "all", "max_slices": slices, "store": kept}
    print(smug.evaluate(models, "siat", "fast", epsilons=[size], advance=_dot, **data).table().markdown())


def _dot(cells: int) -> None:
    print("." * cells, end="", flush=True, file=sys.stderr)


if __name__ == "__main__":
    main()
