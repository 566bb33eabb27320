"""Files of k-space one after another: what they are called, and how each is reconstructed by every model."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smug.commands.progress import progress
from smug.system.terminal import say, warn
from smug.system.words import counted

if TYPE_CHECKING:
    import torch

    from smug.data.kspace.volume import Volume
    from smug.reconstruction import Reconstruction
    from smug.reconstructor import Reconstructor

REPLICAS = 32
"""Noise replicas of a noise map, where nothing else is asked for."""


@dataclass(frozen=True)
class Places:
    """Where outputs go: to the file ``out``, or where files have ``names`` to a folder of that name."""

    out: Path
    names: Mapping[Path, str] | None
    models: Sequence[str]
    format: str

    def image(self, file: Path, model: str) -> Path:
        """Return where the images go that a model makes of a file."""
        if self.names is None:
            return self.out
        label = f"-{labels(self.models)[model]}" if len(self.models) > 1 else ""
        return self.out / f"{self.names[file]}{label}.{self.format}"

    def comparison(self, file: Path) -> Path:
        """Return where the picture goes that compares the models on a file."""
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


@dataclass(frozen=True, eq=False)
class Order:
    """What is to be made of every file: see the options of ``smug reconstruct``."""

    models: "Mapping[str, Reconstructor]"
    device: "torch.device"
    places: Places
    seed: int
    undersample: float | None
    lines: str
    center_fraction: float | None
    noise_sigma: float | None
    replicas: int | None
    batch: int
    maps_figure: Path | None


def found_files(paths: Sequence[Path], out: Path | None) -> dict[Path, str]:
    """Return the files that are meant, those of folders too, and a name for the outputs of each.

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
    """Return a different name for each file: its stem, where that is another's too after its folder, or more of it.

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
    """Return a different name for each model that a file may have in its own: ``runs/a@f.py:net`` is ``a_f.py_net``."""
    from smug.data.prepared.sources import safe

    short = {model: safe(model.rstrip("/").rpartition("/")[2]) for model in models}
    often = Counter(short.values())
    return {m: name if often[name] == 1 else f"{name}-{i}" for i, (m, name) in enumerate(short.items())}


def reconstruct_file(file: Path, order: Order) -> list[dict[str, Any]]:
    """Reconstruct a file by every model and write the images; return what is to be known of each.

    All is made before anything is written. Raises ValueError and OSError as reading, reconstructing and writing do.
    """
    from smug.data.images.write import write_images

    volume = _volume(file, order)
    for warning in getattr(volume, "warnings", ()):
        warn(warning)
    if order.maps_figure is not None:
        _draw_maps(order.maps_figure, volume)
    made = {name: _reconstructed(file, volume, name, order) for name in order.models}
    records = {name: _record(file, volume, name, result, order) for name, result in made.items()}
    for name, result in made.items():
        kept = ("model", "input", "acceleration", "settings", "units")
        write_images(
            order.places.image(file, name),
            result.images,
            geometry=volume.geometry,
            metadata={key: records[name][key] for key in kept},
            noise_std=result.noise_std,
            frames=volume.frames,
        )
    if len(made) > 1:
        _compare(file, volume, made, order)
    return list(records.values())


def told(record: Mapping[str, Any]) -> str:
    """Return what :func:`reconstruct_file` says of a reconstruction, in a line."""
    quality = record["quality"]
    known = f"; PSNR {quality['psnr']:.2f} dB, SSIM {quality['ssim']:.3f}" if quality else ""
    how = f"{counted(record['slices'], 'slice')} by {record['model']} at {record['acceleration']:.2f}x"
    return f"{record['output']}: {how}{known}"


def _volume(file: Path, order: Order) -> "Volume":
    from smug.data.kspace.read import read, undersample

    volume = read(file)
    if order.undersample is None:
        return volume
    options = {"seed": order.seed, "center_fraction": order.center_fraction, "lines": order.lines}
    return undersample(volume, order.undersample, **options)  # type: ignore[arg-type]


def _reconstructed(file: Path, volume: "Volume", name: str, order: Order) -> "Reconstruction":
    from smug.reconstruction import reconstruct, volume_warnings

    model = order.models[name]
    for warning in volume_warnings(model, volume):
        warn(warning if len(order.models) == 1 else f"{name}: {warning}")
    sigma = None if order.replicas == 0 else order.noise_sigma or volume.noise_sigma
    replicas = order.replicas or REPLICAS
    if sigma is not None:
        say(f"Receiver noise {sigma:.3g}: its map takes {replicas} more reconstructions; --replicas 0 for none.")
    elif order.replicas and order.places.names is None:
        raise ValueError(f"--replicas: would change nothing: {file} has no noise scan; --noise-sigma says the noise")
    with progress(f"Reconstructing {file.name}", len(volume)) as advance:
        return reconstruct(
            model,
            volume,
            seed=order.seed,
            batch=order.batch,
            device=order.device,
            noise_sigma=sigma,
            replicas=replicas,
            advance=advance,
        )


def _record(file: Path, volume: "Volume", name: str, result: "Reconstruction", order: Order) -> dict[str, Any]:
    """What is to be known of a reconstruction."""
    return {
        "model": name,
        "input": file.name,
        "acceleration": volume.acceleration,
        "settings": {"seed": order.seed, "undersample": order.undersample, "lines": order.lines},
        "units": volume.units,
        "kspace": "measured",
        "output": str(order.places.image(file, name)),
        "slices": len(volume),
        "warnings": list(getattr(volume, "warnings", ())),
        "quality": result.quality,
    }


def _draw_maps(path: Path, volume: "Volume") -> None:
    """Draw the coil maps of the middle slice; where there are none to draw, say so and go on."""
    from smug.reports.maps_figure import slice_maps_figure
    from smug.system.figures import write_figure

    try:
        figure = slice_maps_figure(volume, len(volume) // 2)
    except ValueError as error:
        warn(f"--maps-figure {path}: not drawn: {error}")
        return
    write_figure(path, figure)


def _compare(file: Path, volume: "Volume", made: "Mapping[str, Reconstruction]", order: Order) -> None:
    """Draw the middle slice of every model."""
    from smug.reports.side_by_side import side_by_side
    from smug.system.figures import write_figure

    middle = len(volume) // 2
    target = next(iter(made.values())).target
    names = labels(order.places.models)
    figure = side_by_side(
        {names[name]: result.images[middle] for name, result in made.items()},
        None if target is None else target[middle],
        geometry=volume.geometry,
        title=f"{volume.names[middle]}, {volume.acceleration:.2f}x",
    )
    write_figure(order.places.comparison(file), figure)
