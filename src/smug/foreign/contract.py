"""Whether a user's function is a reconstructor: tried once on one slice, before hours are spent on it."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from smug.evaluation_mode import check_mode
from smug.models.noise import derive
from smug.physics.operator import Operator, operator
from smug.reconstructor import CONTRACT, Reconstructor, described, hint, takes_generator, taking_generator
from smug.system.user_code import accepts, is_ours, signature_of, users_code

DTYPES = (torch.complex64, torch.complex128, torch.float32, torch.float64)
"""What images may be: complex, or real magnitudes."""


def check_reconstructors(
    models: Mapping[str, Reconstructor], y: Tensor, A: Operator, *, gradient: bool = False
) -> dict[str, str]:
    """Try every model that has a user's code in it on measurements of one slice, ``(batch, ...)``.

    With ``gradient`` it is differentiated too, as attacks do: returned is, by the model's name, a sentence about each
    whose gradient is missing, zero or not finite. Raises ValueError, which names the model and what was expected, for
    any model with a network in training mode, and for one that cannot be called as :data:`CONTRACT` says, or whose
    images have another shape, dtype or device, or are not finite, or whose gradient fails.
    """
    for name, f in models.items():
        try:
            check_mode(f)
        except ValueError as error:
            raise ValueError(f"model {name}: {error}") from None
    tried = {name: _tried(name, f, y, A, gradient=gradient) for name, f in models.items() if has_users_code(f)}
    return {name: sentence for name, sentence in tried.items() if sentence}


def has_users_code(f: Reconstructor) -> bool:
    """Tell whether a reconstructor calls anything that is not of this library or of torch."""
    core = described(f).core()
    if not is_ours(core) or type(core).__module__.startswith(f"{__package__}.") or not hasattr(core, "settings"):
        return True
    parts = described(core).settings().values()
    if any(callable(part) and not isinstance(part, nn.Module) and not is_ours(part) for part in parts):
        return True
    modules = [m for part in parts if isinstance(part, nn.Module) for m in part.modules()]
    return not all(is_ours(m) or type(m).__module__.startswith("torch.") for m in modules)


def _tried(name: str, f: Reconstructor, y: Tensor, A: Operator, *, gradient: bool) -> str:
    core = described(f).core()
    if not accepts(core, 2, *(["generator"] if takes_generator(core) else [])):
        raise ValueError(f"model {name}: expected {CONTRACT}; got {signature_of(core)}{hint(core)}")
    seeds = derive(torch.zeros(len(y), dtype=torch.int64), 0)

    def reconstructed(y: Tensor) -> Tensor:
        try:
            with users_code(core):
                return taking_generator(f)(y, A, generator=seeds)
        except ValueError as error:
            raise ValueError(f"model {name}: {error}") from error

    with torch.no_grad():
        _check_image(name, reconstructed(y), y, operator(A).blank(y).shape)
    return _blindness(name, core, reconstructed, y) if gradient else ""


def _check_image(name: str, image: Tensor, y: Tensor, expected: Sequence[int]) -> None:
    for what, wanted, got in (
        ("images of shape", tuple(expected), tuple(image.shape)),
        ("images on the device of the measurements,", y.device, image.device),
    ):
        if wanted != got:
            hint = "; smug.foreign.slicewise(f) gives f one slice at a time" if y.shape[0] > 1 else ""
            raise ValueError(
                f"model {name}: expected {what} {wanted}, got {got} from measurements {tuple(y.shape)}{hint}"
            )
    if image.dtype not in DTYPES:
        raise ValueError(
            f"model {name}: expected complex images or real magnitudes, 32 bits or more, got {image.dtype}"
        )
    if not bool(image.isfinite().all()):
        raise ValueError(f"model {name}: expected a finite image, got NaN or inf")


def _blindness(name: str, core: Reconstructor, reconstructed: Reconstructor, y: Tensor) -> str:
    """Return what is wrong with the gradient, in a sentence, or nothing."""
    with torch.inference_mode(False), torch.enable_grad():
        point = y.detach().clone().requires_grad_()
        image = reconstructed(point)
        try:
            with users_code(core):
                loss = image.abs().square().sum()
                found = torch.autograd.grad(loss, point, materialize_grads=True)[0] if loss.requires_grad else None
        except ValueError as error:
            raise ValueError(f"model {name}: its gradient with respect to y fails: {error}") from error
    if found is None:
        what = "is not differentiable as far as autograd sees"
    elif not bool(found.isfinite().all()):
        what = "has a gradient that is NaN or infinite"
    elif not bool(found.any()):
        what = "has a gradient of zero"
    else:
        return ""
    return f"{name} {what}: attacks by gradients are blind, and only noise and black-box attacks tell something."
