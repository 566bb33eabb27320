"""The sentences of a report: what was compared, what was seen, what follows."""

import math
import re
from dataclasses import replace

from smug.evaluation.summary import summarise
from smug.evaluation.verdict import UNATTACKED, contest, verdict
from smug.reports.description import comparison_title, rows_of, seen

from .conftest import document


def conclusion(document):
    return verdict(rows_of(document), document["reference"])


def test_titles_say_what_was_compared(outcomes):
    assert comparison_title(document(outcomes(slices=("one",)))) == "cg and modl on 1 slice of simulated heads"
    data = {"source": "/data/set one", "sha256": "0", "kspace": "measured", "masks": {"acceleration": 4.0}}
    many = document(outcomes(models=[f"m{n}" for n in range(5)]), data=data)
    assert comparison_title(many) == "5 models on 2 slices of set one, 4x undersampled"


def test_sentences(outcomes):
    made = document(outcomes(), subjects=["anna", "anna"])
    mean = {(s["model"], s["condition"]): s["psnr"]["mean"] for s in made["summaries"]}
    hard, cg, modl = "PGD 0.05", "cg", "modl"
    assert seen(made) == (
        "2 slices of 1 subject (simulated heads; test split, simulated k-space), reconstructed by cg and modl; "
        "conditions: clean and PGD 0.05."
    )
    assert conclusion(made) == (
        f"Under PGD 0.05, where PSNR is lowest, modl has the highest mean PSNR, {mean[modl, hard]:.2f} dB: "
        f"{mean[modl, hard] - mean[cg, hard]:.2f} dB above cg (n = 2: no interval), "
        f"and higher on 2 of 2 slices; from clean to there, "
        f"modl loses {mean[modl, 'clean'] - mean[modl, hard]:.2f} dB "
        f"and cg loses {mean[cg, 'clean'] - mean[cg, hard]:.2f} dB. {UNATTACKED}"
    )


def test_five_subjects_have_an_interval(outcomes):
    made = [replace(o, row=replace(o.row, subject=o.row.slice)) for o in outcomes(slices="abcde")]
    assert re.search(r"95 % interval [\d.]+ to [\d.]+ over 5 subjects", conclusion(document(made)))


def test_the_best_is_set_against_the_reference_or_the_next_best(outcomes):
    made = outcomes(models=("cg", "modl", "smug"))
    assert "dB above cg" in conclusion(document(made))
    assert "dB above modl" in conclusion(document(made, reference="smug"))


def test_the_hardest_is_an_attack_where_there_is_one(outcomes):
    made = [
        replace(o, row=replace(o.row, attack="apgd" if o.row.condition == "b" else ""))
        for o in outcomes(conditions=("clean", "b", "harder shift"))
    ]
    assert contest(summarise([o.row for o in made]))[:2] == ("b", "modl")


def test_conclusion_of_one_model_one_condition_and_infinity(outcomes):
    made = outcomes(models=("cg",))
    assert conclusion(document(made)).startswith("Under PGD 0.05 the mean PSNR of cg is")
    one = document(outcomes(models=("cg",), conditions=("clean",)))
    assert conclusion(one).startswith(
        f"Under clean the mean PSNR of cg is {one['summaries'][0]['psnr']['mean']:.2f} dB. No attack"
    )
    perfect = [replace(o, row=replace(o.row, psnr=math.inf)) for o in made]
    assert "Not every PSNR is finite" in conclusion(document(perfect))
