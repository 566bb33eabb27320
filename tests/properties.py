"""What must hold of everything of a kind, each in one line of a test."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.models import reconstructors
from smug.models.noise import Seeds
from smug.physics.consistency import solve
from smug.reconstructor import Reconstructor


def assert_refused(call: Callable[[], object], message: str = "", error: type[Exception] = ValueError) -> str:
    """The call raises an error for people: one line that holds the message, in which ``...`` stands for anything."""
    with pytest.raises(error) as caught:
        call()
    told = str(caught.value)
    assert len(told.splitlines()) == 1, told
    assert re.search(".*".join(map(re.escape, message.split("..."))), told), f"expected {message!r}, got {told!r}"
    return told


def assert_file_refused(read: Callable[[Path], object], path: Path, message: str = "") -> None:
    """A reader refuses a file: the error begins with the file's path, for there may be many."""
    told = assert_refused(lambda: read(path), message)
    assert told.startswith(f"{path}: "), told


def assert_adjoint(A: Callable[[Tensor], Tensor], AH: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> None:
    """``<A x, y> = <x, A^H y>``."""
    torch.testing.assert_close((A(x).conj() * y).sum(), (x.conj() * AH(y)).sum())


def assert_slices_stand_alone(f: Reconstructor, scan: Scan, seeds: Tensor, tolerance: float = 1e-5) -> None:
    """A slice is reconstructed as in its batch, in the precision of the measurements."""
    together = f(scan.y, scan.A, generator=seeds)
    assert together.shape == scan.truth.shape
    assert together.dtype in (scan.y.dtype, scan.y.real.dtype)
    for i in range(len(scan.id)):
        alone = f(scan.y[i : i + 1], scan.A[i], generator=seeds[i : i + 1])[0]
        assert (together[i] - alone).norm() <= tolerance * alone.norm()


def assert_random_by_seed_only(f: Reconstructor, scan: Scan, seeds: Tensor) -> None:
    """Equal seeds give equal images, and torch's global generator is neither asked nor moved."""
    before = torch.get_rng_state()
    first = f(scan.y, scan.A, generator=seeds)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(f(scan.y, scan.A, generator=seeds), first)
    drawn: list[Seeds] = [torch.Generator().manual_seed(1) for _ in range(2)]
    assert torch.equal(*(f(scan.y, scan.A, generator=generator) for generator in drawn))


def assert_homogeneous(f: Reconstructor, scan: Scan, seeds: Tensor, unit: float, tolerance: float = 1e-9) -> None:
    """``f(c y) = c f(y)``: images have the unit of the measurements."""
    expected = unit * f(scan.y, scan.A, generator=seeds)
    assert (f(unit * scan.y, scan.A, generator=seeds) - expected).norm() <= tolerance * expected.norm()


def assert_gradient(f: Reconstructor, scan: Scan, seeds: Tensor) -> None:
    """The gradient is that of the image, along every direction of the measurements; solves go to rounding for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconstructors, "solve", partial(solve, tolerance=1e-14, max_iterations=200))
        y = scan.y.detach().clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda y: f(y, scan.A, generator=seeds), y)


def assert_inputs_kept(f: Reconstructor, scan: Scan, seeds: Tensor) -> None:
    """Measurements, mask and maps stay as they are."""
    kept = [value.clone() for value in (scan.y, scan.A.mask, scan.A.maps)]
    f(scan.y, scan.A, generator=seeds)
    assert all(map(torch.equal, kept, (scan.y, scan.A.mask, scan.A.maps)))
