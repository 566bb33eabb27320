"""smug reconstruct."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from smug.commands.common import Common, console
from smug.commands.progress import progress

if TYPE_CHECKING:
    from smug.data.kspace.volume import Volume


@dataclass(frozen=True)
class Reconstruct(Common):
    """Reconstruct measured k-space, with coil maps from its own calibration lines."""

    file: Annotated[Path, tyro.conf.Positional]
    """K-space: an HDF5 file as of fastMRI, an ISMRMRD file, or BART's .cfl with its .hdr."""
    model: str = "smug"
    """A name that smug models lists, a run folder, a weights file, or FILE.py:function."""
    out: Path = Path("reconstruction.h5")
    """Output in the units of the input: .h5, .nii, .nii.gz, or .png to look at."""
    undersample: float | None = None
    """Keep only some lines of fully sampled data, by this factor; then PSNR and SSIM are printed."""
    lines: Literal["random", "equispaced", "fastmri"] = "random"
    """Which lines --undersample keeps; fastmri: those of fastMRI's code for a file of this name."""
    center_fraction: float | None = None
    """Fraction of fully sampled central lines to keep; by default 8 % up to 5x, 4 % above."""
    noise_sigma: float | None = None
    """Receiver noise per part of k-space, by default that of the file's noise scan; adds "noise_std", its map."""
    replicas: int = 32
    """Noise replicas that the map is made of, each as long as a reconstruction; 0 for no map."""
    batch: int = 1
    """Slices at a time."""
    maps_figure: Path | None = None
    """Also draw the coil maps of the middle slice and how well they explain the data, as PNG."""

    def run(self) -> None:
        """Reconstruct and write."""
        from smug.data.images.write import check_format, write_images
        from smug.reconstruction import reconstruct, volume_warnings
        from smug.reconstructor import moved
        from smug.zoo import load

        device = self.start()
        self._check()
        check_format(self.out)
        model = load(self.model)
        volume = self._volume()
        for warning in volume_warnings(model, volume):
            console().print(f"[yellow]Warning:[/] {warning}")
        if self.maps_figure is not None:
            from smug.reports.maps_figure import slice_maps_figure
            from smug.system.figures import write_figure

            write_figure(self.maps_figure, slice_maps_figure(volume, len(volume) // 2))
        sigma = None if self.replicas == 0 else self.noise_sigma or volume.noise_sigma
        if sigma is not None:
            told = f"its map takes {self.replicas} more reconstructions; --replicas 0 for none"
            console().print(f"Receiver noise {sigma:.3g}: {told}.")
        with progress("Reconstructing", len(volume)) as advance:
            result = reconstruct(
                moved(model, device),
                volume,
                seed=self.seed,
                batch=self.batch,
                device=device,
                noise_sigma=sigma,
                replicas=self.replicas,
                advance=advance,
            )
        settings = {"seed": self.seed, "undersample": self.undersample, "lines": self.lines}
        report = {
            "model": self.model,
            "input": self.file.name,
            "acceleration": volume.acceleration,
            "settings": settings,
            "units": volume.units,
        }
        write_images(
            self.out,
            result.images,
            geometry=volume.geometry,
            metadata=report,
            noise_std=result.noise_std,
            frames=volume.frames,
        )
        told = ", ".join(f"{name} {value:.4g}" for name, value in result.quality.items())
        console().print(f"{self.out}: {len(volume)} slices at {volume.acceleration:.2f}x. {told}")
        self.write_json({"schema": "smug-reconstruction-2", **report, "kspace": "measured", "quality": result.quality})

    def _check(self) -> None:
        if self.out.resolve() == self.file.resolve():
            raise ValueError(f"--out {self.out}: is the input file; choose another name")
        if self.noise_sigma is not None and not self.noise_sigma > 0:
            raise ValueError(f"--noise-sigma: expected a positive number, got {self.noise_sigma}")
        if self.replicas == 1 or self.replicas < 0:
            raise ValueError(f"--replicas: expected at least 2, or 0 for no map, got {self.replicas}")
        if self.batch < 1:
            raise ValueError(f"--batch: expected at least 1, got {self.batch}")

    def _volume(self) -> "Volume":
        from smug.data.kspace.read import read_volume, undersample

        volume = read_volume(self.file)
        if self.undersample is None:
            return volume
        return undersample(
            volume, self.undersample, seed=self.seed, center_fraction=self.center_fraction, lines=self.lines
        )
