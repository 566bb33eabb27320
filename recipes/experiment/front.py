"""Draw what score.py has scored: python -m recipes.experiment.front OUT.json FRONT.png.

Clean accuracy against that under two attacks, one on the measurements and one on the aliased image, a marker for every
arm: means over slices and training seeds. The line is the front of MoDL, jitter and adversarial training: above it is
what these do not reach.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from recipes.experiment.table import MODL, RIVALS, Found

CONDITIONS = {"PGD 0.02": "PGD of 0.02 on the measurements", "image, blind": "attack of 0.02 on the aliased image"}
LOOKS = {
    "MoDL, jitter, adversarial": ("o", "0.35"),
    "SMUG": ("s", "#D55E00"),
    "other": ("D", "#0072B2"),
}


def family(arm: str) -> str:
    """Return which of the LOOKS an arm has."""
    if "smug" in arm:
        return "SMUG"
    return "MoDL, jitter, adversarial" if arm in MODL or arm.startswith((*RIVALS, "modl-pre")) else "other"


def front(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the places ``(clean, attacked)`` that no other surpasses in both."""
    return sorted(p for p in places if not any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in places))


PLACES = ((7, 0), (-7, 0), (0, 9), (0, -9), (7, 8), (-7, 8), (7, -8), (-7, -8), (10, 16), (-10, -16))
"""Where a name may stand, in points from its marker."""


def label(axis: Axes, places: Mapping[str, tuple[float, float]]) -> None:
    """Write the name of every arm beside its marker, where it covers fewest markers and names."""
    axis.figure.canvas.draw()
    taken = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in axis.transData.transform(list(places.values()))]
    for arm, place in places.items():
        tried = []
        for x, y in PLACES:
            side = "left" if x > 0 else "right" if x < 0 else "center"
            tried.append(
                axis.annotate(arm, place, (x, y), textcoords="offset points", fontsize=7, ha=side, va="center")
            )
        boxes = [text.get_window_extent() for text in tried]
        best = min(range(len(boxes)), key=lambda i: sum(boxes[i].overlaps(other) for other in taken))
        taken.append(boxes[best])
        for text in tried[:best] + tried[best + 1 :]:
            text.remove()


def main(out: str, picture: str) -> None:
    """Draw."""
    found = Found(json.loads(Path(out).read_text()))
    figure, axes = plt.subplots(1, len(CONDITIONS), figsize=(7.6 * len(CONDITIONS), 7.2), layout="constrained")
    for axis, (condition, title) in zip(axes, CONDITIONS.items(), strict=True):
        places = {
            arm: (float(clean.mean()), float(attacked.mean()))
            for arm in found.seeds
            if (clean := found.of(arm, "clean")) is not None and (attacked := found.of(arm, condition)) is not None
        }
        for kind, (marker, colour) in LOOKS.items():
            those = [place for arm, place in places.items() if family(arm) == kind]
            if those:
                axis.plot(*zip(*those, strict=True), marker, color=colour, markersize=7, label=kind)
        rivals = front([place for arm, place in places.items() if family(arm) == "MoDL, jitter, adversarial"])
        axis.plot(*zip(*rivals, strict=True), color="0.35", linewidth=1, zorder=0)
        axis.set(title=title, xlabel="clean PSNR (dB)", ylabel="PSNR under attack (dB)")
        axis.grid(alpha=0.3)
        axis.margins(0.12)
        label(axis, places)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(LOOKS), frameon=False)
    figure.savefig(picture, dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:])
