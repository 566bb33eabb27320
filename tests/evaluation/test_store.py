import dataclasses
import math
from copy import deepcopy

import pytest
import torch

from smug import zoo
from smug.data.simulate import Acquisition
from smug.evaluation import store as store_module
from smug.evaluation.conditions import Condition, Perturbed, clean, noisy
from smug.evaluation.datasets import simulated_set
from smug.evaluation.row import Row
from smug.evaluation.scoring import score
from smug.evaluation.store import RowStore, cache_folder, fingerprint
from smug.models.adapters import as_complex, clamped
from smug.models.classical import CGSense, ZeroFilled
from smug.models.nonexpansive import Nonexpansive, modulus_clipped
from smug.models.normalised import normalised
from smug.models.reconstructors import SMUG, MoDL
from smug.models.smoothing import Smoothing
from smug.models.unet import UNet
from smug.models.weight_encoder import WeightEncoder
from smug.physics.sense import Sense


@pytest.fixture(scope="module")
def scans():
    return simulated_set("phantom", "test", 32, Acquisition(coils=2), count=2).scans


class Counting:
    """A condition that counts how often it is applied."""

    def __init__(self, recipe="counted"):
        self.calls = 0
        self.condition = Condition("counted", "", self, recipe)

    def __call__(self, f, scan, seeds):
        self.calls += 1
        return Perturbed(scan)


def test_nothing_is_scored_twice(scans, tmp_path):
    counted, store = Counting(), RowStore(tmp_path)
    first = score({"cg": CGSense()}, [counted.condition], scans, store=store)
    assert counted.calls == 2
    again = score({"another name": CGSense()}, [counted.condition], scans, store=store)
    assert counted.calls == 2
    assert [dataclasses.replace(row, model="cg") for row in again] == first
    without = score({"cg": CGSense()}, [counted.condition], scans)
    assert without == first


def test_a_stopped_evaluation_goes_on_where_it_was(scans, tmp_path):
    counted, store = Counting(), RowStore(tmp_path)
    score({"cg": CGSense()}, [counted.condition], scans[:1], store=store)
    score({"cg": CGSense()}, [counted.condition], scans, store=store)
    assert counted.calls == 2


@pytest.mark.parametrize(
    "changes",
    [{"lam": 0.02}, {"seed": 1}, {"draws": 2}, {"recipe": "other"}, {"scan": 1}],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_the_rows_depend_on_is_in_the_address(scans, tmp_path, changes):
    def address(lam=0.01, seed=0, draws=1, recipe="counted", scan=0):
        return RowStore(tmp_path).address(CGSense(lam), Counting(recipe).condition, scans[scan], seed, draws)

    assert address() == address()
    assert address(**changes) != address()


def test_lines_that_are_never_encoded_are_in_the_address(scans, tmp_path):
    lines = torch.ones(1, scans[0].y.shape[-1], dtype=torch.bool)
    lines[:, 0] = False
    padded = [dataclasses.replace(scans[0], encoded=encoded) for encoded in (None, lines, lines.roll(1))]
    assert len({RowStore(tmp_path).address(CGSense(), Counting().condition, scan, 0, 1) for scan in padded}) == 3


def test_images_are_kept_where_they_are_wanted(scans, tmp_path):
    counted, store = Counting(), RowStore(tmp_path)
    score({"cg": CGSense()}, [counted.condition], scans[:1], store=store)
    kept = []
    score({"cg": CGSense()}, [counted.condition], scans[:1], store=store, keep=kept.append)
    assert counted.calls == 2  # there were no images
    read = []
    score({"cg": CGSense()}, [counted.condition], scans[:1], store=store, keep=read.append)
    assert counted.calls == 2
    assert torch.equal(read[0].image, kept[0].image)
    assert torch.equal(read[0].target, kept[0].target)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"rows": [{"model": 1}]}', b"\xff\xfe"], ids=repr)
def test_a_damaged_row_is_scored_again(scans, tmp_path, damage):
    counted, store = Counting(), RowStore(tmp_path)
    rows = score({"cg": CGSense()}, [counted.condition], scans[:1], store=store)
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(damage)
    assert score({"cg": CGSense()}, [counted.condition], scans[:1], store=store) == rows
    assert counted.calls == 2


def test_fingerprints_tell_weights_and_settings_apart():
    torch.manual_seed(0)
    network, other = UNet(channels=4), UNet(channels=4)
    with torch.no_grad():
        next(other.parameters()).add_(1e-3)
    models = [
        MoDL(network),
        MoDL(other),
        MoDL(network, steps=4),
        MoDL(network, lam=torch.tensor(0.5)),
        SMUG(network),
        SMUG(network, Smoothing(num_samples=0)),
        normalised(MoDL(network)),
        CGSense(),
        ZeroFilled(),
    ]
    prints = [fingerprint(f) for f in models]
    assert None not in prints
    assert len(set(prints)) == len(prints)
    assert fingerprint(MoDL(network)) == prints[0]


