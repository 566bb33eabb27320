"""Reconstructors by name: shipped weights, run folders, classical methods, anybody's function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from torch import nn

from smug.data.acquisition import Acquisition, AcquisitionRange
from smug.model_card import ModelCard
from smug.models.classical import CGSense, TotalVariation, ZeroFilled
from smug.reconstructor import Reconstructor, replaced
from smug.system.arguments import check_arguments
from smug.system.python_file import is_function, load_function, load_network
from smug.training.config import RIDGE_METHODS
from smug.training.config_file import from_dict
from smug.training.runs import load_weights
from smug.training.weights_file import shipped

RIDGES = ("ridge", "convex-ridge")
"""Shipped ridge regularisers; ``NAME:LAM`` gives their weight ``lam``."""

NETWORKS = ("modl", "rs-e2e", "smug", "weighted-smug", "adversarial")
"""Shipped networks for a range of scans: coils, rates, lines, noise and matrices."""

NETWORKS_4X = tuple(f"{name}-4x" for name in NETWORKS)
"""Shipped networks for 4 coils and 4x random lines alone, from which the paper's exhibits start."""

REFINING = ("modl-ridge", "smug-ridge")
"""Shipped networks that refine the image of the shipped ``ridge``, for the same scans."""

SHIPPED = (*NETWORKS, *RIDGES, *REFINING, *NETWORKS_4X)
"""Names of the weights inside the package."""

REGULARISED: Mapping[str, Callable[..., Reconstructor]] = {"cg-sense": CGSense, "tv": TotalVariation}
"""Classical methods with a regularisation ``lam``: ``NAME:LAM`` gives it."""

CLASSICAL: Mapping[str, Callable[[], Reconstructor]] = {**REGULARISED, "zero-filled": ZeroFilled}
"""Methods without a network, at their defaults."""


@dataclass(frozen=True)
class Entry:
    """A model that has a name: what it is and, for weights, what they were trained on and their file's hash."""

    name: str
    about: str
    trained_on: str = ""
    sha256: str = ""


@check_arguments
def load(name_or_path: str | Path, denoiser: nn.Module | None = None) -> Reconstructor:
    """Return a reconstructor ``f(y, A, generator=None)``.

    ``name_or_path`` is a shipped model (:data:`smug.zoo.SHIPPED`), ``cg-sense``, ``tv`` or ``zero-filled``, a method
    with its weight such as ``tv:LAM`` or ``ridge:LAM``, a run folder or a ``.safetensors`` file, ``FILE.py:function``
    for a function of yours with that signature, or ``RUN@FILE.py:function`` for a run whose network that function
    returns; the file is executed.
    Weights give a :class:`smug.training.runs.Model`, which knows its configuration and training range; ``denoiser`` is
    the network to fill with them, where it is not one of this library. Raises ValueError for an unknown name, unfit
    weights, and shipped ones that are not those of their card; FileNotFoundError for a path that does not exist.
    """
    name = str(name_or_path)
    if name in CLASSICAL:
        return CLASSICAL[name]()
    if ":" in name and name.partition(":")[0] in (*REGULARISED, *RIDGES):
        return _regularised(name)
    if name in SHIPPED:
        card(name).check(shipped(name))
        return load_weights(shipped(name), denoiser)
    if "@" in name and is_function(name):
        path, _, function = name.partition("@")
        return load_weights(Path(path), load_network(function, "model"))
    if is_function(name):
        return load_function(name, "model")
    if not Path(name).exists():
        known = (*SHIPPED, *CLASSICAL)
        near = get_close_matches(name.lower().partition(":")[0], known, n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise FileNotFoundError(
            f"model: expected one of {', '.join(known)}, tv:LAM and the like, FILE.py:function, a run folder or a "
            f"weights file, got {name!r}{meant}"
        )
    return load_weights(Path(name), denoiser)


def card(name: str) -> ModelCard:
    """Return the card of a shipped model; raises ValueError for another name."""
    if name not in SHIPPED:
        raise ValueError(f"model: expected one of {', '.join(SHIPPED)}, which have cards, got {name!r}")
    return ModelCard.read(shipped(name).with_suffix(".json"))


def models() -> list[Entry]:
    """Return every model that has a name."""
    return [
        *(_entry(card(name)) for name in SHIPPED),
        Entry("cg-sense", "CG-SENSE with Tikhonov regularisation; evaluate tunes lam on validation slices"),
        Entry("cg-sense:LAM", "CG-SENSE with the lam that you give"),
        Entry("tv", "total variation, for compressed sensing; evaluate tunes lam on validation slices"),
        Entry("tv:LAM", "total variation with the lam that you give"),
        Entry("ridge:LAM", "the ridge regulariser with the weight that you give; convex-ridge:LAM likewise"),
        Entry("zero-filled", "the zero-filled image A^H y"),
    ]


def _entry(card: ModelCard) -> Entry:
    config = from_dict(card.configuration)
    trained_on = ", ".join(f"{data.source} ({data.licence})" for data in card.training_data)
    if config.method in RIDGE_METHODS:
        certified = ", with a certificate" if config.network.kind == "convex-ridge" else ""
        about = f"ridge regulariser of {config.network.channels} filters: any matrix, coils and sampling{certified}"
        return Entry(card.name, about, trained_on, card.sha256)
    acquisition, size = config.data.acquisition, config.data.size
    about = (
        f"{size}x{size}, {_span(acquisition, 'coils')} coils, {_span(acquisition, 'acceleration')}x "
        f"{', '.join(dict.fromkeys(acquisition.values('mask')))} lines, noise {_span(acquisition, 'noise')}, "
        f"{config.steps} unrolling steps{'' if config.first == 'adjoint' else f' from the image of {config.first}'}"
    )
    return Entry(card.name, about, trained_on, card.sha256)


def _span(acquisition: Acquisition | AcquisitionRange, name: str) -> str:
    """Return a number of an acquisition, or the lowest and highest of a range: "4", "2-6"."""
    return "-".join(f"{value:g}" for value in dict.fromkeys(acquisition.values(name)))


def _regularised(name: str) -> Reconstructor:
    family, _, lam = name.partition(":")
    try:
        return replaced(load(family), lam=float(lam)) if family in RIDGES else REGULARISED[family](float(lam))
    except ValueError as error:
        raise ValueError(f"model: {family}:LAM expects a number: {error}") from None
