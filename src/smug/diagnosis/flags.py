"""The flags: what is wrong, what it means for the numbers of an attack, what to do."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Flag:
    """A warning: its name, and one sentence for people."""

    name: str
    sentence: str


@dataclass(frozen=True)
class Diagnosis:
    """What :func:`smug.diagnosis.diagnose` raised, and the numbers that it decided on, by name.

    >>> print(Diagnosis((), {}))
    no flag
    """

    flags: tuple[Flag, ...]
    evidence: Mapping[str, float]

    @property
    def unreliable(self) -> bool:
        """Whether the numbers of attacks on this reconstructor are not to be trusted."""
        return bool(self.flags)

    def __str__(self) -> str:
        """Tell the flags, one a line."""
        return "\n".join(f"{flag.name}: {flag.sentence}" for flag in self.flags) or "no flag"


_SENTENCES = {
    "random-output": "Two calls with the same generator differ, so an attack cannot compare perturbations and its "
    "numbers are luck; draw all randomness of the reconstructor from the generator it is given.",
    "zero-gradient": "The gradient of the error is zero or NaN, so a gradient attack is blind and the reconstructor "
    "looks robust without being it; find what cuts the graph (no_grad, rounding, detach, the root of zero), or attack "
    "without gradients.",
    "solver-not-converged": "A data-consistency solve inside the reconstructor stopped before it converged, so its "
    "implicit gradient is not that of the image and attacks are too weak; allow more iterations.",
    "cut-gradient": "The gradient is not that of the output, so attacks climb another function and are too weak; let "
    "it flow through every use of the measurements: the data consistency, the scale, the first image.",
    "outside-threat": "A perturbation exceeds its norm or touches entries that were not sampled, so the attack's "
    "numbers look too bad; project it onto the threat.",
    "masked-gradient": "An attack without this gradient (black box, or transferred from the noise-free network) does "
    "more damage, so the gradient is masked and the white-box numbers are too good; report the worst of all attacks, "
    "and average the gradient over more draws.",
    "weaker-than-noise": "The attack does less damage than Gaussian noise of the same norm, so it found nothing and "
    "its numbers say nothing; give it more steps, other starts and smaller steps.",
    "not-monotone": "A larger perturbation is allowed and the damage does not grow, so the attack fails at the larger "
    "size and its numbers there are too good; start it from the perturbation found at the smaller size.",
    "more-steps-help": "Twice the iterations still change the mean PSNR, so the attack had not converged and its "
    "numbers are too good; double the iterations until they no longer do.",
}

FLAGS: Mapping[str, Flag] = {name: Flag(name, sentence) for name, sentence in _SENTENCES.items()}
"""Every flag by its name. ``outside-threat`` is for perturbations that others made, see
:func:`smug.diagnosis.outside_threat`; attacks here refuse to leave their threat."""