@pytest.mark.parametrize(
    ("network", "setting"),
    [
        (lambda: Nonexpansive(4, 1), "step"),
        (lambda: WeightEncoder(), "minimum"),
        (lambda: clamped(Nonexpansive(4, 1), 1.0), "limit"),
        (lambda: modulus_clipped(Nonexpansive(4, 1), 1.0), "limit"),
    ],
)
def test_fingerprints_tell_numbers_of_networks_that_are_no_weights(network, setting):
    torch.manual_seed(0)
    one = network()
    other = deepcopy(one)
    assert fingerprint(MoDL(one)) == fingerprint(MoDL(other))
    setattr(other, setting, getattr(other, setting) / 2)
    assert fingerprint(MoDL(one)) != fingerprint(MoDL(other))
    assert fingerprint(MoDL(one)) == fingerprint(MoDL(deepcopy(one).eval()))


def test_rows_of_other_code_are_not_taken(scans, tmp_path, monkeypatch):
    counted = Counting()
    for code in ("old", "new", "old"):
        monkeypatch.setattr(store_module, "code_hash", lambda code=code: code)
        score({"cg": CGSense()}, [counted.condition], scans[:1], store=RowStore(tmp_path))
    assert counted.calls == 2


def test_shipped_models_are_told_apart():
    prints = {fingerprint(zoo.load(name)) for name in zoo.SHIPPED}
    assert None not in prints
    assert len(prints) == len(zoo.SHIPPED)


def test_what_could_be_anything_is_not_stored(scans, tmp_path):
    assert fingerprint(lambda y, A: A.H(y)) is None
    assert fingerprint(MoDL(lambda x: x)) is None
    assert fingerprint(normalised(lambda y, A, generator=None: A.H(y))) is None
    score({"mine": lambda y, A: A.H(y)}, [clean()], scans, store=RowStore(tmp_path))
    assert not list(tmp_path.iterdir())

    def mine(y, A):
        return A.H(y)

    mine.fingerprint = "version 1"
    score({"mine": mine}, [clean()], scans, store=RowStore(tmp_path))
    assert len(list(tmp_path.rglob("*.json"))) == 2


def test_rows_survive_json():
    row = Row("m", "c", "s", 1.0, 0.5, 0.1, math.inf, 0.0, attack="PGD", flags=("zero-gradient",), subject="anna")
    read = Row.from_json(row.to_json())
    assert math.isnan(read.psnr_complex)
    assert dataclasses.replace(read, psnr_complex=math.inf) == row


def test_noise_is_stored_by_its_level(scans, tmp_path):
    store = RowStore(tmp_path)
    rows = score({"cg": CGSense()}, [noisy(0.01), noisy(0.02)], scans[:1], store=store)
    assert score({"cg": CGSense()}, [noisy(0.02)], scans[:1], store=store) == rows[1:]


def test_the_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = cache_folder()
    assert folder is not None
    assert folder.parent == tmp_path / "smug" / "rows"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the specification says to ignore
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "smug" / "rows" / folder.name


def test_a_folder_that_refuses_rows_stops_nothing_and_is_told_once(scans, tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("")
    rows = score({"cg": CGSense()}, (clean(), noisy(0.01)), scans, store=RowStore(blocked / "rows"))
    assert len(rows) == 2 * len(scans)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "from here on rows are not kept" in caplog.text


def test_networks_of_users_are_not_told_apart_by_their_weights():
    class Own(torch.nn.Module):
        def forward(self, x):
            return x

    assert fingerprint(MoDL(as_complex(Own()), steps=1)) is None
    assert fingerprint(MoDL(as_complex(torch.nn.Conv2d(2, 2, 3, padding=1)), steps=1)) is not None


def test_what_users_have_changed_in_a_network_is_not_stored():
    """Hooks and methods that are put in the place of others are in no setting and no weight."""

    def network():
        return UNet(4)

    hooked, patched = network(), network()
    hooked.register_forward_hook(lambda module, inputs, result: result.round())
    patched.forward = lambda x: x
    assert fingerprint(MoDL(network(), steps=1)) is not None
    assert fingerprint(MoDL(hooked, steps=1)) is None
    assert fingerprint(MoDL(patched, steps=1)) is None


def test_buffers_that_are_not_saved_are_told_apart():
    def shifted(by):
        layer = torch.nn.Identity()
        layer.register_buffer("shift", torch.tensor(by), persistent=False)
        return fingerprint(MoDL(layer, steps=1))

    assert shifted(0.0) is not None
    assert shifted(0.0) != shifted(1.0)


def test_records_of_users_are_code_of_users(scans, tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Mine:
        strength: float = 1.0

        def __call__(self, y, A, generator=None):
            return self.strength * A.H(y)

    assert fingerprint(Mine()) is None
    assert fingerprint(normalised(Mine())) is None
    score({"mine": Mine()}, [clean()], scans, store=RowStore(tmp_path))
    assert not list(tmp_path.iterdir())


def test_operators_of_users_inherit_no_address(scans, tmp_path):
    class Halved(Sense):
        def __call__(self, image):
            return super().__call__(image) / 2

    class Told(Halved):
        @property
        def fingerprint(self):
            return (self.mask, self.maps, torch.tensor(0.5))

    def address(kind):
        scan = dataclasses.replace(scans[0], A=kind(scans[0].A.mask, scans[0].A.maps))
        return RowStore(tmp_path).address(CGSense(), clean(), scan, 0, 1)

    assert address(Halved) is None
    assert None not in {address(Sense), address(Told)}
    assert address(Sense) != address(Told)
