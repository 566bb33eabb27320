"""The training range: of configurations, of data that are loaded, and in files of weights."""

import json
from dataclasses import asdict, replace
from math import pi

import h5py
import pytest

from benchmarks.prepare import write_volume
from smug.data.phantom import head_phantom
from smug.data.prepared.full_volume import Settings
from smug.data.prepared.prepare import prepare
from smug.data.simulate import Acquisition
from smug.models.denoisers import NetworkConfig
from smug.physics.masks import random_lines
from smug.reconstruction import range_warnings
from smug.training import runs
from smug.training.batches import load_training_data
from smug.training.config import Config, DataConfig
from smug.training.configured import build
from smug.training_range import TrainingRange

ACQUISITION = Acquisition(coils=4, acceleration=2.0, center_fraction=0.2, noise=0.02)
IMAGES = DataConfig(("phantom", "phantom"), size=24, zooms=(1, 2), count=4, validation=2, acquisition=ACQUISITION)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    volumes = [("train/a", 2, 32), ("train/b", 3, 40), ("val/c", 5, 48)]
    for seed, (name, coils, width) in enumerate(volumes):
        write_volume(folder / "source" / f"{name}.h5", 1, coils, (32, width), seed=seed)
    prepare(folder / "source", folder / "knees", Settings(maps="calibration"))
    return str(folder / "knees")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    for number, split in enumerate(("train", "val")):
        path = folder / "images" / split / f"{split}.h5"
        path.parent.mkdir(parents=True)
        with h5py.File(path, "w") as file:
            file[split] = head_phantom(number, 16).abs()[None].numpy()
    prepare(folder / "images", folder / "heads", Settings(simulate=Acquisition(coils=6, noise=0.005)))
    return str(folder / "heads")


def test_of_images():
    expected = TrainingRange(
        sources=("phantom",),
        matrices=((24, 24),),
        coils=(4,),
        accelerations=(2.0,),
        masks=("random",),
        noise=(0.02,),
        zoomed=(24, 48),
        center_fractions=(0.2,),
        phases=(1.0,),
        profile_widths=(1.2,),
        maps=("exact",),
        backgrounds=(0.0,),
    )
    assert IMAGES.range == load_training_data(IMAGES).range == expected


def test_of_prepared_slices_it_is_their_own_and_of_the_train_split(measured):
    data = load_training_data(replace(IMAGES, sources=(measured,)))
    assert data.range == TrainingRange(
        sources=("knees",),
        matrices=((32, 32), (32, 40)),
        coils=(2, 3),
        accelerations=(2.0,),
        masks=("random",),
        center_fractions=(0.2,),
        phases=(pi,),
        maps=("calibration",),
    )


def test_of_several_kinds_of_data_it_is_what_any_of_them_has(measured, simulated):
    found = load_training_data(replace(IMAGES, sources=(measured, "phantom", simulated + "/"))).range
    assert found == TrainingRange(
        sources=("heads", "knees", "phantom"),
        matrices=((16, 16), (24, 24), (32, 32), (32, 40)),
        coils=(2, 3, 4, 6),
        accelerations=(2.0,),
        masks=("random",),
        noise=(0.005, 0.02),
        zoomed=(24, 48),
        center_fractions=(0.2,),
        phases=(1.0, pi),
        profile_widths=(1.2,),
        maps=("calibration", "exact"),
        backgrounds=(0.0,),
    )
    assert TrainingRange.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("matrix", "inside"),
    [((24, 24), True), ((48, 48), True), ((32, 40), True), ((24, 50), False), ((16, 24), False), ((64, 64), False)],
)
def test_pixels_between_those_of_zoomed_images_are_inside(matrix, inside):
    assert IMAGES.range.has_matrix(*matrix) == inside


def test_without_zooms_only_matrices_that_occurred_are_inside(measured):
    data = load_training_data(replace(IMAGES, sources=(measured, "phantom"), zooms=(1,)))
    assert all(data.range.has_matrix(*matrix) for matrix in ((24, 24), (32, 32), (32, 40)))
    assert not any(data.range.has_matrix(*matrix) for matrix in ((24, 32), (40, 32), (28, 28), (32, 36)))


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{}", "nonsense", "[" * 100_000, '{"sources": 7}', IMAGES.range.to_json()[:-1]]
)
def test_what_is_no_training_range_is_refused(text):
    with pytest.raises(ValueError, match="expected the JSON of a training range"):
        TrainingRange.from_json(text)


@pytest.fixture
def stored(tmp_path):
    """Write weights with notes and read them."""
    config = Config(network=NetworkConfig(channels=4, depth=1), data=IMAGES)

    def store(**notes: str) -> runs.Model:
        runs.save_weights(tmp_path / "weights.safetensors", build(config), config, notes)
        return runs.load_weights(tmp_path / "weights.safetensors")

    return store


def test_weights_tell_their_range(stored, measured):
    found = load_training_data(replace(IMAGES, sources=(measured,))).range
    assert stored(range=found.to_json()).training_range() == found
    assert stored().training_range() == IMAGES.range
    with pytest.raises(ValueError, match="weights: its training range: expected the JSON"):
        _ = stored(range="7").training_range()


def test_warnings_are_true_to_what_was_trained_on(stored, measured):
    found = load_training_data(replace(IMAGES, sources=(measured,), zooms=(1,))).range
    model, mask = stored(range=found.to_json()), random_lines(40, 2.0, 0.2, seed=0)
    assert range_warnings(model, (3, 32, 40), mask) == []
    assert range_warnings(model, (2, 32, 32), mask[:, 4:-4], acceleration=2.1) == []
    [warning] = range_warnings(model, (3, 40, 40), mask)
    assert warning == "matrix size: got 40 x 40, outside the training range of the weights (32 x 32, 32 x 40)."
    [warning] = range_warnings(model, (4, 32, 40), mask)
    assert warning == "number of coils: got 4, outside the training range of the weights (2, 3)."


def test_warnings_of_a_model_of_zoomed_images(stored):
    model, mask = stored(), random_lines(48, 2.0, 0.2, seed=0)
    assert range_warnings(model, (4, 48, 48), mask) == []
    [warning] = range_warnings(model, (4, 16, 48), mask)
    assert "(24 x 24, parts of images 24 to 48 wide)" in warning
    many = replace(IMAGES.range, zoomed=(), matrices=tuple((32, width) for width in range(32, 42, 2)))
    [warning] = range_warnings(stored(range=many.to_json()), (4, 48, 48), mask)
    assert "(32 x 32, 32 x 34, 32 x 36, 2 others)" in warning


def test_files_from_before_are_completed_by_their_configuration(stored, measured):
    later = ("center_fractions", "phases", "profile_widths", "maps", "backgrounds", "acceleration_spans")

    def before(found):
        return json.dumps({name: value for name, value in asdict(found).items() if name not in later})

    assert stored(range=before(IMAGES.range)).training_range() == IMAGES.range
    found = load_training_data(replace(IMAGES, sources=(measured,))).range
    expected = replace(found, phases=(), maps=())
    assert stored(range=before(found)).training_range() == expected
