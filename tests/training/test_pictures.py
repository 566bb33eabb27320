from dataclasses import replace

import numpy as np
import pytest
import torch

from smug.data.simulate import Acquisition, simulate
from smug.metrics import psnr
from smug.models.classical import ZeroFilled
from smug.training import pictures
from smug.training.log import LogEntry
from smug.training.pictures import losses_figure, validation_figure, write_losses, write_validation

from ..scans import phantom_scan

pytest.importorskip("matplotlib")


def texts(figure):
    """All that is written in a figure."""
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text)]


def scans_of(count, size=32):
    return [phantom_scan(size, seed=seed) for seed in range(count)]


def reconstructed(scans):
    return [ZeroFilled()(scan.y, scan.A) for scan in scans]


def entries(count, terms=("stability", "reconstruction"), validate_every=10, scale=1.0):
    rng = np.random.default_rng(0)
    return [
        LogEntry(
            update,
            {name: scale * rng.lognormal() / update for name in terms},
            1e-3,
            1.0,
            10.0,
            0.1 * update,
            0.0,
            30 + update / count if update % validate_every == 0 else None,
        )
        for update in range(1, count + 1)
    ]


def test_files_are_written_whole_and_the_same_each_time(tmp_path):
    scans = scans_of(2)
    for name in ("a", "b"):
        write_validation(tmp_path / f"{name}.png", scans, reconstructed(scans))
        write_losses(tmp_path / f"{name}-losses.png", entries(20))
    assert len(list(tmp_path.iterdir())) == 4
    for suffix in (".png", "-losses.png"):
        content = (tmp_path / f"a{suffix}").read_bytes()
        assert content.startswith(b"\x89PNG")
        assert content == (tmp_path / f"b{suffix}").read_bytes()


def test_panels_are_target_reconstruction_and_error_in_the_same_window(device):
    scans = [scan.to(device) for scan in scans_of(3)]
    made = reconstructed(scans)
    figure = validation_figure(scans, made)
    panels = [axis for axis in figure.axes if axis.images and axis.get_label() != "<colorbar>"]
    assert len(panels) == 9
    for row, (scan, image) in enumerate(zip(scans, made, strict=True)):
        target, reconstruction, error = (panels[3 * row + column].images[0] for column in range(3))
        t = scan.truth[0].abs().cpu().double().numpy()
        x = image[0].abs().cpu().double().numpy()
        np.testing.assert_allclose(target.get_array(), t / t.max(), atol=1e-6)
        np.testing.assert_allclose(reconstruction.get_array(), x / t.max(), atol=1e-6)
        np.testing.assert_allclose(error.get_array(), np.abs(x - t) / t.max(), atol=1e-6)
        assert target.get_clim() == reconstruction.get_clim() == (0, 1)
        assert error.get_clim() == (0, 0.2)
        assert {shown.get_cmap().name for shown in (target, reconstruction, error)} == {"gray"}
        titles = [panels[3 * row + column].get_title() for column in range(3)]
        quality = psnr(image, scan.truth).item()
        assert titles == [f"target phantom-{row}", f"reconstruction, {quality:.2f} dB", "error × 5"]
    assert "error / maximum of the target" in texts(figure)


def test_at_most_four_slices_also_of_one_scan():
    many = phantom_scan(count=6)
    figure = validation_figure([many], reconstructed([many]))
    assert sum(text.startswith("target ") for text in texts(figure)) == 4
    one = scans_of(1)
    assert validation_figure(one, reconstructed(one)).get_figheight() < figure.get_figheight() / 3


def test_slices_of_several_shapes_long_names_and_nan():
    wide = simulate(
        torch.ones(1, 16, 48, dtype=torch.complex64), Acquisition(), [1], ["$x$" + "long" * 50 + ", slice 7"]
    )
    scans = [*scans_of(1), wide]
    images = reconstructed(scans)
    images[1] = torch.full_like(images[1], torch.nan)
    figure = validation_figure(scans, images)
    figure.canvas.draw()
    assert any(text.endswith("longlong, slice 7") and len(text) < 40 for text in texts(figure))
    assert "reconstruction, nan dB" in texts(figure)


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="expected at least one scan, got none"):
        validation_figure([], [])
    with pytest.raises(ValueError, match="expected at least one update, got none"):
        losses_figure([])


def test_losses_on_a_log_axis_with_their_running_mean_and_validations():
    rows = entries(200)
    losses, quality = losses_figure(rows).axes
    assert losses.get_yscale() == "log"
    assert losses.get_ylabel() == "loss term (normalised units)"
    assert (quality.get_xlabel(), quality.get_ylabel()) == ("update", "validation PSNR (dB)")
    assert [text.get_text() for text in losses.get_legend().get_texts()] == ["stability", "reconstruction"]
    assert losses.get_legend().get_title().get_text() == "mean of 4 updates"
    raw, mean = losses.lines[:2]
    values = np.array([row.terms["stability"] for row in rows])
    np.testing.assert_array_equal(raw.get_ydata(), values)
    np.testing.assert_allclose(mean.get_ydata(), np.convolve(values, np.ones(4) / 4, "valid"))
    np.testing.assert_allclose(mean.get_xdata(), np.arange(2.5, 199))
    (validations,) = quality.lines
    assert list(validations.get_xdata()) == list(range(10, 201, 10))
    assert validations.get_ydata()[-1] == 31


def test_lines_differ_in_dashes_and_brightness():
    """Terms are told apart without colours."""
    from matplotlib.colors import to_rgb

    losses, _ = losses_figure(entries(20, terms=("a", "b", "c"))).axes
    means = losses.lines[1::2]
    assert len({line.get_linestyle() for line in means}) == 3
    grey = sorted(np.dot(to_rgb(line.get_color()), [0.299, 0.587, 0.114]) for line in means)
    assert min(np.diff(grey)) > 0.2


def test_of_long_runs_the_range_is_drawn(monkeypatch):
    monkeypatch.setattr(pictures, "POINTS", 10)
    rows = entries(95)
    raw = losses_figure(rows).axes[0].lines[0]
    values = [row.terms["stability"] for row in rows]
    assert len(raw.get_ydata()) == 20
    assert raw.get_ydata().min() == min(values)
    assert raw.get_ydata().max() == max(values)


@pytest.mark.parametrize(
    "rows",
    [
        entries(1),
        entries(3, validate_every=5),
        entries(120, terms=tuple("abcdef")),
        entries(3, scale=0.0),
        [replace(row, terms={"stability": 0.0 if row.update < 9 else 1.0}) for row in entries(20)],
        [replace(row, validation_psnr=float("inf")) for row in entries(3)],
    ],
    ids=["one", "not validated", "many terms", "zero", "zero at first", "perfect"],
)
def test_odd_runs_are_drawn(rows, tmp_path):
    write_losses(tmp_path / "losses.png", rows)
    assert (tmp_path / "losses.png").stat().st_size > 1000
