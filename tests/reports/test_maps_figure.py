import numpy as np
import pytest
import torch

from smug.data.phantom import head_phantom
from smug.physics.fourier import fft2c
from smug.physics.maps.eigenvectors import espirit
from smug.physics.maps.simulated import simulated_maps
from smug.reports.maps_figure import RESIDUAL_LIMIT, maps_figure, unexplained
from smug.system.figures import write_figure

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def slice_of():
    """Maps, coil images and eigenvalues of one slice."""

    def make(coils=4, size=(48, 40)):
        truth = simulated_maps(coils, *size, seed=0)
        images = truth * head_phantom(0, size)
        images = images + 0.01 * torch.randn(
            images.shape, dtype=images.dtype, generator=torch.Generator().manual_seed(0)
        )
        result = espirit(fft2c(images), torch.ones(1, size[1], dtype=torch.bool))
        return result.maps[0], images[0], result.eigenvalues[0]

    return make


def texts(figure):
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


def panels(figure):
    """The images shown, in the order of drawing."""
    return [axis.images[0] for axis in figure.axes if axis.images and axis.get_label() != "<colorbar>"]


def test_unexplained_is_the_projection_on_what_is_orthogonal_to_the_maps(generator, device):
    s, m = torch.randn(2, 5, 3, 4, dtype=torch.complex128, generator=generator, device=device)
    s = s / torch.linalg.vector_norm(s, dim=0)
    projection = torch.eye(5, device=device) - torch.einsum("cyx,dyx->yxcd", s, s.conj())
    rest = torch.linalg.vector_norm((projection @ m.permute(1, 2, 0)[..., None])[..., 0], dim=-1)
    torch.testing.assert_close(unexplained(s, m), rest / torch.linalg.vector_norm(m, dim=0))


def test_unexplained_is_nothing_of_the_model_and_all_without_maps(generator, device):
    s = simulated_maps(3, 6, 5, seed=0)[0].to(device)
    image = torch.randn(6, 5, dtype=torch.complex64, generator=generator, device=device)
    torch.testing.assert_close(unexplained(s, s * image), torch.zeros(6, 5, device=device), atol=1e-6, rtol=0)
    torch.testing.assert_close(unexplained(0 * s, s * image), torch.ones(6, 5, device=device))
    assert not unexplained(s, 0 * s).any()


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_file_is_written_and_the_same_each_time(slice_of, tmp_path, suffix):
    for name in ("a", "b"):
        write_figure(tmp_path / f"{name}{suffix}", maps_figure(*slice_of()))
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert first[:4] in (b"\x89PNG", b"%PDF")
    assert first == second


def test_shows_what_it_says(slice_of):
    maps, images, eigenvalues = slice_of()
    figure = maps_figure(maps, images, eigenvalues, title="$A title")
    shown = panels(figure)
    assert len(shown) == 4 + 4 + 3
    for c in range(4):
        np.testing.assert_allclose(shown[c].get_array(), maps[c].abs(), atol=1e-6)
        phase = np.ma.masked_invalid(shown[4 + c].get_array())
        np.testing.assert_allclose(phase.compressed(), maps[c].angle().numpy()[~phase.mask], atol=1e-6)
        assert (maps[c].abs().numpy()[phase.mask] < 0.05 + 1e-6).all()
    np.testing.assert_allclose(shown[-2].get_array(), eigenvalues)
    residual = np.ma.masked_invalid(shown[-1].get_array())
    assert 0.1 < residual.mask.mean() < 0.9
    np.testing.assert_allclose(residual.compressed(), unexplained(maps, images).numpy()[~residual.mask], atol=1e-6)
    limits = [image.get_clim() for image in shown]
    assert limits == [(0, 1)] * 4 + [(-np.pi, np.pi)] * 4 + [(0, 1), (0, 1), (0, RESIDUAL_LIMIT)]
    for expected in ("$A title", "magnitude of the maps", "phase", "eigenvalue", "residual outside the model", "% of"):
        assert expected in texts(figure)


def test_says_how_much_is_outside_the_model(slice_of):
    """Of coil images of equal energy in the model and outside it, half."""
    s = simulated_maps(2, 32, 32, seed=0)[0]
    orthogonal = torch.stack([-s[1].conj(), s[0].conj()])
    figure = maps_figure(s, s + orthogonal)
    assert "50.00 % of the energy of the object is outside the model" in texts(figure)
    assert "dashed" not in texts(figure)
    s[:, :8] = 0
    assert "cover 75 % of the field of view, within the dashed line" in texts(maps_figure(s, s + orthogonal))


@pytest.mark.parametrize(("coils", "size"), [(1, (16, 40)), (3, (40, 16)), (17, (24, 24))])
def test_any_number_of_coils_and_any_shape(slice_of, coils, size):
    maps, images, eigenvalues = slice_of(coils, size)
    for figure, count in (
        (maps_figure(maps, images, eigenvalues), 2 * coils + 3),
        (maps_figure(maps, images), 2 * coils + 2),
    ):
        assert len(panels(figure)) == count
        boxes = [axis.get_position() for axis in figure.axes]
        assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
        for i, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:i])
        width, height = figure.get_size_inches()
        pixel = [box.width * width / size[1] / (box.height * height / size[0]) for box in boxes if box.width > 0.05]
        np.testing.assert_allclose(pixel, 1)


def test_nothing_to_show(slice_of):
    maps, images, eigenvalues = slice_of()
    figure = maps_figure(0 * maps, 0 * images, 0 * eigenvalues)
    figure.canvas.draw()
    assert "0.00 % of the energy" in texts(figure)


def test_not_blank(slice_of):
    figure = maps_figure(*slice_of())
    figure.canvas.draw()
    rgb = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    assert len(np.unique(rgb.reshape(-1, 3), axis=0)) > 300


def test_refuses(slice_of):
    maps, images, eigenvalues = slice_of()
    for wrong in ((maps[None], images[None]), (maps, images[:2]), (maps[:0], images[:0])):
        with pytest.raises(ValueError, match=r"got maps .* expected \(coil, y, x\) of both"):
            maps_figure(*wrong)
    with pytest.raises(ValueError, match="got eigenvalues"):
        maps_figure(maps, images, eigenvalues[None])


def test_leaves_pyplot_alone(slice_of):
    import sys

    maps_figure(*slice_of())
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        assert pyplot.get_fignums() == []
