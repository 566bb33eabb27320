"""Test scans compared with what models were trained on, before anything is scored."""

from collections.abc import Callable, Mapping

from smug.data.simulate import Acquisition
from smug.evaluation.datasets import TestSet
from smug.reconstruction import advised, range_warnings
from smug.reconstructor import Reconstructor, described


def warn_outside(
    models: Mapping[str, Reconstructor], test: TestSet, acquisition: Acquisition, warn: Callable[[str], None]
) -> None:
    """Call ``warn`` with a sentence for each value of the scans that is outside the training range of a model.

    Of scans that were simulated as the ``acquisition`` says, its noise, phase and maps are compared too; of others what
    the scans tell. Each kind of value is told once per model.
    """
    simulated = "acquisition" in test.description
    made, rate = (acquisition, acquisition.acceleration) if simulated else (None, None)
    if "masks" in test.description:  # of a prepared set, whose lines are kept as the acquisition says
        rate = acquisition.acceleration
    scans = test.scans[:1] if simulated else test.scans
    told: dict[tuple[str, str], str] = {}
    for name, model in models.items():
        if described(model).training_range() is None:
            continue
        for scan in scans:
            if (mask := scan.A.cartesian_mask) is None:
                continue
            for sentence in range_warnings(model, scan.y.shape, mask, acceleration=rate, simulated=made):
                told.setdefault((name, sentence.partition(":")[0]), f"{name}: {sentence}")
    for sentence in advised([*told.values()]):
        warn(sentence)
