"""Make the shipped weights, their cards, and what stands in these.

python recipes/ship.py RUNS                              store trained runs in half precision, with cards
python recipes/ship.py cards                             write the cards anew; results stay
python recipes/ship.py results STORE [SOURCE [SLICES]]   score the models for their cards: clean, noise, fast at 1 %

RUNS is the folder that holds runs of the shipped models' names. Refuses where half precision changes the
clean PSNR by more than 0.01 dB, and training data whose licence does not allow it. STORE keeps the rows, so that the
results go on where they were stopped; they are of 10 slices of openms by default, whose folder SMUG_DATA names.
"""

import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path

import torch

import smug
from smug.comparison import evaluate
from smug.data.simulate import Acquisition
from smug.evaluation.datasets import PAIR, load_set, simulated_set, with_settings
from smug.model_card import ModelCard, TrainingSet, sha256_of
from smug.reports.card import card_json, cards
from smug.system.documents import RESEARCH
from smug.training.config_file import to_dict
from smug.training.runs import load_weights, save_weights
from smug.training.validation import validate
from smug.zoo import SHIPPED, card, shipped

LICENCE = "MIT, that of the library"

TRAINING_SETS = {
    "phantom": TrainingSet("phantom", "procedural head phantoms, which the library draws", "MIT"),
    "openms": TrainingSet(
        "openms",
        "T1w, T2w and FLAIR magnitude images of patients 01, 04 and 12 of the longitudinal multiple-sclerosis data set "
        "of the Laboratory of Imaging Technologies, University of Ljubljana: Lesjak Z., Pernus F., Likar B., Spiclin "
        "Z., Validation of White-Matter Lesion Change Detection Methods on a Novel Publicly Available MRI Image "
        "Database, Neuroinformatics, 2016",
        "CC BY",
    ),
}
"""What shipped models may be trained on."""


def store(runs: Path) -> None:
    """Store trained runs as the shipped weights, in half precision."""
    scans = simulated_set("phantom", "val", 128, Acquisition(), count=8).scans
    for name in (name for name in SHIPPED if (runs / name).is_dir()):
        run = load_weights(runs / name)
        new = shipped(name).with_suffix(".new")
        notes = {key: run.metadata[key] for key in ("update", "validation_psnr", "range") if key in run.metadata}
        save_weights(new, run.reconstructor, run.config, notes, half=True)
        single, half = (validate(model.reconstructor, scans, torch.device("cpu")) for model in (run, load_weights(new)))
        print(f"{name}: {single:.4f} dB in single, {half:.4f} dB in half precision")
        if abs(single - half) > 0.01:
            new.unlink()
            raise SystemExit(f"{name}: half precision changes the PSNR by {abs(single - half):.4f} dB")
        new.replace(shipped(name))


def write_cards() -> None:
    """Write the cards of the weights that are there; results stay with weights that have not changed."""
    for name in SHIPPED:
        new, path = card_of(name), shipped(name).with_suffix(".json")
        if path.exists() and (before := ModelCard.read(path)).sha256 == new.sha256:
            new = replace(new, result=before.result)
        new.write(path)


def card_of(name: str) -> ModelCard:
    """Return the card of shipped weights, without results."""
    model = load_weights(shipped(name))
    sources = tuple(dict.fromkeys(model.config.data.sources))
    if refused := [source for source in sources if source not in TRAINING_SETS]:
        raise SystemExit(f"{name}: was trained on {', '.join(refused)}, which shipped models may not be")
    return ModelCard(
        name=name,
        sha256=sha256_of(shipped(name)),
        licence=LICENCE,
        use=RESEARCH,
        version=smug.__version__,
        recipe="recipes/train.sh",
        training_data=tuple(TRAINING_SETS[source] for source in sources),
        training_range=asdict(model.training_range()),
        configuration=to_dict(model.config),
        seeds=(model.config.seed,),
    )


def write_results(kept: Path, source: str = "openms", slices: int = 10) -> None:
    """Score all models, and put what came out into their cards."""
    models = with_settings({name: smug.load(name) for name in SHIPPED}, PAIR)
    test = load_set(source, "test", 128, Acquisition(), count=slices)
    test = replace(test, description={**test.description, "set": PAIR})
    command = shlex.join(["python", "recipes/ship.py", *sys.argv[1:]])
    compared = evaluate(models, test, "fast", command=command, store=kept)
    weights = {name: card(name).sha256 for name in SHIPPED}
    for found in cards(compared.document, weights):
        replace(card(found.model), result=card_json(found)).write(shipped(found.model).with_suffix(".json"))


def main() -> None:
    """Do what the command line asks for."""
    match sys.argv[1:]:
        case ["cards"]:
            write_cards()
        case ["results", kept]:
            write_results(Path(kept))
        case ["results", kept, source]:
            write_results(Path(kept), source)
        case ["results", kept, source, slices]:
            write_results(Path(kept), source, int(slices))
        case [runs]:
            store(Path(runs))
            write_cards()
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
