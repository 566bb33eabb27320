"""Models by name: what is loaded, what it is called, and whether it may have seen the data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from smug.data.simulate import Acquisition
from smug.evaluation.tuning import tuned_for
from smug.reconstructor import Reconstructor
from smug.training.runs import WEIGHTS, Model
from smug.zoo import REGULARISED, load


def named_models(
    names: tuple[str, ...], source: str, size: int, acquisition: Acquisition, root: Path | None = None
) -> dict[str, Reconstructor]:
    """Load models by name; ``cg-sense`` and ``tv`` get the lam that is best on validation slices of the same kind."""
    return {
        label: tuned_for(REGULARISED[name], source, size, acquisition, root) if name in REGULARISED else load(name)
        for label, name in zip(labels(names), names, strict=True)
    }


def labels(models: Sequence[Reconstructor | str | Path]) -> list[str]:
    """Return a short name for every model: of a run its folder's, of a file its stem, of code that of its function.

    Raises ValueError for a model that is there twice, and for two reconstructors of one name.
    """
    whole = [str(model) if isinstance(model, str | Path) else _own_name(model) for model in models]
    short = [_label(name) if isinstance(model, str | Path) else name for name, model in zip(whole, models, strict=True)]
    result = [label if short.count(label) == 1 else name for label, name in zip(short, whole, strict=True)]
    if len(set(result)) < len(result):
        raise ValueError(f"models: expected each once, got {', '.join(whole)}; a mapping {{name: model}} names them")
    return result


def check_unseen(models: Mapping[str, Reconstructor], source: str) -> None:
    """Raise ValueError where a model was trained on a source: then its training slices are among ``all`` of them."""
    for name, model in models.items():
        if isinstance(model, Model) and source in model.config.data.sources:
            raise ValueError(
                f"split all: {name} was trained on {source}; expected models that have not seen it, "
                "or the split test, whose subjects were kept out of training"
            )


def _own_name(f: Reconstructor) -> str:
    """Return the name of a trained model, of a function, or of an object's class."""
    return f.name if isinstance(f, Model) else getattr(f, "__name__", type(f).__name__)


def _label(name: str) -> str:
    """Return the folder of a run, the stem of a file, the function's name, or the name."""
    path = Path(name)
    if path.is_dir() or path.name == WEIGHTS:
        return path.name if path.is_dir() else path.parent.name
    return path.stem if path.exists() else name.rpartition("/")[2]
