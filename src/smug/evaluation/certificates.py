"""What is proved about reconstructors on slices, beside what attacks reach."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import torch
from scipy import special
from torch import Tensor

from smug.attacks import APGD, attack, warm_start
from smug.attacks.presets import CHECK
from smug.attacks.suite import Attempt, strongest
from smug.attacks.surrogate import noise_free
from smug.bounds.percentile import (
    FRESH_DRAWS,
    Point,
    Release,
    draw_seeds,
    needed_draws,
    percentile_curve,
    psnr_of,
    release_errors,
)
from smug.data.scan import Scan
from smug.data.simulate import named_seed
from smug.evaluation.datasets import TestSet
from smug.evaluation.gains import GAIN_GRADIENTS, GAIN_RECONSTRUCTIONS, GainRow, gain_row, l2_threat
from smug.evaluation.held import level_held
from smug.evaluation.settings import settings_of
from smug.evaluation_mode import check_mode
from smug.foreign.contract import check_reconstructors
from smug.models.noise import derive
from smug.reconstructor import Reconstructor, moved, taking_generator
from smug.system.arguments import check_fields, check_integer
from smug.system.documents import document

SCHEMA = "smug-certify-1"

RATIOS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
"""The sizes of perturbations that are certified, as multiples of sigma_k."""

SHOWN = (1.0, 2.0, 3.0)
"""The sizes that tables show, beside those that are attacked."""

SELECTION = 2
"""Draws on which attacks on the release are compared."""

STEPS = 5
"""Steps of the attack. Perturbations of this size are so small that F is nearly linear: more find no more."""

GRADIENT_COST = 3
"""About what a gradient costs, in reconstructions, for a network."""

GAIN_COST = GAIN_RECONSTRUCTIONS + GRADIENT_COST * GAIN_GRADIENTS
"""About what the gains of a slice cost, in reconstructions."""

COMPARISON = 2 * SELECTION + 6
"""About how many reconstructions the choice between two attacks takes."""

SLOW = 1.0
"""Seconds: a reconstruction that takes longer is timed once."""

ATTACK, SCORE, GAIN = range(10, 13)
"""Streams of random numbers, beside those of the certificates."""


@dataclass(frozen=True)
class Certification:
    """What is certified: ``noise`` is the receiver's per part, ``levels`` say which multiples of it sigma_k is.

    As that of :class:`smug.Acquisition`, ``noise`` is in parts of the maximum of the target. ``draws`` are those of one
    certificate, which holds with confidence ``1 - alpha`` for a share ``p`` of the release's reconstructions;
    ``joint``: for all certificates of a model at once. ``attacked`` are the sizes that the release is attacked at too,
    where the draws certify something, in ``steps`` steps, each scored on ``scores`` fresh draws. The defaults certify
    perturbations of the size of the noise that is added, with the fewest draws that do, and attack the largest. Raises
    ValueError for values out of range.
    """

    noise: float = 0.01
    levels: tuple[float, ...] = (2.0,)
    draws: int = 18
    p: float = 0.5
    alpha: float = 0.05
    joint: bool = False
    attacked: tuple[float, ...] = (1.0,)
    scores: int = 16
    steps: int = STEPS

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)
        if not 0 < self.noise < math.inf:
            raise ValueError(f"noise: expected a finite number > 0, got {self.noise}")
        if not self.levels or not all(0 < level < math.inf for level in self.levels):
            raise ValueError(f"levels: expected finite numbers > 0, got {self.levels}")
        for name in ("draws", "scores", "steps"):
            check_integer(name, getattr(self, name), 1)
        for name in ("p", "alpha"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name}: expected a number between 0 and 1, got {getattr(self, name)}")
        if unknown := set(self.attacked) - set(RATIOS[1:]):
            known = ", ".join(f"{ratio:g}" for ratio in RATIOS[1:])
            raise ValueError(f"attacked: expected multiples of sigma_k among {known}, got {min(unknown):g}")

    def statements(self, slices: int) -> int:
        """Return how many certificates of a model share alpha."""
        return slices * len(self.levels) * len(RATIOS) if self.joint else 1

    def needed(self, ratio: float, slices: int) -> int:
        """Return how many draws certify anything at ``eps = ratio * sigma_k``."""
        return needed_draws(ratio, self.p, self.alpha / self.statements(slices))

    @property
    def largest(self) -> float:
        """The largest eps, where the target's maximum is 1."""
        return max(RATIOS) * max(self.levels) * self.noise

    @property
    def attack_cost(self) -> int:
        """About how many reconstructions attacking the release at one size costs, with the scores."""
        return self.steps + COMPARISON + self.scores + GRADIENT_COST * self._attack_gradients

    @property
    def _attack_gradients(self) -> int:
        return self.steps + CHECK.steps

    def _attacks(self, slices: int) -> int:
        return len(self.levels) * sum(self.draws >= self.needed(ratio, slices) for ratio in self.attacked)

    def _gradients(self, slices: int) -> int:
        """Return about how many gradients a model takes on each slice."""
        return self._attacks(slices) * self._attack_gradients + GAIN_GRADIENTS

    def cost(self, slices: int) -> int:
        """Return about how many reconstructions a model takes on each slice; a gradient counts as three."""
        drawn = len(self.levels) * (self.draws + FRESH_DRAWS)
        return drawn + self._attacks(slices) * self.attack_cost + GAIN_COST


