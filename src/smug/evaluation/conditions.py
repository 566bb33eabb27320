"""What a reconstructor is tested under: clean data, random noise, attacks, shifts."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from smug.attacks import Family, Rule, Threat, attack, random_of, to_target, worst_of
from smug.attacks.suite import SuiteResult
from smug.attacks.surrogate import noise_free, with_seed
from smug.data.scan import Scan
from smug.reconstructor import Reconstructor
from smug.shifts import SHIFTS, Shift, lesion
from smug.shifts.model import Inapplicable
from smug.shifts.noise import jitter


@dataclass(frozen=True, eq=False)
class Perturbed:
    """A perturbed scan and what is recorded about the perturbation, one entry per slice.

    ``attack`` names the attack that won, ``optimism`` is by how many dB its objective was higher on the draws that it
    was selected on than on fresh ones, real ``(batch,)``, ``flags`` are warnings; ``feature`` is what was inserted into
    the target, complex ``(batch, y, x)``.
    """

    scan: Scan
    attack: Sequence[str] = ()
    optimism: Tensor | None = None
    flags: Sequence[tuple[str, ...]] = ()
    feature: Tensor | None = None


Perturb = Callable[[Reconstructor, Scan, Tensor], Perturbed]
"""A function ``(reconstructor, scan, seeds) -> Perturbed``, with one seed per slice."""


def unchanged(f: Reconstructor) -> Reconstructor:
    """Return the reconstructor as it is."""
    return f


@dataclass(frozen=True)
class Condition:
    """A named way to perturb the measurements, the reconstructor's settings, or both.

    ``change`` comes first: what is perturbed is the scan of the changed reconstructor. ``description`` is for people;
    ``recipe`` holds everything that the result depends on, and with the name is the address of stored rows; without
    one, rows are not stored. ``threat`` is that of an attack.
    """

    name: str
    description: str
    perturb: Perturb
    recipe: str
    change: Callable[[Reconstructor], Reconstructor] = unchanged
    threat: Threat | None = None


def clean() -> Condition:
    """Return the condition that changes nothing."""
    return Condition("clean", "the measurements as they are", lambda f, scan, seeds: Perturbed(scan), "clean")


def noisy(level: float) -> Condition:
    """Return white Gaussian noise on the sampled entries, ``level * max|t|`` per real and imaginary part."""

    def perturb(f: Reconstructor, scan: Scan, seeds: Tensor) -> Perturbed:
        return Perturbed(jitter(scan, level, seeds))

    description = f"Gaussian noise, {level:g} of the image's maximum per part"
    return Condition(f"noise {level:g}", description, perturb, f"noisy({level!r})")


def noisy_relative(size: float) -> Condition:
    """Return white Gaussian noise on the sampled entries, of l2 norm ``size * ||y||``: random, where PGD is not."""
    return shifted(SHIFTS["noise"], size, f"noise {100 * size:g}%")


def worst_case(threat: Threat, preset: str, run: Callable[..., SuiteResult], name: str = "") -> Condition:
    """Return the strongest perturbation that a preset of attacks finds for each reconstructor and slice.

    ``run`` has the signature of :func:`smug.attacks.fast`, the preset of that name.
    """

    def perturb(f: Reconstructor, scan: Scan, seeds: Tensor) -> Perturbed:
        found = run(f, scan, threat, generator=seeds)
        optimism = 10 * torch.log10(found.selected_objective / found.objective)
        return Perturbed(replace(scan, y=scan.y + found.delta), found.attack, optimism, found.flags)

    name = name or f"{preset} {threat.norm} {threat.value:g}"
    return Condition(name, f"{preset} attack, {threat}", perturb, f"worst_case({preset}, {threat!r})", threat=threat)


def known_noise(base: Condition) -> Condition:
    """Return a condition whose attacker knows the smoothing noise, which is the same whenever images are made."""

    def change(f: Reconstructor) -> Reconstructor:
        if noise_free(f) is f:
            raise Inapplicable("expected a reconstructor with smoothing noise")
        return with_seed(f, 0)

    return replace(
        base,
        name=f"{base.name}, known noise",
        description=f"{base.description}; the smoothing noise is known to the attacker",
        recipe=f"known noise, {base.recipe}",
        change=change,
    )


def shifted(shift: Shift, severity: Any, name: str = "") -> Condition:
    """Return a shift of the scan at a severity; see :mod:`smug.shifts`."""

    def perturb(f: Reconstructor, scan: Scan, seeds: Tensor) -> Perturbed:
        feature = lesion(scan, severity, seeds) if shift.name == "lesion" else None
        return Perturbed(shift.apply(scan, severity, seeds), feature=feature)

    name = name or f"{shift.name} {severity}"
    return Condition(
        name, f"{shift.description}: {severity} {shift.unit}", perturb, f"shifted({shift.name}, {severity!r})"
    )


def random_within(family: Family, bound: float) -> Condition:
    """Return a random perturbation of a family, of a size: what stands beside :func:`worst_within`."""

    def perturb(f: Reconstructor, scan: Scan, seeds: Tensor) -> Perturbed:
        return Perturbed(random_of(scan, family, bound, seeds))

    description = f"{family.description}, random: {bound:g} {family.unit}"
    return Condition(
        f"random {family.name} {bound:g}", description, perturb, f"random_within({family.name}, {bound!r})"
    )


def worst_within(family: Family, bound: float) -> Condition:
    """Return the worst perturbation that is found in a family for each reconstructor and slice, up to a size."""

    def perturb(f: Reconstructor, scan: Scan, seeds: Tensor) -> Perturbed:
        worst = worst_of(f, scan, family, bound, generator=seeds)
        optimism = 10 * torch.log10(worst.attack.selected_objective / worst.attack.objective)
        return Perturbed(worst.scan, (family.name,) * len(scan.id), optimism)

    description = f"{family.description}, the worst found: up to {bound:g} {family.unit}"
    recipe = f"worst_within({family.name}, {bound!r})"
    return Condition(f"worst {family.name} {bound:g}", description, perturb, recipe)


def with_setting(
    name: str, change: Callable[[Reconstructor, Any], Reconstructor], value: Any, base: Condition
) -> Condition:
    """Return a condition of a reconstructor with another setting, ``change(f, value)``: see :mod:`smug.shifts.model`.

    Where the base is an attack, it is made for the changed reconstructor.
    """
    return replace(
        base,
        name=f"{name} {value:g}" if base.name == "clean" else f"{name} {value:g}, {base.name}",
        description=f"{name} {value:g}: {base.description}",
        recipe=f"{name}={value!r}, {base.recipe}",
        change=lambda f: change(f, value),
    )


def attacked(threat: Threat, rule: Rule[Any], name: str) -> Condition:
    """Return a worst-case perturbation of the squared error, made for each reconstructor from its own gradients."""

    def perturb(f: Reconstructor, scan: Scan, seeds: Tensor) -> Perturbed:
        result = attack(f, scan, threat, rule=rule, objective=to_target, generator=seeds)
        optimism = 10 * torch.log10(result.selected_objective / result.objective)
        return Perturbed(replace(scan, y=scan.y + result.delta), (name,) * len(scan.id), optimism)

    description = f"{name}: {rule.steps} steps, {threat}"
    settings = re.sub(r" at 0x[0-9a-f]+", "", repr(rule))  # functions have other addresses in every process
    recipe = f"attacked({threat!r}, {settings})"
    return Condition(f"{name} {threat.norm} {threat.value:g}", description, perturb, recipe, threat=threat)
