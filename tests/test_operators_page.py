"""The page on operators runs, on smaller images, and its operator of twenty lines is what it says."""

import re
from pathlib import Path

import torch

import smug

PAGE = Path(__file__).parents[1] / "docs" / "operators.md"


def test_the_page_runs_and_shows_what_it_says():
    page = PAGE.read_text(encoding="utf-8")
    cells = re.findall(r"```\{code-cell\} ipython3\n(.*?)```", page, flags=re.DOTALL)
    names = {}
    with torch.random.fork_rng():
        for cell in cells:
            small = cell.replace("48", "32").replace("iterations=100", "iterations=40")
            exec(compile(small, str(PAGE), "exec"), names)  # noqa: S102
    own = page[page.index("class Tomograph") : page.index("A = Tomograph")]
    code = [line for line in own.splitlines() if line.strip() and '"""' not in line]
    assert len(code) <= 20
    scan, models = names["scan"], names["models"]
    psnrs = {name: float(smug.metrics.psnr(f(scan.y, scan.A).detach(), scan.truth)) for name, f in models.items()}
    assert min(psnrs.values()) > float(smug.metrics.psnr(scan.A.H(scan.y), scan.truth)) + 2
    assert psnrs["TV"] > psnrs["CG"]
    rows = names["certified"].rows
    assert any(row.certified_psnr > 0 and row.attacked_psnr >= row.certified_psnr - 0.5 for row in rows)