@dataclass(frozen=True)
class CertificateRow:
    """The release of one slice at one sigma_k and eps; NaN where nothing is known.

    PSNR are those of the complex difference, in dB: ``clean_psnr`` is the release's mean without perturbation,
    ``certified_psnr`` what a share p of its reconstructions reaches under *any* perturbation of l2 norm ``eps``,
    ``attacked_psnr`` what that share reached under the strongest that was found. ``inside`` is the share of the
    attacked reconstructions, on ``scores`` draws, whose error the certificate covers: p or more, but for chance.
    """

    model: str
    slice: str
    subject: str
    sigma: float
    level: float
    ratio: float
    eps: float
    relative_l2: float
    clean_psnr: float
    certified_psnr: float
    certified_error: float
    vacuous: bool
    statement: str
    assumptions: tuple[str, ...]
    attacked_psnr: float = math.nan
    inside: float = math.nan
    scores: int = 64

    def contradicted(self, p: float) -> bool:
        """Whether so few of the ``scores`` are inside that a valid certificate allows it in one of 100 cases only.

        A certificate may be so sharp that a strong attack reaches it: then half of all scores lie a little below.
        """
        return (
            bool(special.bdtr(round(self.scores * self.inside), self.scores, p) < 0.01) if self.inside >= 0 else False
        )


@dataclass(frozen=True, eq=False)
class Certificates:
    """The rows of all models and slices, and the document that says how they were made."""

    rows: tuple[CertificateRow, ...]
    gains: tuple[GainRow, ...]
    asked: Certification
    document: Mapping[str, Any]


def certify(
    models: Mapping[str, Reconstructor],
    test: TestSet,
    asked: Certification = Certification(),
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    command: str = "",
    advance: Callable[[int], None] | None = None,
) -> Certificates:
    """Certify and attack models x slices on a device.

    ``advance`` is called with as many reconstructions as :meth:`Certification.cost` counts; ``command`` is kept as the
    way to repeat it. A model that autograd cannot differentiate, or not rightly, has no gains. Users' models are tried
    first; raises ValueError for those that are no reconstructors of several slices at a time.
    """
    report = advance or (lambda _: None)
    slices, fs = len(test.scans), {name: taking_generator(moved(f, device)) for name, f in models.items()}
    first = test.scans[0].to(device)
    blind = check_reconstructors(fs, first.y.expand(2, *first.y.shape[1:]), first.A, gradient=True)
    rows: list[CertificateRow] = []
    gains: list[GainRow] = []
    for scan in test.scans:
        scan, subject = scan.to(device), test.subjects.get(scan.id[0], "")
        address = torch.tensor([named_seed(f"certify:{seed}:{scan.id[0]}")], dtype=torch.int64)
        for name, f in fs.items():
            rows += _rows(f, scan, asked, asked.statements(slices), address, (name, scan.id[0], subject), report)
            if name not in blind:
                gains += _gains(f, scan, asked.largest * unit(scan), name, derive(address, GAIN))
            report(GAIN_COST)
    made = document(
        SCHEMA,
        command=command,
        configuration=settings_of(models),
        certification=asdict(asked) | {"statements": asked.statements(slices)},
        seeds=[seed],
        data=test.description,
        kspace=test.description["kspace"],
        rows=[asdict(row) for row in rows],
        gains=[row.document() for row in gains],
    )
    return Certificates(tuple(rows), tuple(gains), asked, made)


def _gains(f: Reconstructor, scan: Scan, eps: float, name: str, seeds: Tensor) -> list[GainRow]:
    """Return the gains of a slice; none, and a warning, where the gradient is not that of the image."""
    try:
        return [gain_row(f, scan, eps, name, seeds)]
    except ValueError as error:
        warnings.warn(f"{name}, slice {scan.id[0]}: no gains: {error}", RuntimeWarning, stacklevel=3)
        return []


def unit(scan: Scan) -> float:
    """Return the maximum of a scan's target, in parts of which noise is told."""
    return float(scan.truth.abs().max())


