import numpy as np
import pytest
import torch

from benchmarks.measured.pictures import Strip, picture
from smug.data.geometry import Geometry
from smug.data.phantom import head_phantom
from smug.metrics import head_mask
from smug.reports.figure import white_level


@pytest.mark.parametrize(("size", "factor"), [(0.005, 50), (0.04, 20), (0.3, 2), (3, 1)])
def test_images_are_cut_to_the_head_and_errors_fit_the_window(size, factor):
    t = head_phantom(0, 64)
    head = head_mask(t[None])[0]
    images = {"best tv": t.abs() + size, "a $model$": t}
    strips = [Strip(f"{rate}x", images, dict.fromkeys(images, "1 dB")) for rate in (3, 4)]
    figure = picture(strips, t, head, geometry=Geometry.spaced(), title="scan")
    above, below = figure.axes[:3], figure.axes[3:6]
    assert [axis.get_title() for axis in above] == ["reference", "best tv", "a $model$"]
    assert (above[0].get_ylabel(), below[0].get_ylabel()) == ("3x", f"errors x {factor}")
    assert f"times {factor}" in figure.get_suptitle() and len(figure.axes) == 12
    white = white_level(t.abs().double().numpy())
    y, x = (slice(where.min(), where.max() + 1) for where in np.nonzero(head.numpy()))
    for axis in (*above, *below[1:]):
        (image,) = axis.get_images()
        assert image.get_clim() == pytest.approx((0, white))
    np.testing.assert_allclose(above[0].get_images()[0].get_array(), t.abs()[y, x])
    np.testing.assert_allclose(below[1].get_images()[0].get_array(), factor * size, rtol=1e-3)
    assert not below[2].get_images()[0].get_array().any()
    assert torch.equal(t, head_phantom(0, 64))
