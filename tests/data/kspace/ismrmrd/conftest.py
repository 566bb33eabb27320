"""ISMRMRD files of small scans, written by the ismrmrd package."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ismrmrd
import numpy as np
import pytest
import torch
from torch import Tensor

from smug.data.kspace.volume import Volume
from smug.data.phantom import head_phantom
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.maps.simulated import simulated_maps

GENERATOR = "ismrmrd_generate_cartesian_shepp_logan"

HEIGHT, WIDTH, COILS = 24, 20, 3


@dataclass(frozen=True)
class Header:
    """What a header says; by default of a readout of HEIGHT pixels that is oversampled by 2."""

    matrix: tuple[int, int, int] = (2 * HEIGHT, WIDTH, 1)
    field_of_view: tuple[float, float, float] = (480.0, 200.0, 5.0)
    recon_field_of_view: tuple[float, float, float] = (240.0, 200.0, 5.0)
    limits: tuple[int, int, int] = (0, WIDTH - 1, WIDTH // 2)
    trajectory: str = "cartesian"
    bandwidth: float | None = None

    def xml(self) -> str:
        def sizes(name: str, values: tuple[float, ...]) -> str:
            return f"<{name}>" + "".join(f"<{a}>{v}</{a}>" for a, v in zip("xyz", values, strict=True)) + f"</{name}>"

        def space(name: str, field_of_view: tuple[float, ...]) -> str:
            return f"<{name}>{sizes('matrixSize', self.matrix)}{sizes('fieldOfView_mm', field_of_view)}</{name}>"

        minimum, maximum, center = self.limits
        bandwidth = (
            ""
            if self.bandwidth is None
            else f"<relativeReceiverNoiseBandwidth>{self.bandwidth}</relativeReceiverNoiseBandwidth>"
        )
        return (
            '<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">'
            f"<acquisitionSystemInformation>{bandwidth}</acquisitionSystemInformation>"
            f"<encoding>{space('encodedSpace', self.field_of_view)}{space('reconSpace', self.recon_field_of_view)}"
            f"<encodingLimits><kspace_encoding_step_1><minimum>{minimum}</minimum><maximum>{maximum}</maximum>"
            f"<center>{center}</center></kspace_encoding_step_1></encodingLimits>"
            f"<trajectory>{self.trajectory}</trajectory></encoding></ismrmrdHeader>"
        )


HEADER = Header()


def acquisition(values: np.ndarray, *flags: int, **settings: Any) -> Any:
    """An acquisition ``(channel, sample)``; ``settings`` are fields of its header and counters."""
    made = ismrmrd.Acquisition.from_array(np.ascontiguousarray(values, dtype=np.complex64))
    made.center_sample = values.shape[1] // 2
    made.sample_time_us = 5.0
    for flag in flags:
        made.set_flag(flag)
    for name, value in settings.items():
        target = made if hasattr(made, name) else made.idx
        if isinstance(value, tuple):
            getattr(target, name)[:] = value
        else:
            setattr(target, name, value)
    return made


def lines(kspace: np.ndarray | Tensor, sampled: Any = slice(None), **settings: Any) -> list[Any]:
    """The acquisitions of a slice's k-space ``(coil, y, x)``."""
    values = np.asarray(kspace)
    columns = np.arange(values.shape[-1])[sampled].tolist()
    return [acquisition(values[:, :, x], kspace_encode_step_1=x, **settings) for x in columns]


def oversampled(coil_images: Tensor, factor: int = 2) -> Tensor:
    """K-space of coil images ``(..., y, x)`` with this oversampling along y, which fastMRI crops to them."""
    height = coil_images.shape[-2]
    wide = torch.zeros(*coil_images.shape[:-2], factor * height, coil_images.shape[-1], dtype=coil_images.dtype)
    top = (factor * height - height) // 2
    wide[..., top : top + height, :] = coil_images
    return fft2c(wide)


def random_images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(
        acquisitions: list[Any], header: Header | str = HEADER, group: str = "dataset", name: str = "scan"
    ) -> Path:
        path = tmp_path / f"{name}.h5"
        with ismrmrd.Dataset(str(path), group) as dataset:
            dataset.write_xml_header((header if isinstance(header, str) else header.xml()).encode())
            for one in acquisitions:
                dataset.append_acquisition(one)
        return path

    return write


def images_of(volume: Volume) -> Tensor:
    return ifft2c(torch.stack(list(volume.kspace)))


def smooth(slices: int = 1) -> Tensor:
    """Coil images of objects ``(slice, coil, y, x)``."""
    objects = torch.stack([head_phantom(i, HEIGHT)[:, 2 : 2 + WIDTH] for i in range(slices)])
    return simulated_maps(COILS, HEIGHT, WIDTH, seed=1) * objects[:, None]


def coloured(covariance: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Noise ``(..., channel, sample)`` whose channels have this covariance, ``shape`` without channels."""
    n = (rng.normal(size=(*shape[:-1], len(covariance), shape[-1], 2)) @ [1, 1j]) / np.sqrt(2)
    return np.linalg.cholesky(covariance) @ n


def noise_scan(covariance: np.ndarray, rng: np.random.Generator, samples: int = 20000, **settings: Any) -> Any:
    return acquisition(
        coloured(covariance, (samples,), rng), ismrmrd.ACQ_IS_NOISE_MEASUREMENT, center_sample=0, **settings
    )
