"""DeepInverse: its physics as operators, and its models as reconstructors.

Nothing here imports the package, but for :func:`deepinv_physics`; what is passed in comes from it.
"""

from collections.abc import Iterator
from copy import deepcopy
from importlib import import_module
from typing import Any, Self

import torch
from torch import Tensor, nn

from smug.foreign.adapted import Adapted, Network, returned_image, stacked_parts
from smug.models.noise import Seeds, derive, entry_seeds
from smug.physics.operator import LinearOperator, Operator, check_measurements
from smug.physics.parts import of_precision, squared
from smug.physics.scale import kspace_scale
from smug.physics.sense import MAPS_TOLERANCE, cartesian
from smug.system.arguments import check_arguments, check_kind, shown

PER_IMAGE = ("mask", "coil_maps", "filter")
"""What a physics may have for every image of a batch, along the first axis."""

MASKED = ("MRI", "MultiCoilMRI", "Inpainting")
"""Classes whose ``mask`` says which entries are measured; that of others holds singular values."""


class PhysicsOperator(LinearOperator):
    """The linear physics of DeepInverse as an operator; :func:`operator` makes it.

    Images with two channels, real and imaginary parts, are complex here, those of one channel real. Measurements of MRI
    are complex ``(batch, coil, y, x)``, those of others as the physics returns them.
    """

    def __init__(self, physics: Any, complex_images: bool) -> None:
        self.physics, self.complex_images = physics, complex_images

    def __call__(self, image: Tensor) -> Tensor:
        """Measure images ``(batch, y, x)``, without noise."""
        return self.measurements(self.physics.A(stacked_parts(image)))

    def H(self, y: Tensor) -> Tensor:
        """Apply the adjoint."""
        return returned_image(self.physics.A_adjoint(self.channels(y)))

    def gram(self, image: Tensor) -> Tensor:
        """Apply ``A^H A``, as the physics does where it knows how."""
        if image.ndim > 3 or not hasattr(self.physics, "A_adjoint_A"):
            return super().gram(image)
        return returned_image(self.physics.A_adjoint_A(stacked_parts(image)))

    @torch.no_grad()
    def measure(self, image: Tensor, generator: Seeds = None) -> Tensor:
        """Measure images with the physics' noise; that of each is a function of its seed alone.

        ``generator`` is a torch.Generator, int64 seeds ``(batch,)``, or None for seed 0.
        """
        seeds = derive(entry_seeds(generator, len(image)), 0).tolist()
        slices = zip(torch.split(self(image), 1), seeds, strict=True)
        return torch.cat([self[i]._noisy(y, seed) for i, (y, seed) in enumerate(slices)])

    def _noisy(self, y: Tensor, seed: int) -> Tensor:
        """Add the physics' noise, drawn from its own generator, which is put back, or from torch's, which is too."""
        model = getattr(self.physics, "noise_model", None)
        rng = getattr(model, "rng", None)
        devices = [y.device] if y.device.type == "cuda" else []
        before = None if rng is None else rng.get_state()
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            if rng is not None:
                rng.manual_seed(seed)
            noise = getattr(self.physics, "noise", model)
            noisy: Tensor = y if noise is None else self.measurements(noise(self.channels(y)))
        if rng is not None:
            rng.set_state(before)
        return torch.where(self.support(y), noisy, 0)

    def measurements(self, channels: Tensor) -> Tensor:
        """Turn measurements of the physics into those of this operator."""
        if not self.complex_images:
            return channels
        y = torch.complex(channels[:, 0], channels[:, 1])
        return y if self._has_coils else y[:, None]

    def channels(self, y: Tensor) -> Tensor:
        """Turn measurements of this operator into those of the physics."""
        if not self.complex_images:
            return y
        return stacked_parts(y if self._has_coils else y[:, 0]).contiguous()

    @property
    def _has_coils(self) -> bool:
        return hasattr(self.physics, "coil_maps")

    @property
    def sampled(self) -> Tensor:
        """Which entries are measured: those in the mask of MRI and inpainting, of others all."""
        mask = getattr(self.physics, "mask", None)
        named = any(kind.__name__ in MASKED for kind in type(self.physics).__mro__)
        if not isinstance(mask, Tensor) or not (self.complex_images or named):
            return super().sampled
        return (mask[:, :1] if self.complex_images else mask) != 0

    def norm_bound(self, image: Tensor) -> float | Tensor:
        """Return a bound of ``||A||``: that of MRI is told by its coil maps, 1 where they are normalised."""
        if not self.complex_images:
            return super().norm_bound(image)
        maps = getattr(self.physics, "coil_maps", None)
        largest = 1.0 if maps is None else float(squared(maps.detach()).sum(1).max().sqrt())
        return 1.0 if largest <= 1 + MAPS_TOLERANCE else largest

    def scale(self, y: Tensor) -> Tensor:
        """Return about the largest magnitude of the image: that of MRI is told by the centre of k-space."""
        return kspace_scale(y, self.sampled) if self.complex_images else super().scale(y)

    @property
    def batch(self) -> int:
        """The number of images that the physics is made for; 1 serves any number."""
        return max((len(values) for _, values in self._per_image()), default=1)

    def __getitem__(self, index: int | slice | Tensor) -> Self:
        """Return the operator of some images of the batch."""
        if self.batch == 1:
            return self
        rows = slice(index, index + 1 or None) if isinstance(index, int) else index
        physics = _cloned(self.physics)
        for name, values in self._per_image():
            setattr(physics, name, values if len(values) == 1 else values[rows])
        return type(self)(physics, self.complex_images)

    def to(self, target: torch.device | str | torch.dtype) -> Self:
        """Return the operator with the tensors of a copy of its physics on a device, or in the precision of a dtype."""

        def moved(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            return of_precision(value, target) if isinstance(target, torch.dtype) else value.to(target)

        if all(moved(value) is value for values in _tensors(self.physics) for value in values.values()):
            return self
        physics = _cloned(self.physics)
        for values in _tensors(physics):
            values.update({name: moved(value) for name, value in values.items()})
        if hasattr(physics, "device") and not isinstance(target, torch.dtype):
            physics.device = torch.device(target)
        return type(self)(physics, self.complex_images)

    def __repr__(self) -> str:
        """Tell the class of the physics."""
        return f"{type(self.physics).__name__} of DeepInverse"

    def _per_image(self) -> list[tuple[str, Tensor]]:
        named = ((name, getattr(self.physics, name, None)) for name in PER_IMAGE)
        return [(name, values) for name, values in named if isinstance(values, Tensor) and values.ndim >= 4]


@check_arguments
def operator(physics: Any, complex_images: bool | None = None) -> PhysicsOperator:
    """Return a linear physics of DeepInverse as an operator, with its noise model: ``A.measure(image)`` draws from it.

    Tomography, blur, inpainting and the like measure real images of one channel, MRI and multi-coil MRI complex ones:
    ``complex_images`` says so for a physics that does not tell. Raises ValueError for what has no adjoint.
    """
    for name in ("A", "A_adjoint"):
        if isinstance(physics, type) or not callable(getattr(physics, name, None)):
            raise ValueError(f"physics: expected a linear physics of DeepInverse with {name}, got {shown(physics)}")
    if complex_images is None:
        named = any("MRI" in kind.__name__ for kind in type(physics).__mro__)
        complex_images = named or any(hasattr(physics, name) for name in ("coil_maps", "to_torch_complex"))
    return PhysicsOperator(physics, complex_images)


@check_arguments
def deepinv_model(model: Network, noise_sigma: float | None = None) -> Adapted:
    """Adapt a model of deepinv that reconstructs: ``model(y, physics)``.

    Where the operator is a physics of deepinv (:func:`operator`), the model gets that. Where it is a
    :class:`smug.Sense`, its y is real ``(batch, 2, coil, y, x)``, its physics a ``deepinv.physics.MultiCoilMRI``, its
    result real ``(batch, 2, y, x)``, and ``noise_sigma`` is as in :func:`deepinv_physics`. Slices go through it one by
    one, each with physics of its own: solvers of deepinv stop for a whole batch, and its physics remember what they are
    called with. Raises ImportError where deepinv is not installed; :class:`Adapted` tells the rest.
    """

    def call(model: Network, y: Tensor, A: Operator) -> Tensor:
        A = check_measurements(y, A)
        return torch.cat([returned_image(_called(model, y[i : i + 1], A[i], noise_sigma)) for i in range(y.shape[0])])

    return Adapted(model, call)


def _called(model: Network, y: Tensor, A: LinearOperator, noise_sigma: float | None) -> Tensor:
    if isinstance(A, PhysicsOperator):
        return model(A.channels(y), A.physics)
    return model(stacked_parts(y), deepinv_physics(y, A, noise_sigma))


@check_arguments
def deepinv_physics(y: Tensor, A: Operator, noise_sigma: float | None = None) -> Any:
    """Return the ``deepinv.physics.MultiCoilMRI`` that measures as A does, for k-space ``(batch, coil, y, x)``.

    ``noise_sigma`` is the receiver noise per real and imaginary part, which some models of deepinv ask the physics
    for; without it there is no noise model. Raises ImportError where deepinv is not installed, and ValueError for
    operators that are no Cartesian MRI.
    """
    A = cartesian(A, "physics of DeepInverse")
    check_kind("y", y, Tensor)
    physics = import_module("deepinv.physics")
    batch, _, height, width = y.shape
    mask = A.sampled.expand(batch, 1, height, width).to(y.real.dtype)
    maps = A.maps.expand(batch, -1, height, width)
    noise = {} if noise_sigma is None else {"noise_model": physics.GaussianNoise(noise_sigma)}
    return physics.MultiCoilMRI(mask=mask, coil_maps=maps, device=y.device, **noise)


def _cloned(physics: Any) -> Any:
    """Return a copy: the package's own way copies random number generators too."""
    return physics.clone() if hasattr(physics, "clone") else deepcopy(physics)


def _tensors(physics: Any) -> Iterator[dict[str, Any]]:
    """Yield the dictionaries that hold the tensors of a physics and of its parts."""
    for part in physics.modules() if isinstance(physics, nn.Module) else (physics,):
        yield part.__dict__
        if isinstance(part, nn.Module):
            yield part._buffers
