"""Every reader of files that others made, and a small good file of each format."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import torch

from smug.data.phantom import head_phantom
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.maps.simulated import simulated_maps

if TYPE_CHECKING:
    from smug.training.config import Config

SIZE, COILS = 32, 3

HEADER = """<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
<experimentalConditions><H1resonanceFrequency_Hz>128000000</H1resonanceFrequency_Hz></experimentalConditions>
<encoding><encodedSpace><matrixSize><x>64</x><y>32</y><z>1</z></matrixSize>
<fieldOfView_mm><x>400</x><y>200</y><z>5</z></fieldOfView_mm></encodedSpace>
<reconSpace><matrixSize><x>32</x><y>32</y><z>1</z></matrixSize>
<fieldOfView_mm><x>200</x><y>200</y><z>5</z></fieldOfView_mm></reconSpace>
<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>31</maximum><center>16</center>
</kspace_encoding_step_1></encodingLimits><trajectory>cartesian</trajectory></encoding></ismrmrdHeader>"""


CONFIG = """preset = "tiny"
steps = 3
lam = 0.5
training_samples = 4
[network]
kind = "unet"
channels = 12
depth = 2
[smoothing]
sigma = 0.02
num_samples = 6
[data]
sources = ["phantom", "phantom"]
zooms = [1, 2]
[data.acquisition]
acceleration = 3.5
mask = "equispaced"
[optimizer]
betas = [0.9, 0.95]
learning_rate = 1e-3
"""


def read_kspace(path: Path) -> None:
    """Read measured k-space as ``smug reconstruct`` does, with maps and scale."""
    from smug.data.kspace.read import read_any
    from smug.models.classical import ZeroFilled
    from smug.reconstruction import reconstruct

    reconstruct(ZeroFilled(), read_any(path))


def read_image_file(path: Path) -> None:
    """Read every slice of every volume of images."""
    from smug.data.images.read import read_images

    for volume in read_images(path):
        for image in volume.slices:
            image.abs().max()


def read_weights(path: Path) -> None:
    """Load a model."""
    import smug

    smug.load(path)


def read_config(path: Path) -> None:
    """Load a configuration."""
    from smug.training.config_file import load_config

    load_config(str(path))


def read_checkpoint(path: Path) -> None:
    """Go back to a checkpoint."""
    from smug.system.distributed import ALONE
    from smug.training.configured import build
    from smug.training.learner import Learner
    from smug.training.presets import PRESETS

    Learner.of(build(PRESETS["tiny"]), PRESETS["tiny"], ALONE).restore(path)


def read_run_log(path: Path) -> None:
    """Read a log and append to it."""
    from smug.training.log import RunLog, read_log

    entries = read_log(path)
    with RunLog.open(path, tuple(entries[0].terms) if entries else (), after=1):
        pass


READERS: Mapping[str, Callable[[Path], None]] = {
    "fastmri": read_kspace,
    "ismrmrd": read_kspace,
    "bart": read_kspace,
    "nifti": read_image_file,
    "png": read_image_file,
    "npy": read_image_file,
    "images": read_image_file,
    "weights": read_weights,
    "config": read_config,
    "checkpoint": read_checkpoint,
    "log": read_run_log,
}
"""Readers by the name of the format."""


def make_corpus(folder: Path) -> Path:
    """Write good files, below a folder for each reader; return ``folder``."""
    for name in READERS:
        (folder / name).mkdir()
    images = torch.stack([head_phantom(seed, SIZE) for seed in (1, 2)])
    kspace = fft2c(simulated_maps(COILS, SIZE, SIZE, seed=0) * images[:, None]).numpy()
    _write_fastmri(folder / "fastmri", kspace)
    _write_ismrmrd(folder / "ismrmrd" / "raw.h5")
    _write_radial(folder / "ismrmrd" / "radial.h5")
    _write_bart(folder / "bart", kspace)
    _write_images(folder, (1000 * images.abs()).numpy().astype(np.uint16), images.numpy())
    _write_weights(folder)
    return folder


def _write_fastmri(folder: Path, kspace: np.ndarray) -> None:
    with h5py.File(folder / "plain.h5", "w") as file:
        file["kspace"] = kspace
    margin = (0, 0, SIZE // 2, SIZE // 2)  # two-fold readout oversampling
    wide = fft2c(torch.nn.functional.pad(ifft2c(torch.from_numpy(kspace)), margin)).numpy()
    mask = np.arange(SIZE) % 2 == 0
    mask[10:22] = True
    with h5py.File(folder / "chunked.h5", "w") as file:
        file.create_dataset("kspace", data=wide * mask, chunks=(1, COILS, 2 * SIZE, SIZE), compression="gzip")
        file["mask"] = mask
        file["ismrmrd_header"] = HEADER
        file.attrs["acquisition"] = "AXT2"


def _write_ismrmrd(path: Path) -> None:
    import ismrmrd

    maps = simulated_maps(COILS, 2 * SIZE, SIZE, seed=0)[0]
    image = torch.nn.functional.pad(head_phantom(1, SIZE), (0, 0, SIZE // 2, SIZE // 2))
    kspace = fft2c(maps * image).numpy()
    with ismrmrd.Dataset(str(path), "dataset") as dataset:
        dataset.write_xml_header(HEADER.encode())
        noise = ismrmrd.Acquisition.from_array(np.random.default_rng(0).normal(size=(COILS, 64)).astype(np.complex64))
        noise.set_flag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
        dataset.append_acquisition(noise)
        for line in range(SIZE):
            acquisition = ismrmrd.Acquisition.from_array(np.ascontiguousarray(kspace[:, :, line]))
            acquisition.idx.kspace_encode_step_1 = line
            acquisition.center_sample = SIZE
            acquisition.sample_time_us = noise.sample_time_us = 5.0
            dataset.append_acquisition(acquisition)


def _write_radial(path: Path) -> None:
    import ismrmrd

    rng, radius = np.random.default_rng(0), np.arange(SIZE) / SIZE - 0.5
    with ismrmrd.Dataset(str(path), "dataset") as dataset:
        dataset.write_xml_header(HEADER.replace("cartesian", "radial").encode())
        for spoke in range(SIZE):
            acquisition, angle = ismrmrd.Acquisition(), np.pi * spoke / SIZE
            acquisition.resize(SIZE, COILS, 2)
            acquisition.data[:] = (rng.normal(size=(COILS, SIZE, 2)) @ [1, 1j]) / (0.1 + np.abs(radius))
            acquisition.traj[:] = np.outer(radius, [np.sin(angle), np.cos(angle)])
            dataset.append_acquisition(acquisition)


def _write_bart(folder: Path, kspace: np.ndarray) -> None:
    slices, coils, readout, phase = kspace.shape
    dims = [readout, phase, 1, coils, *[1] * 9, slices, 1, 1]
    (folder / "k.hdr").write_text("# Dimensions\n" + " ".join(map(str, dims)) + "\n")
    (folder / "k.cfl").write_bytes(kspace.transpose(2, 3, 1, 0).astype(np.complex64).tobytes(order="F"))


def _write_images(folder: Path, magnitudes: np.ndarray, images: np.ndarray) -> None:
    import nibabel
    from PIL import Image

    volume = nibabel.Nifti1Image(magnitudes.transpose(2, 1, 0), np.diag([1, 1, 5, 1]))
    for suffix in (".nii", ".nii.gz"):
        nibabel.save(volume, folder / "nifti" / f"volume{suffix}")
    Image.fromarray(magnitudes[0]).save(folder / "png" / "slice.png")
    np.save(folder / "npy" / "slices.npy", images)
    with h5py.File(folder / "images" / "magnitudes.h5", "w") as file:
        file["study"] = magnitudes
        file["study"].attrs["patient"] = "patient1"
    with h5py.File(folder / "images" / "complex.h5", "w") as file:
        file["image_ri"] = np.stack([images.real, images.imag], 1)
        file["scale"] = np.ones(len(images), np.float32)
        file["subject"] = np.arange(len(images))


def _write_weights(folder: Path) -> None:
    from smug.training.config_file import to_dict
    from smug.training.configured import build
    from smug.training.presets import PRESETS
    from smug.training.runs import save_weights

    save_weights(folder / "weights" / "model.safetensors", build(PRESETS["tiny"]), PRESETS["tiny"])
    (folder / "config" / "run.toml").write_text(CONFIG)
    (folder / "config" / "config.json").write_text(json.dumps(to_dict(PRESETS["tiny"])))
    _write_run(folder, PRESETS["tiny"])


def _write_run(folder: Path, config: "Config") -> None:
    from smug.system.distributed import ALONE
    from smug.training.checkpoint import Place
    from smug.training.configured import build
    from smug.training.learner import Learner
    from smug.training.log import LogEntry, RunLog

    Learner.of(build(config), config, ALONE).save(folder / "checkpoint" / "checkpoint.safetensors", Place(1, 2.0))
    with RunLog.open(folder / "log" / "log.csv", ("reconstruction",)) as log:
        for update in (1, 2, 3):
            log.write(LogEntry(update, {"reconstruction": 0.5}, 1e-3, 1.0, 10.0, float(update), 0.0))
