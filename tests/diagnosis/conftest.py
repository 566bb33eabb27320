"""One small slice in double precision."""

import pytest
import torch

from smug.data.scan import Scan

from ..scans import tiny_scan


@pytest.fixture
def scan(device: torch.device) -> Scan:
    return tiny_scan(1, height=16, width=14, seed=1, device=device)
