"""Any linear operator: what it is given by default, and what every one must keep."""

from functools import cached_property

import pytest
import torch

import smug
from smug.models.noise import complex_normal, normal
from smug.physics.check import check_operator
from smug.physics.consistency import solve
from smug.physics.operator import LinearOperator, operator
from smug.physics.parts import image_norm, joined, parts
from tests.operators import OPERATORS, SIZE, Blur, Inpainting, Matrix, images, masks, matrix, sense
from tests.properties import assert_refused


@pytest.fixture(params=OPERATORS)
def made(request):
    build, dtype = OPERATORS[request.param]
    return build(), dtype


def test_every_operator_keeps_the_properties(made):
    A, dtype = made
    facts = check_operator(A, SIZE, dtype, tolerance=1e-10)
    assert facts.norm > 0
    assert facts.numbers <= (2 if dtype.is_complex else 1) * torch.Size(facts.measured).numel()


def test_the_norm_is_bounded_closely(made):
    A, dtype = operator(made[0]), made[1]
    x = images(dtype)
    bound = float(torch.as_tensor(A.norm_bound(x)).max())
    norm = check_operator(A, SIZE, dtype).norm
    assert norm <= bound * (1 + 1e-9)
    assert bound <= 1.1 * norm or bound == 1


def test_solve_agrees_with_the_dense_system(made):
    A, dtype = operator(made[0]), made[1]
    b = images(dtype)
    basis = torch.eye(SIZE[0] * SIZE[1], dtype=dtype).reshape(-1, 1, *SIZE)
    for i in range(2):
        gram = torch.stack([A[i].gram(e) for e in basis]).flatten(1).mT
        expected = torch.linalg.solve(gram + 0.3 * torch.eye(len(gram), dtype=dtype), b[i].flatten())
        found = solve(A, b, 0.3, tolerance=1e-12, max_iterations=500).value[i]
        torch.testing.assert_close(found.flatten(), expected)
        assert found.dtype == dtype


def test_the_gradient_of_solve_is_complete(made):
    A, dtype = operator(made[0]), made[1]
    b, lam = images(dtype).requires_grad_(), torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def value(b, lam):
        return solve(A, b, lam, tolerance=1e-14, max_iterations=500).value

    assert torch.autograd.gradcheck(value, (b, lam), fast_mode=True)
    assert torch.autograd.gradgradcheck(value, (b, lam), fast_mode=True)


