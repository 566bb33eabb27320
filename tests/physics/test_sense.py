import pytest
import torch

from smug.physics.factor import spectrum
from smug.physics.maps.simulated import simulated_maps
from smug.physics.sense import Sense

from ..properties import assert_adjoint, assert_refused
from ..scans import dense
from .conftest import image_shape, random_maps, random_mask


def test_adjoint(A, image, randn):
    assert_adjoint(A, A.H, image, randn(*A(image).shape))


def test_shapes_and_leading_axes(A, image, randn):
    batch, height, width = image_shape(A)
    assert A(image).shape == (batch, A.maps.shape[1], height, width)
    stacked = randn(3, *image.shape)
    torch.testing.assert_close(A(stacked)[1], A(stacked[1]))
    torch.testing.assert_close(A.H(A(stacked))[2], A.H(A(stacked[2])))
    torch.testing.assert_close(A.gram(stacked)[0], A.gram(stacked[0]))


def test_gram_is_adjoint_times_operator(A, image):
    torch.testing.assert_close(A.gram(image), A.H(A(image)))


@pytest.mark.parametrize("images", [0.5, 1, 2, 1000])
def test_gram_does_not_depend_on_how_much_is_made_at_a_time(images, A, image, randn, monkeypatch):
    several = randn(3, *image.shape)
    expected = A.H(A(several))
    monkeypatch.setattr("smug.physics.working_set.BYTES", {several.device.type: int(images * image.nbytes)})
    torch.testing.assert_close(A.gram(several), expected)


class Doubled(Sense):
    def __call__(self, image):
        return 2 * super().__call__(image)

    def H(self, kspace):
        return 2 * super().H(kspace)


class Told(Doubled):
    def norm_bound(self, image):
        return 2.0


def test_what_is_known_of_it_is_not_known_of_a_class_that_measures_otherwise(A, image):
    other = Doubled(A.mask, A.maps.requires_grad_())
    torch.testing.assert_close(other.gram(image), other.H(other(image)))
    torch.testing.assert_close(other.gram_of(other.differentiated, image), other.gram(image))
    along = torch.autograd.grad(other(image).abs().square().sum() / 2, A.maps)[0]
    torch.testing.assert_close(other.gram_gradients(other.differentiated, image, image)[0] / 2, along)
    assert A.operator_norm().max() * 2 <= torch.as_tensor(other.norm_bound(image)).max() * 1.01
    assert [float(end) for end in other.singular_intervals()[:2]] == [0, torch.inf]
    assert Told(A.mask, A.maps).norm_bound(image) == 2


def test_adjoint_masks_its_input(A, image, randn):
    kspace = randn(*A(image).shape)
    torch.testing.assert_close(A.H(kspace), A.H(A.sampled * kspace))
    assert not A(image)[~A.sampled.expand_as(kspace)].any()


def test_each_slice_alone(A, image):
    for i in range(image.shape[0]):
        torch.testing.assert_close(A[i](image[i : i + 1]), A(image)[i : i + 1])
    torch.testing.assert_close(A[-1](image[-1:]), A(image)[-1:])


def test_operator_norm(A, image):
    height = image.shape[-2]
    exact = torch.stack([torch.linalg.matrix_norm(dense(A, i, height), 2) for i in range(A.batch)])
    torch.testing.assert_close(A.operator_norm(500).to(exact.dtype), exact, rtol=1e-4, atol=1e-6)
    assert (exact <= 1 + 1e-9).all()


def test_single_precision_is_kept(device):
    A = Sense(random_mask(1, 8), simulated_maps(2, 6, 8, seed=0)).to(device)
    image = torch.randn(1, 6, 8, dtype=torch.complex64, device=device)
    assert A(image).dtype == A.H(A(image)).dtype == A.gram(image).dtype == torch.complex64


def test_spectrum_of_lines_is_that_of_the_matrix(device):
    A = Sense(random_mask(2, 9), random_maps(2, 3, 6, 9)).to(device)
    for i, values in enumerate(spectrum(A)):
        exact = torch.linalg.svdvals(dense(A, i, 6)).flip(0).square()
        torch.testing.assert_close(values, exact, atol=1e-10, rtol=1e-8)


@pytest.mark.parametrize(
    ("mask", "maps", "message"),
    [
        (torch.ones(1, 8), None, "expected bool"),
        (torch.ones(8, dtype=torch.bool), None, "expected bool"),
        (torch.zeros(2, 8, dtype=torch.bool), None, "at least one sampled"),
        (torch.ones(0, 8, dtype=torch.bool), None, "at least one sampled"),
        (torch.ones(1, 8, dtype=torch.bool), torch.ones(1, 0, 8, 8, dtype=torch.complex64), "at least one coil"),
        (torch.ones(6, 8, dtype=torch.bool), random_maps(2, 2, 6, 8), r"needs a batch axis|does not fit"),
        (torch.ones(1, 8, dtype=torch.bool), random_maps(2, 2, 6, 7), "does not fit"),
        (torch.ones(1, 8, dtype=torch.bool), 2 * random_maps(2, 2, 6, 8), "<= 1 at every pixel"),
        (torch.ones(1, 8, dtype=torch.bool), random_maps(2, 2, 6, 8) * torch.nan, "<= 1 at every pixel"),
        (torch.ones(1, 8, dtype=torch.bool), random_maps(2, 2, 6, 8).real, "expected complex"),
    ],
)
def test_bad_operators_are_refused(mask, maps, message):
    with pytest.raises(ValueError, match=message):
        Sense(mask, maps)


def test_bad_images_are_refused(randn):
    A = Sense(random_mask(2, 8), random_maps(2, 2, 6, 8))
    for bad in (randn(6, 8), randn(3, 6, 8), randn(2, 6, 7), randn(2, 6, 8).real):
        assert_refused(lambda: A(bad), "image: expected complex")
    for bad in (randn(2, 6, 8), randn(2, 3, 6, 8), randn(2, 2, 6, 8).real):
        assert_refused(lambda: A.H(bad), "k-space: expected complex")


def test_one_two_dimensional_mask_without_a_batch_axis_is_refused(randn):
    mask = torch.ones(6, 8, dtype=torch.bool)
    assert_refused(lambda: Sense(mask, random_maps(1, 2, 6, 8)), "needs a batch axis: mask[None]")
    assert_refused(lambda: Sense(mask)(randn(1, 6, 8)), "image: expected complex")
    assert_refused(lambda: Sense(mask).H(randn(1, 1, 6, 8)), "k-space: expected complex")


def test_indexing_ends_and_iteration_is_refused():
    A = Sense(random_mask(2, 8), random_maps(1, 2, 6, 8))
    with pytest.raises(IndexError):
        A[2]
    assert_refused(lambda: list(A), "not iterable", error=TypeError)


def test_operator_norm_without_the_centre_of_k_space(device):
    mask = torch.zeros(1, 7, 8, dtype=torch.bool, device=device)
    mask[0, 0, 1] = mask[0, 6, 3] = True
    torch.testing.assert_close(Sense(mask).operator_norm(), torch.ones(1, device=device), rtol=1e-4, atol=0)
