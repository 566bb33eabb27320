"""A file of k-space reconstructed by every model: images, pictures, and a record of each reconstruction."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smug.commands.places import Places, labels
from smug.commands.progress import progress
from smug.system.terminal import say, warn
from smug.system.words import counted, printable

if TYPE_CHECKING:
    import torch

    from smug.data.kspace.centre import Centre
    from smug.data.kspace.positions import SliceOrder
    from smug.data.kspace.read import AnyVolume
    from smug.reconstruction import Reconstruction
    from smug.reconstructor import Reconstructor

REPLICAS = 32
"""Noise replicas of a noise map, where nothing else is asked for."""


SETTINGS = ("seed", "undersample", "lines", "center_fraction", "centre", "slices", "coils")
"""What of an order a record keeps."""


@dataclass(frozen=True, eq=False)
class Order:
    """How every file is reconstructed and what is written: see the options of ``smug reconstruct``."""

    models: "Mapping[str, Reconstructor]"
    device: "torch.device"
    places: Places
    seed: int
    centre: "Centre"
    slices: "SliceOrder"
    trajectory: Path | None
    undersample: float | None
    lines: str
    center_fraction: float | None
    noise_sigma: float | None
    replicas: int | None
    batch: int
    coils: int | None
    maps_figure: Path | None


def reconstruct_file(file: Path, order: Order) -> list[dict[str, Any]]:
    """Reconstruct a file by every model and write the images; return one record for each.

    All is made before anything is written. Raises ValueError and OSError as reading, reconstructing and writing do.
    """
    from smug.data.images.write import write_images

    volume = _volume(file, order)
    for warning in volume.warnings:
        warn(warning)
    if order.maps_figure is not None:
        _draw_maps(order.maps_figure, volume)
    told: dict[str, list[str]] = {name: [] for name in order.models}
    made = {name: _reconstructed(file, volume, name, order, told[name]) for name in order.models}
    records = {name: _record(file, volume, name, result, order, told[name]) for name, result in made.items()}
    for name, result in made.items():
        kept = ("model", "input", "acceleration", "settings", "units", "notes", "certified")
        write_images(
            order.places.image(file, name),
            result.images,
            geometry=volume.geometry,
            metadata={key: value for key in kept if (value := records[name][key]) is not None},
            noise_std=result.noise_std,
            frames=volume.frames,
        )
    if len(made) > 1:
        _compare(file, volume, made, order)
    return list(records.values())


def summary_line(record: Mapping[str, Any]) -> str:
    """Return a record of :func:`reconstruct_file` as one line of text."""
    quality = record["quality"]
    of_itself = " to the plain combination of the same scan" if record["acceleration"] == 1 else ""
    known = f"; PSNR {quality['psnr']:.2f} dB, SSIM {quality['ssim']:.3f}{of_itself}" if quality else ""
    how = f"{counted(record['slices'], 'slice')} by {record['model']} at {record['acceleration']:.2f}x"
    return f"{record['output']}: {how}{known}"


def certified_line(record: Mapping[str, Any]) -> str | None:
    """Return what is proved of a record of :func:`reconstruct_file` as one line of text, None where nothing is."""
    if (proved := record["certified"]) is None:
        return None
    changed, image = (f"{100 * proved[name]:.3g} %" for name in ("change", "image"))
    return f"Certified: where measurements change by {changed}, no slice changes by more than {image} (l2 norms)."


def _volume(file: Path, order: Order) -> "AnyVolume":
    from smug.data.kspace.non_cartesian import NonCartesianVolume
    from smug.data.kspace.read import read_any, undersample

    volume = read_any(file, trajectory=order.trajectory, centre=order.centre, slices=order.slices)
    if isinstance(volume, NonCartesianVolume):
        for name in ("undersample", "maps_figure", "coils"):
            if getattr(order, name) is not None:
                option = name.replace("_", "-")
                raise ValueError(f"--{option}: expected Cartesian k-space, got samples along a trajectory in {file}")
        return volume
    if order.undersample is None:
        return volume
    options = {"seed": order.seed, "center_fraction": order.center_fraction, "lines": order.lines}
    return undersample(volume, order.undersample, **options)  # type: ignore[arg-type]


def _reconstructed(file: Path, volume: "AnyVolume", name: str, order: Order, told: list[str]) -> "Reconstruction":
    """Return the reconstruction by a model; its warnings are printed, and ``told`` gets them."""
    from smug.reconstruction import reconstruct

    model = order.models[name]
    sigma = None if order.replicas == 0 else order.noise_sigma or volume.noise_sigma
    replicas = order.replicas or REPLICAS
    if sigma is not None:
        say(f"Receiver noise {sigma:.3g}: its map takes {replicas} more reconstructions; --replicas 0 for none.")
    elif order.replicas and order.places.names is None:
        raise ValueError(f"--replicas: would change nothing: {file} has no noise scan; --noise-sigma says the noise")

    def tell(sentence: str) -> None:
        told.append(sentence)
        warn(sentence if len(order.models) == 1 else f"{name}: {sentence}")

    with progress(f"Reconstructing {file.name}", len(volume)) as advance:
        return reconstruct(
            model,
            volume,
            seed=order.seed,
            batch=order.batch,
            coils=order.coils,
            device=order.device,
            noise_sigma=sigma,
            replicas=replicas,
            advance=advance,
            warn=tell,
        )


def _record(
    file: Path, volume: "AnyVolume", name: str, result: "Reconstruction", order: Order, told: list[str]
) -> dict[str, Any]:
    """Return the record of a reconstruction, about which so much was ``told``: plain values."""
    from smug.bounds.image_bound import CHANGE

    return {
        "model": name,
        "input": printable(file.name),
        "acceleration": volume.acceleration,
        "settings": {key: getattr(order, key) for key in SETTINGS}
        | ({} if order.trajectory is None else {"trajectory": printable(order.trajectory.name)}),
        "units": volume.units,
        "kspace": "measured",
        "output": printable(str(order.places.image(file, name))),
        "slices": len(volume),
        "notes": dict(volume.attributes),
        "warnings": [*volume.warnings, *told],
        "quality": result.quality,
        "certified": None
        if result.certified is None
        else {"change": CHANGE, "image": result.certified.value, "assuming": result.certified.assumptions},
    }


def _draw_maps(path: Path, volume: "AnyVolume") -> None:
    """Draw the coil maps of the middle slice; where there are none to draw, say so and go on."""
    from smug.data.kspace.volume import Volume
    from smug.reports.maps_figure import slice_maps_figure
    from smug.system.figures import write_figure

    if not isinstance(volume, Volume):
        raise ValueError("--maps-figure: expected Cartesian k-space")
    try:
        figure = slice_maps_figure(volume, len(volume) // 2)
    except ValueError as error:
        warn(f"--maps-figure {path}: not drawn: {error}")
        return
    write_figure(path, figure)


def _compare(file: Path, volume: "AnyVolume", made: "Mapping[str, Reconstruction]", order: Order) -> None:
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
