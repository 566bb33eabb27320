"""What a file or a folder holds, and what would be done with it: plain values under plain names."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smug.system.words import counted

if TYPE_CHECKING:
    from smug.data.kspace.centre import Centre
    from smug.data.kspace.non_cartesian import NonCartesianVolume
    from smug.data.kspace.positions import SliceOrder
    from smug.data.kspace.volume import Volume

Facts = dict[str, Any]

IMAGES = (".nii", ".nii.gz", ".png", ".npy")
"""What the names of files end in that can be nothing but images."""


def facts_of(
    path: Path, *, centre: "Centre" = "checked", slices: "SliceOrder" = "checked", trajectory: Path | None = None
) -> Facts:
    """Return the ``kind`` of a file, a folder or a shipped model, and what is known of it.

    Raises FileNotFoundError, and ValueError for what is of no kind that the library reads, with the reader's reason.
    """
    from smug.training.weights_file import shipped
    from smug.zoo import SHIPPED

    if path.is_dir():
        return _folder(path)
    if str(path) in SHIPPED and not path.exists():
        return _weights(shipped(str(path)), str(path))
    if path.name.lower().endswith(".safetensors"):
        return _weights(path)
    if path.name.lower().endswith(IMAGES):
        return _images(path)
    from smug.data.kspace.bart_samples import described_trajectory
    from smug.data.kspace.non_cartesian import NonCartesianVolume
    from smug.data.kspace.read import read_any

    if trajectory is None and path.suffix in (".cfl", ".hdr"):
        try:
            return {"kind": "trajectory", **described_trajectory(path)}
        except ValueError:
            pass  # k-space, or what the reader says
    try:
        volume = read_any(path, trajectory=trajectory, centre=centre, slices=slices)
    except ValueError as error:
        try:
            return _images(path)
        except ValueError:
            raise error from None
    return _samples(volume, path, trajectory) if isinstance(volume, NonCartesianVolume) else _kspace(volume)


def _kspace(volume: "Volume") -> Facts:
    from smug.data.kspace.describe import described
    from smug.data.kspace.noise import noise_level

    known = {**described(volume), "receiver noise": str(noise_level(volume))}
    names = {"receiver noise": "noise"}
    facts = {names.get(name, name): list(fact) if isinstance(fact, tuple) else fact for name, fact in known.items()}
    use = "smug reconstruct" + (", smug prepare with the folder of such files" if volume.fully_sampled else "")
    return {"kind": "measured k-space", **facts, "use": use}


def _samples(volume: "NonCartesianVolume", path: Path, trajectory: Path | None) -> Facts:
    coils, samples = volume.kspace[0].shape
    frames = f" in {counted(volume.frames, 'frame')}" if volume.frames > 1 else ""
    return {
        "kind": "measured non-Cartesian k-space",
        "format": volume.format,
        "slices": f"{counted(len(volume), 'slice')}{frames}, {counted(coils, 'coil')}",
        "sampling": f"{samples} samples of each coil, {volume.acceleration:.2f} pixels of the image per sample",
        "image": f"{volume.shape[0]} x {volume.shape[1]} pixels",
        "coil maps": "by ESPIRiT, from the gridded centre" if coils > 1 else "none: a single coil",
        "units": volume.units,
        "noise": "not known" if volume.noise_sigma is None else f"{volume.noise_sigma:.3g}, from the noise scan",
        "notes": [f"{name}: {text}" for name, text in volume.attributes.items()],
        "warnings": list(volume.warnings),
        "use": f"smug reconstruct {path}" + ("" if trajectory is None else f" --trajectory {trajectory}"),
    }


def _images(path: Path) -> Facts:
    from smug.data.images.read import read_images

    volumes = read_images(path)
    shapes = dict.fromkeys(f"{image.shape[0]} x {image.shape[1]}" for volume in volumes for image in volume.slices[:1])
    return {
        "kind": "images",
        "volumes": f"{counted(len(volumes), 'volume')} of {counted(len({v.subject for v in volumes}), 'subject')}",
        "slices": f"{counted(sum(len(volume.slices) for volume in volumes), 'slice')} of {_few(list(shapes))}",
        "use": "smug prepare --simulate with the folder of such files; HDF5 also smug evaluate --data",
    }


def _weights(path: Path, name: str = "") -> Facts:
    from smug.models.lam import described_lam
    from smug.training.checkpoint import SCHEMA as CHECKPOINT
    from smug.training.checkpoint import reached
    from smug.training.runs import load_weights
    from smug.training.weights_file import read_metadata

    file = path / "model.safetensors" if path.is_dir() else path
    if read_metadata(file).get("schema") == CHECKPOINT:
        return {
            "kind": "checkpoint of a run",
            "updates": reached(file).update,
            "use": "smug train --resume, with the folder that it is in as --out",
        }
    model = load_weights(path)
    config, trained_on = model.config, model.training_range()
    return {
        "kind": "run folder" if path.is_dir() else "weights",
        "method": f"{config.method}, {counted(config.steps, 'unrolling step')}, seed {config.seed}",
        "lam": f"{described_lam(model.settings()['lam'])}, {'learned' if config.learn_lam else 'fixed'}",
        "network": f"{config.network.kind}, {counted(config.network.channels, 'channel')}",
        **{name: text for name, text in model.metadata.items() if name in ("update", "validation_psnr")},
        "training range": [f"{name} {_few(values)}" for name, values in vars(trained_on).items() if values]
        if trained_on
        else ["any matrix, coils and sampling"],
        "use": f"smug reconstruct FILE --model {name or path}, smug evaluate --model {name or path}",
    }


def _folder(path: Path) -> Facts:
    from smug.data.images.sets import PHANTOM_SEEDS
    from smug.data.prepared.manifest import Manifest
    from smug.data.prepared.set import is_prepared
    from smug.data.prepared.sources import KSPACE, find_sources
    from smug.training.runs import WEIGHTS

    if (path / WEIGHTS).is_file():
        return _weights(path)
    if is_prepared(path):
        manifest = Manifest.read(path)
        parts = {
            split: f"{counted(len(volumes), 'volume')} of {counted(len({v.subject for v in volumes}), 'subject')}, "
            f"{counted(sum(len(v.slices) for v in volumes), 'slice')}"
            for split in manifest.splits
            if (volumes := manifest.of(split))
        }
        return {
            "kind": "prepared set",
            "k-space": manifest.settings["kspace"],
            **parts,
            "skipped": counted(len(manifest.skipped), "file"),
            "sha256": manifest.sha256,
            "use": f"smug evaluate --data {path}, smug train with data.sources",
        }
    if all((path / f"{split}.h5").is_file() for split in PHANTOM_SEEDS):
        splits = {split: _images(path / f"{split}.h5")["slices"] for split in PHANTOM_SEEDS}
        return {
            "kind": "image set",
            **splits,
            "use": f"smug evaluate --data {path}, smug certify --data {path}, smug train with data.sources",
        }
    files = find_sources(path)
    kspace = [file for file in files if file.lower().endswith(KSPACE)]
    return {
        "kind": "folder",
        "files": f"{len(kspace)} that may be k-space, {len(files) - len(kspace)} of images",
        "use": "smug reconstruct with the folder, smug prepare, smug info with the files",
    }


def _few(values: Sequence[Any]) -> str:
    """The first of many values."""
    texts = [_joined(value) if isinstance(value, tuple) else str(value) for value in values]
    return ", ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")


def _joined(value: tuple[Any, ...]) -> str:
    """A matrix, or the ends of a span, which are no whole numbers."""
    return (" to " if isinstance(value[0], float) else " x ").join(map(str, value))
