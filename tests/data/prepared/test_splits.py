import pytest
from hypothesis import given
from hypothesis import strategies as st

from smug.data.prepared.splits import SPLITS, assigned, check_fractions, named_split, subject_of

subjects = st.sets(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), min_size=1, max_size=30)
USUAL = (0.8, 0.1, 0.1)


@given(subjects, st.integers(0, 5))
def test_every_subject_has_a_split_and_every_split_a_subject(names, seed):
    splits = assigned(names, USUAL, seed, {})
    assert splits.keys() == names
    assert set(splits.values()) == set(SPLITS[: len(names)]) if len(names) < 3 else set(splits.values()) == set(SPLITS)


@given(subjects, subjects)
def test_nobody_changes_sides_when_others_are_added(first, more):
    before = assigned(first, USUAL, 0, {})
    after = assigned(first | more, USUAL, 0, before)
    assert {name: after[name] for name in first} == before


@given(subjects)
def test_a_split_of_fraction_zero_stays_empty(names):
    assert "test" not in assigned(names, (0.5, 0.5, 0.0), 0, {}).values()
    assert set(assigned(names, (0.0, 0.0, 1.0), 0, {}).values()) == {"test"}


def test_fractions_are_kept_and_the_seed_matters():
    names = [f"subject-{i}" for i in range(2000)]
    one, other = (assigned(names, (0.6, 0.3, 0.1), seed, {}) for seed in (0, 1))
    counts = [list(one.values()).count(split) / len(names) for split in SPLITS]
    assert counts == pytest.approx([0.6, 0.3, 0.1], abs=0.03)
    assert one != other


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("multicoil_train/file1.h5", "train"),
        ("knee_multicoil_val_batch_0/x/file1.h5", "val"),
        ("multicoil_test_v2/file1.h5", "test"),
        ("Validation/a.png", "val"),
        ("train.h5", "train"),
        ("brain_test.nii.gz", "test"),
        ("train/test_subject.h5", "train"),
        ("contest/trained/evaluation.h5", None),
        ("file.train", None),
    ],
)
def test_splits_that_names_say(file, split):
    assert named_split(file) == split


@pytest.mark.parametrize(
    ("file", "subject"),
    [
        ("file1.h5", "file1.h5"),
        ("train/file1.h5", "train/file1.h5"),
        ("p1/T1.nii.gz", "p1"),
        ("p1/T2.nii.gz", "p1"),
        ("train/p1/T1.nii.gz", "train/p1"),
        ("sub-03/ses-1/anat/sub-03_T1w.nii.gz", "sub-03"),
        ("sub-03_T1w.nii.gz", "sub-03"),
    ],
)
def test_subjects_that_paths_say(file, subject):
    assert subject_of(file) == subject


@pytest.mark.parametrize("fractions", [(0.8, 0.1), (0.8, 0.1, 0.2), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)])
def test_fractions_that_are_none(fractions):
    with pytest.raises(ValueError, match="add up to 1"):
        check_fractions(fractions)
