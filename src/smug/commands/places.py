"""Which k-space files the given paths and folders stand for, and how the outputs of each are named."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Where outputs go: to the file ``out``, or if the files have ``names`` to files so named in the folder ``out``."""

    out: Path
    names: Mapping[Path, str] | None
    models: Sequence[str]
    format: str

    def image(self, file: Path, model: str) -> Path:
        """Return the path of the images that a model reconstructs from a file."""
        if self.names is None:
            return self.out
        label = f"-{labels(self.models)[model]}" if len(self.models) > 1 else ""
        return self.out / f"{self.names[file]}{label}.{self.format}"

    def comparison(self, file: Path) -> Path:
        """Return the path of the picture that compares the models on a file."""
        return self.out / f"{file.stem if self.names is None else self.names[file]}-comparison.png"

    def of(self, file: Path, *, noise: bool) -> Iterator[Path]:
        """Yield all that may be written for a file; with the files of noise maps, of formats that have them apart."""
        from smug.data.images.write import noise_path

        for model in self.models:
            yield self.image(file, model)
            with suppress(ValueError):  # for another suffix, which is refused
                yield from filter(None, [noise_path(self.image(file, model)) if noise else None])
        if len(self.models) > 1:
            yield self.comparison(file)


def found_files(paths: Sequence[Path], out: Path | None) -> dict[Path, str]:
    """Return the files, including those in folders, and a name for the outputs of each.

    What lies in ``out``, where that is inside such a folder, was made by an earlier run. Names are the files', with
    their folders where these are needed to tell them apart. Raises FileNotFoundError and ValueError for folders without
    k-space.
    """
    from smug.data.prepared.sources import KSPACE, find_sources, stem

    files: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            files[path] = None
            continue
        made = out.resolve() if out is not None and path.resolve() in out.resolve().parents else None
        inside = [path / name for name in find_sources(path) if name.lower().endswith(KSPACE)]
        kept = [file for file in inside if made is None or made not in file.resolve().parents]
        if not kept:
            raise ValueError(f"{path}: expected files of k-space ({', '.join(KSPACE)}), got none")
        files |= dict.fromkeys(kept)
    return dict(zip(files, distinct(files, [stem(file.name) for file in files]), strict=True))


def distinct(files: Iterable[Path], stems: Sequence[str]) -> list[str]:
    """Return a different name for each file: its stem; where stems are equal, preceded by as many folders as needed.

    >>> distinct([Path("/a/x.h5"), Path("/b/x.h5"), Path("/b/y.h5")], ["x", "x", "y"])
    ['a-x', 'b-x', 'y']
    """
    longer = [
        (stem, *("-".join([*file.resolve().parent.parts[-depth:], stem]) for depth in (1, 2)), file.name, f"{stem}-{i}")
        for i, (file, stem) in enumerate(zip(files, stems, strict=True))
    ]
    names = [choices[0] for choices in longer]
    for choice in range(1, len(longer[0]) if longer else 0):
        often = Counter(name.casefold() for name in names)
        names = [
            choices[choice] if often[name.casefold()] > 1 else name for name, choices in zip(names, longer, strict=True)
        ]
    return names


def labels(models: Sequence[str]) -> dict[str, str]:
    """Return a different name for each model, safe in file names: ``runs/a@f.py:net`` is ``a_f.py_net``."""
    from smug.data.prepared.sources import safe

    short = {model: safe(model.rstrip("/").rpartition("/")[2]) for model in models}
    often = Counter(short.values())
    return {m: name if often[name] == 1 else f"{name}-{i}" for i, (m, name) in enumerate(short.items())}
