"""What all adapters of torch networks share: precision, device, and the shape of what comes back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smug.evaluation_mode import check_mode
from smug.models.noise import Seeds, entry_seeds
from smug.physics.operator import Operator, check_measurements
from smug.physics.parts import of_precision, parts
from smug.physics.sense import cartesian
from smug.reconstructor import Described, Reconstructor, Wrapper, taking_generator
from smug.system.arguments import check_arguments, check_fields, shown
from smug.system.user_code import copied, users_code

Network = Callable[..., Tensor]
"""A torch module, or any function of tensors."""


@dataclass(frozen=True, eq=False)
class Adapted(Described):
    """A reconstructor ``f(y, A, generator=None)`` made of somebody else's network.

    ``call(network, y, A)`` translates: it returns real channels ``(batch, 2, y, x)``, a complex image
    ``(batch, y, x)``, or a real one ``(batch, 1, y, x)`` or ``(batch, y, x)``. The network works in the
    precision of its parameters, the result has that of y. Where that is half, ``call`` translates in single precision,
    and only what goes into the network and comes out is rounded. A real result stays real; of complex images it is a
    magnitude, and compared with magnitudes.

    Raises ValueError for measurements that do not belong together, for a network with dropout or a normalisation in
    training mode, scripted or not, which would be random, mix slices or remember them, and for a result of another
    shape.
    """

    network: Network
    call: Callable[[Network, Tensor, Operator], Tensor]

    def __post_init__(self) -> None:
        """Check the network's mode."""
        check_fields(self)
        check_mode(self.network)

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct ``(batch, y, x)`` from measurements ``(batch, ...)``; the generator is not used."""
        A = check_measurements(y, A)
        check_mode(self.network)  # somebody may have trained it since
        dtype = precision(self.network, y)
        network = in_half(self.network)
        with users_code(self.network):
            image = copied(self.call(network, copied(of_precision(y, dtype)), copied(A.to(dtype))))
        image = returned_image(image)
        expected = tuple(A.blank(y).shape)
        if image.shape != expected:
            raise ValueError(f"network: expected an image for every slice, {expected}, got {tuple(image.shape)}")
        return of_precision(image, y.dtype)

    def to(self, device: torch.device | str) -> Self:
        """Move the network to a device, in place as torch does, and return the reconstructor."""
        if isinstance(self.network, nn.Module):
            self.network.to(device)
        return self


HALF = (torch.float16, torch.bfloat16)


def in_half(network: Network) -> Network:
    """Return a network in half precision as one that takes and returns single precision; any other as it is."""
    dtype = _first_dtype(network)
    if dtype not in HALF:
        return network

    def to(value: Any, dtype: torch.dtype) -> Any:
        return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value

    def call(*inputs: Any, **options: Any) -> Tensor:
        result: Tensor = to(network(*(to(value, dtype) for value in inputs), **options), torch.float32)
        return result

    return call


def returned_image(result: Tensor) -> Tensor:
    """Turn two real channels into a complex image and one into a real magnitude; an image is returned as it is.

    Raises ValueError for anything else.
    """
    if not isinstance(result, Tensor):
        raise ValueError(f"network: expected it to return a torch tensor, got {shown(result)}")
    if result.ndim == 4 and not result.is_complex() and result.shape[1] in (1, 2):
        return torch.complex(result[:, 0], result[:, 1]) if result.shape[1] == 2 else result[:, 0]
    if result.ndim == 3:
        return result
    raise ValueError(
        "network: expected it to return real (batch, 2, y, x), or real magnitudes (batch, 1, y, x) or (batch, y, x), "
        f"got {result.dtype} {tuple(result.shape)}"
    )


def stacked_parts(z: Tensor) -> Tensor:
    """Turn ``(batch, ...)`` into its parts on a second axis, real ``(batch, 2, ...)``; one part of what is real."""
    return parts(z).movedim(-1, 1)


def precision(network: Network, y: Tensor) -> torch.dtype:
    """Return the complex dtype of the network's first parameter, single for half, or that of y where it has none."""
    dtype = _first_dtype(network)
    return y.dtype if dtype is None else torch.complex128 if dtype == torch.float64 else torch.complex64


def _first_dtype(network: Network) -> torch.dtype | None:
    parameters = network.parameters() if isinstance(network, nn.Module) else iter(())
    return next((p.dtype for p in parameters if p.is_floating_point()), None)


@dataclass(frozen=True, eq=False)
class Slicewise(Wrapper):
    """A reconstructor that is given one slice at a time."""

    reconstructor: Reconstructor

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct ``(batch, y, x)`` from measurements ``(batch, ...)``."""
        A, f = check_measurements(y, A), taking_generator(self.reconstructor)
        seeds = [None] * len(y) if generator is None else torch.split(entry_seeds(generator, len(y)), 1)
        return torch.cat([f(y[i : i + 1], A[i], generator=seed) for i, seed in enumerate(seeds)])


@check_arguments
def slicewise(f: Reconstructor) -> Slicewise:
    """Return a reconstructor that gives ``f`` one slice at a time, for one that mixes the slices of a batch.

    Attacks and scores need slices that do not see each other; a solver that stops for a whole batch lets them.
    """
    return Slicewise(f)


SliceFunction = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], NDArray[Any]]
"""``(kspace (coil, y, x), mask (y, x), maps (coil, y, x)) -> image (y, x)``, complex or a real magnitude."""


@check_arguments
def numpy_function(function: SliceFunction) -> Reconstructor:
    """Adapt a function of numpy arrays that reconstructs one slice, such as a call of SigPy or of a program.

    It gets complex k-space ``(coil, y, x)``, zero where nothing is sampled, the bool mask ``(y, x)`` and complex maps
    ``(coil, y, x)``, and returns an image ``(y, x)``, complex or a real magnitude. There is no gradient: attack it by
    transfer or with a black box. Raises ValueError for an image of another shape.
    """

    def f(y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        A = cartesian(check_measurements(y, A), "numpy function")
        batch, _, height, width = y.shape
        masks = A.sampled[:, 0].expand(batch, height, width)
        maps = A.maps.expand(batch, -1, height, width)
        rows = zip((A.sampled * y).detach(), masks, maps.detach(), strict=True)
        return torch.stack([_image(_called(function, row), y) for row in rows])

    return f


def _called(function: SliceFunction, row: tuple[Tensor, ...]) -> Any:
    """Call somebody's function with arrays of its own."""
    with users_code(function):
        return function(*(part.cpu().numpy().copy() for part in row))


def _image(result: Any, y: Tensor) -> Tensor:
    image = torch.from_numpy(np.array(result))  # a copy: what is returned may be read-only, or used again
    if image.shape != y.shape[2:]:
        raise ValueError(f"function: expected an image of shape {tuple(y.shape[2:])}, got {tuple(image.shape)}")
    return image.to(y.device, y.dtype if image.is_complex() else y.real.dtype)
