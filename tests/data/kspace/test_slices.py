"""How large a slice of k-space may be."""

import pytest

from smug.data.kspace.sampling import MAX_MASK_BYTES, MAX_SLICE_BYTES, check_mask, check_slice


def test_sizes_are_bounded():
    check_slice((1, 1, MAX_SLICE_BYTES // 8), "here")
    with pytest.raises(ValueError, match=r"here: got slices of 2 x 1 x 134217728 \(coil, y, x\), 2.0 GiB each"):
        check_slice((2, 1, MAX_SLICE_BYTES // 8), "here")
    check_mask((1, 1, MAX_MASK_BYTES), "here")
    with pytest.raises(ValueError, match="here: got 2 slices, too many"):
        check_mask((2, 1, MAX_MASK_BYTES), "here")
