"""smug reconstruct."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from smug.commands.common import Common, console, progress


@dataclass(frozen=True)
class Reconstruct(Common):
    """Reconstruct measured k-space, with coil maps from its own calibration lines."""

    file: Annotated[Path, tyro.conf.Positional]
    """HDF5 file with k-space as in fastMRI: "kspace" (slices, coils, y, x), and "mask" if it is undersampled."""
    model: str = "smug"
    """A name that smug models lists, a run folder, a weights file, or FILE.py:function."""
    out: Path = Path("reconstruction.h5")
    """Output file: "reconstruction" (slices, y, x) in the units of the input."""
    undersample: float | None = None
    """Keep only random lines of fully sampled data, by this factor; then PSNR and SSIM are printed."""
    center_fraction: float | None = None
    """Fraction of fully sampled central lines to keep; by default 8 % up to 5x, 4 % above."""
    noise_sigma: float | None = None
    """Receiver noise per part of k-space: adds "noise_std", its map in the image."""
    batch: int = 1
    """Slices at a time."""

    def run(self) -> None:
        """Reconstruct and write."""
        from smug.data.kspace import read_kspace, scan_from_kspace, undersample
        from smug.reconstruction import quality, range_warnings, reconstruct, volume_noise_map, write_reconstruction
        from smug.reconstructor import moved
        from smug.zoo import load

        device = self.start()
        if self.out.resolve() == self.file.resolve():
            raise ValueError(f"--out {self.out}: is the input file; choose another name")
        if self.noise_sigma is not None and not self.noise_sigma > 0:
            raise ValueError(f"--noise-sigma: expected a positive number, got {self.noise_sigma}")
        if self.batch < 1:
            raise ValueError(f"--batch: expected at least 1, got {self.batch}")
        model = load(self.model)
        kspace = read_kspace(self.file)
        if self.undersample is not None:
            kspace = undersample(kspace, self.undersample, seed=self.seed, center_fraction=self.center_fraction)
        scan = scan_from_kspace(kspace)
        for warning in range_warnings(model, scan, kspace.acceleration):
            console().print(f"[yellow]Warning:[/] {warning}")
        model = moved(model, device)
        with progress("Reconstructing", len(scan.id)) as advance:
            images = reconstruct(model, scan, seed=self.seed, batch=self.batch, device=device, advance=advance)
        noise_std = None
        if self.noise_sigma is not None:
            with progress("Noise map", len(scan.id)) as advance:
                noise_std = volume_noise_map(
                    model, scan, self.noise_sigma, seed=self.seed, device=device, advance=advance
                )
        report = {
            "model": self.model,
            "input": self.file.name,
            "acceleration": kspace.acceleration,
            "settings": {"seed": self.seed, "undersample": self.undersample},
        }
        write_reconstruction(self.out, images, report, noise_std=noise_std)
        scores = quality(images, scan)
        told = ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
        console().print(f"{self.out}: {len(images)} slices at {kspace.acceleration:.2f}x. {told}")
        self.write_json({"schema": "smug-reconstruction-1", **report, "kspace": "measured", "quality": scores})
