"""Figure 9: PSNR over the sampling rate at test, of models that were trained at one."""

from smug.evaluation.conditions import Condition, clean, shifted
from smug.paper.curves import Axis, Sweep
from smug.paper.exhibit import Exhibit, Result
from smug.paper.sweeps import ALL, swept
from smug.paper.workshop import Workshop
from smug.shifts import SHIFTS

TRAINED = 4.0

RATES = (2.0, 3.0, TRAINED, 5.0, 6.0, 7.0, 8.0)

AXIS = Axis("rate", "acceleration at test, share of k-space sampled", lambda x: f"{x:g}x\n{100 / x:.3g} %", TRAINED)


def resampled(rate: float) -> Condition:
    """Return clean data at another acceleration; the scan as it is at that of training."""
    return clean() if rate == TRAINED else shifted(SHIFTS["acceleration"], rate)


def _fig9(workshop: Workshop) -> Result:
    sweep = Sweep({rate: resampled(rate) for rate in RATES})
    notes = (
        "Autocalibration lines are 8 % of k-space up to 5x, 4 % above.",
        "Entries that are sampled anew are simulated from the target, with noise of the same level.",
    )
    return swept(workshop, ALL, (sweep,), AXIS, notes=notes)


FIG9 = Exhibit("fig9", "Fig. 9: PSNR over the sampling rate", "knee", _fig9)