def expected_seconds(
    f: Reconstructor, scan: Scan, asked: Certification, slices: int, device: torch.device | str = "cpu"
) -> tuple[float, float]:
    """Return how long a reconstruction of a scan takes, and about how long certifying each of so many slices.

    A gradient is timed too: what it costs beside a reconstruction differs much between models. Raises ValueError for a
    network in training mode.
    """
    check_mode(f)
    plain = seconds_per_reconstruction(f, scan, device)
    gradients = asked._gradients(slices)
    reconstructions = asked.cost(slices) - GRADIENT_COST * gradients
    return plain, plain * reconstructions + _seconds_per_gradient(f, scan, plain, device) * gradients


def _seconds_per_gradient(f: Reconstructor, scan: Scan, plain: float, device: torch.device | str) -> float:
    """Return how much longer a reconstruction takes with its gradient; 0 where it has none."""
    f, scan = taking_generator(moved(f, device)), scan.to(device)
    y, began = scan.y.clone().requires_grad_(), perf_counter()
    try:
        torch.autograd.grad(f(y, scan.A).abs().square().sum(), y)[0].abs().sum().item()
    except (RuntimeError, ValueError):  # autograd finds no path, or fails: then there are no gains either
        return 0.0
    return max(0.0, perf_counter() - began - plain)


def seconds_per_reconstruction(f: Reconstructor, scan: Scan, device: torch.device | str = "cpu") -> float:
    """Return how long a reconstruction of one scan takes: the shorter of two, of slow ones the first."""
    f, scan = taking_generator(moved(f, device)), scan.to(device)
    shortest = math.inf
    for _ in range(2):
        began = perf_counter()
        with torch.no_grad():
            f(scan.y, scan.A).sum().item()  # which waits for a graphics card
        shortest = min(shortest, perf_counter() - began)
        if shortest > SLOW:
            break
    return shortest


def _rows(
    f: Reconstructor,
    scan: Scan,
    asked: Certification,
    statements: int,
    address: Tensor,
    names: tuple[str, str, str],
    report: Callable[[int], None],
) -> list[CertificateRow]:
    """Certify the release of a slice at every sigma_k, and attack it."""
    rows = []
    for level in asked.levels:
        sigma = level * asked.noise * unit(scan)
        curve = percentile_curve(
            f,
            scan.y,
            scan.A,
            scan.truth,
            sigma,
            RATIOS,
            draws=asked.draws,
            p=asked.p,
            alpha=asked.alpha,
            statements=statements,
            generator=address,
            advance=report,
        )
        for ratio, point in zip(RATIOS, curve.points, strict=True):
            tried = ratio in asked.attacked and not point.error.vacuous
            attacked, inside = _attacked(Release(f, sigma), scan, point, asked, address) if tried else (math.nan,) * 2
            report(asked.attack_cost * tried)
            row = CertificateRow(
                *names,
                sigma=sigma,
                level=level,
                ratio=ratio,
                eps=point.eps,
                relative_l2=point.relative_l2,
                clean_psnr=curve.clean_psnr,
                certified_psnr=point.psnr,
                certified_error=point.error.value,
                vacuous=point.error.vacuous,
                statement=str(point.error),
                assumptions=point.error.assumptions,
                attacked_psnr=attacked,
                inside=inside,
                scores=asked.scores,
            )
            rows.append(row)
    return rows


def _attacked(release: Release, scan: Scan, point: Point, asked: Certification, address: Tensor) -> tuple[float, float]:
    """Attack the release at the eps of a point; return the PSNR that a share p keeps, and the share inside.

    It ascends through F without noise of any kind and with the noise level that it estimates held, which takes half
    the time for a ridge regulariser, and from there through the release; the stronger of both counts.
    """
    y, A, target, threat, seeds = scan.y, scan.A, scan.truth, l2_threat(scan, point.eps), derive(address, ATTACK)
    surrogate = level_held(noise_free(release.reconstructor), scan)
    quiet = attack(surrogate, scan, threat, rule=APGD(asked.steps), generator=derive(seeds, 0))
    attempts = (
        Attempt("noise-free", lambda *problem, generator=None: quiet),
        Attempt("noisy", partial(attack, rule=replace(CHECK, start=warm_start(quiet.delta)))),
    )
    found = strongest(release, scan, threat, attempts, selection_draws=SELECTION, generator=seeds)
    errors = release_errors(
        release.reconstructor, y + found.delta, A, target, release.sigma, draw_seeds(address, SCORE, asked.scores)
    )
    reached = errors.sort().values[math.ceil(asked.p * asked.scores) - 1]
    return float(psnr_of(target)(reached)), float((errors <= point.error.value).double().mean())