def test_an_operators_own_tensors_have_gradients():
    """Those among its attributes that want them, any number of times."""
    b = images(torch.float64)

    def value(M):
        return solve(Matrix(M), b, 0.3, tolerance=1e-14, max_iterations=500).value

    M = matrix(torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(value, M, fast_mode=True)
    assert torch.autograd.gradgradcheck(value, M, fast_mode=True)


class Derived(LinearOperator):
    """A circular blur that computes its response when it is first needed."""

    def __init__(self, kernel):
        self.kernel = kernel

    @cached_property
    def response(self):
        return torch.fft.fft2(self.kernel)

    def __call__(self, image):
        return torch.fft.ifft2(self.response * torch.fft.fft2(image))

    def H(self, y):
        return torch.fft.ifft2(self.response.conj() * torch.fft.fft2(y))


@pytest.mark.parametrize("before", [True, False])
def test_what_is_computed_from_an_own_tensor_has_its_gradient(before):
    kernel, b, along = complex_normal(torch.arange(3), SIZE, torch.complex128)[:, None] / 10

    def energy(kernel):
        A = Derived(kernel)
        if before:
            A(b)
        return solve(A, b, 1.0, tolerance=1e-12).value.abs().square().sum()

    (gradient,) = torch.autograd.grad(energy(kernel.requires_grad_()), kernel)
    step, kernel = 1e-5 * along, kernel.detach()
    difference = (energy(kernel + step) - energy(kernel - step)) / 2e-5
    torch.testing.assert_close((gradient.conj() * along).real.sum(), difference, rtol=1e-6, atol=0)


def test_the_gradient_of_the_maps_is_that_of_any_tensor():
    A, x = sense(), images(torch.complex128, 1)
    w = A.H(A(x) * 1j) + x
    (expected,) = LinearOperator.gram_gradients(A, (A.maps,), w, x)
    (found,) = A.gram_gradients((A.maps,), w, x)
    torch.testing.assert_close(found, expected)


def test_an_object_keeps_what_it_knows_better():
    class Known(Blur):
        def gram(self, image):
            return "its own"

    A = operator(Known())
    assert A.gram(torch.ones(1, *SIZE)) == "its own"
    assert isinstance(A, Known)
    assert repr(A) == "Known"
    assert operator(A) is A


def test_moving_and_indexing():
    A = operator(Blur())
    assert A[0] is A
    assert A.to(torch.float32).response.dtype == torch.complex64
    assert operator(lambda x: x, lambda y: y).to("cpu")(torch.ones(1, 2, 2)).sum() == 4
    assert Inpainting(masks()).to(torch.float32).masks.dtype == torch.bool

    class Own(Inpainting):
        __getitem__ = LinearOperator.__getitem__

    assert_refused(lambda: Own(masks())[0], "Own: is made for 2 images, expected a method __getitem__")


@pytest.mark.parametrize("wrong", [None, len, Blur, torch.ones(2), "A"])
def test_what_is_no_operator_is_refused(wrong):
    for call in (lambda: operator(wrong), lambda: solve(wrong, torch.ones(1, *SIZE), 0.1)):
        assert_refused(call, "A: expected")
    y = torch.ones(1, 3)
    assert_refused(lambda: smug.CGSense()(y, wrong), "A: expected")
    assert_refused(lambda: smug.Scan(y, wrong, None, ("a",)), "A: expected")


def test_measurements_without_a_batch_are_refused():
    assert_refused(
        lambda: smug.CGSense()(torch.ones(5), Blur()), "y: expected real or complex measurements (batch, ...)"
    )
    assert_refused(lambda: smug.CGSense()(torch.ones(3, *SIZE), Inpainting(masks())), "of 2 images")


@pytest.mark.parametrize("parent", [LinearOperator, object])
def test_what_a_class_sets_itself_counts(parent):
    class Own(parent):
        def __init__(self):
            self.sampled, self.batch, self.image_size = torch.arange(SIZE[1]) > 2, 2, SIZE

        def __call__(self, image):
            return image * self.sampled

        H = __call__

    A, y = operator(Own()), torch.ones(2, *SIZE)
    assert A.support(y).sum() == 2 * SIZE[0] * (SIZE[1] - 3)
    assert (A.batch, A.image_size) == (2, SIZE)
    assert_refused(lambda: A.check_measurements(torch.ones(3, *SIZE)), "of 2 images")


class Wrong(LinearOperator):
    """An operator with one mistake, by name."""

    def __init__(self, mistake):
        self.mistake, self.gain = mistake, 2.0

    def __call__(self, image):
        y = self.gain * image
        match self.mistake:
            case "not linear":
                return y + 1
            case "graph cut":
                return y.detach()
            case "batch":
                return y * len(image)
            case "in place":
                return image.mul_(1 + 1e-6) * 2
            case "no batch axis":
                return y[0]
        return y

    def H(self, y):
        match self.mistake:
            case "adjoint":
                return 2.1 * y
            case "another image":
                return y[:, 1:]
        return 2 * y

    def gram(self, image):
        return (5 if self.mistake == "gram" else 4) * image

    @property
    def sampled(self):
        return torch.arange(SIZE[1]) > 2 if self.mistake == "unmeasured" else super().sampled


MISTAKES = {
    "not linear": "A(2 x + z)",
    "graph cut": "gradient of A",
    "batch": "in a batch",
    "in place": "changed in place",
    "no batch axis": "expected a tensor (batch, ...)",
    "adjoint": "<A x, y> = <x, A.H y>",
    "another image": "A.H: expected images",
    "gram": "A.gram",
    "unmeasured": "zero where nothing is measured",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_is_found(mistake):
    assert check_operator(Wrong(""), SIZE).norm == pytest.approx(2)
    assert_refused(lambda: check_operator(Wrong(mistake), SIZE), MISTAKES[mistake])


def test_noise_of_real_tensors_is_real():
    seeds = torch.arange(3)
    drawn = normal(seeds, (50, 40), torch.float64)
    assert drawn.dtype == torch.float64
    assert torch.equal(drawn, complex_normal(seeds, (50, 40), torch.complex128).real)
    assert drawn.std().item() == pytest.approx(1, abs=0.03)


def test_parts_and_back():
    for x in (torch.ones(2, 3), torch.ones(2, 3) * 1j):
        assert torch.equal(joined(parts(x)), x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_the_norm_of_every_image(dtype):
    images = torch.randn(2, 3, 5, 4, dtype=dtype, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(image_norm(images), torch.linalg.vector_norm(images, dim=(-2, -1)))
    assert torch.equal(image_norm(images.conj()), image_norm(images))
