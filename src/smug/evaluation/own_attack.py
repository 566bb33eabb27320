"""A user's own attack beside the presets: checked against the threat, in a column of its own."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from smug.attacks.driver import RULE
from smug.attacks.problem import TOLERANCE
from smug.data.scan import Scan
from smug.evaluation.conditions import Condition, Perturbed, attacked
from smug.evaluation.protocols import Protocol
from smug.foreign.contract import check_reconstructors
from smug.models.classical import ZeroFilled
from smug.reconstructor import Reconstructor, taking_generator
from smug.system.python_file import load_object
from smug.system.user_code import accepts, copied, signature_of, users_code
from smug.threat import Threat

CONTRACT = "attack(f, scan, threat, *, generator=None) -> delta or AttackResult"

OwnAttack = Any
"""A function as :data:`CONTRACT` says, or a :class:`smug.attacks.Rule`.

The function gets the reconstructor, a :class:`smug.Scan` with target, a :class:`smug.Threat`, and one seed per slice,
int64 ``(batch,)``; it returns the perturbation of the measurements, in their shape, zero where nothing is
measured and within the threat, or an :class:`smug.attacks.AttackResult` that has it.
"""


def load_attacks(names: tuple[str, ...]) -> dict[str, OwnAttack]:
    """Return the attacks of ``FILE.py:name`` by the name after the colon; by the whole text where two names are equal.

    Raises FileNotFoundError, and ValueError for files that cannot be executed and for what is no attack.
    """
    short = [name.rpartition(":")[2] for name in names]
    labels = [label if short.count(label) == 1 else name for label, name in zip(short, names, strict=True)]
    if len(set(labels)) < len(labels):
        raise ValueError(f"--attack: expected each once, got {', '.join(names)}")
    found = {label: load_object(name, "--attack") for label, name in zip(labels, names, strict=True)}
    for label, attack in found.items():
        check_attack(label, attack)
    return found


def check_attack(name: str, attack: OwnAttack) -> None:
    """Raise ValueError unless an attack is a function or a rule."""
    if isinstance(attack, type):
        raise ValueError(f"attack {name}: is a class, expected a rule that it makes, {name}(...), or {CONTRACT}")
    if _is_rule(attack):
        return
    if not callable(attack) or not accepts(attack, 3, "generator"):
        got = signature_of(attack) if callable(attack) else repr(attack)
        raise ValueError(f"attack {name}: expected {CONTRACT}, or a rule with {', '.join(RULE)}; got {got}")


def with_attacks(protocol: Protocol, attacks: Mapping[str, OwnAttack]) -> Protocol:
    """Return the protocol with one more condition for every attack at every threat of the protocol.

    Raises ValueError for a protocol without attacks, and for what is no attack.
    """
    threats = list(dict.fromkeys(c.threat for c in protocol.conditions if c.threat is not None))
    if attacks and not threats:
        raise ValueError(
            f"attack {next(iter(attacks))}: this protocol has no attack that says how large a perturbation may be; "
            "choose the protocol paper, demo, fast or standard"
        )
    own = (own_attack(name, attack, threat) for threat in threats for name, attack in attacks.items())
    return replace(protocol, conditions=(*protocol.conditions, *own))


def own_attack(name: str, attack: OwnAttack, threat: Threat) -> Condition:
    """Return the condition of an attack: what it finds for each reconstructor and slice, within the threat or refused.

    Its rows are never read from a store, as its code may change unseen. Scoring raises ValueError for an attack that
    fails, and for a perturbation of another shape, one that is not finite or leaves the threat or the sampled entries.
    """
    check_attack(name, attack)
    if _is_rule(attack):
        base = attacked(threat, attack, name)
        perturb = _explained(name, base.perturb)
        return replace(base, description=f"{name}: own rule, {threat}", perturb=perturb, recipe="")

    def found(f: Reconstructor, scan: Scan, seeds: Tensor) -> Perturbed:
        with users_code(attack):
            result = attack(taking_generator(f), copied(scan), threat, generator=seeds.clone())
        delta = _checked(getattr(result, "delta", result), scan, threat)
        return Perturbed(replace(scan, y=scan.y + delta), (name,) * len(scan.id))

    return Condition(
        f"{name} {threat.norm} {threat.value:g}",
        f"{name}: own attack, {threat}",
        _explained(name, found),
        recipe="",
        threat=threat,
    )


def try_out(models: Mapping[str, Reconstructor], protocol: Protocol, scan: Scan) -> dict[str, str]:
    """Try users' models and attacks on one slice, before hours are spent on them.

    An attack is tried on the zero-filled image, or where it wants more on the first model. Returns, by its name, a
    sentence about each model that attacks by gradients are blind on. Raises ValueError for what does not keep to its
    contract.
    """
    attacked = any(condition.threat is not None for condition in protocol.conditions)
    blind = check_reconstructors(models, scan.y, scan.A, gradient=attacked)
    seeds = torch.zeros(len(scan.id), dtype=torch.int64)
    for condition in protocol.conditions:
        if not condition.recipe:
            try:
                condition.perturb(ZeroFilled(), scan, seeds)
            except ValueError:
                condition.perturb(next(iter(models.values())), scan, seeds)
    return blind


def _is_rule(attack: object) -> bool:
    return all(hasattr(attack, name) for name in RULE)


def _explained(
    name: str, perturb: Callable[[Reconstructor, Scan, Tensor], Perturbed]
) -> Callable[[Reconstructor, Scan, Tensor], Perturbed]:
    """Let errors begin with the attack's name."""

    def explained(f: Reconstructor, scan: Scan, seeds: Tensor) -> Perturbed:
        try:
            return perturb(f, scan, seeds)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise ValueError(f"attack {name}: {error}") from error

    return explained


def _checked(delta: object, scan: Scan, threat: Threat) -> Tensor:
    """Return a copy of a perturbation in the dtype of the measurements, if the threat allows it."""
    y, A = scan.y, scan.A
    if not isinstance(delta, Tensor):
        raise ValueError(f"expected {CONTRACT}, got {type(delta).__name__}")
    if delta.shape != y.shape or not (delta.is_complex() or delta.is_floating_point()):
        raise ValueError(f"expected a perturbation {tuple(y.shape)}, got {delta.dtype} {tuple(delta.shape)}")
    delta = delta.detach().to(y.device, y.dtype, copy=True)
    if not bool(delta.isfinite().all()):
        raise ValueError("expected a finite perturbation, got NaN or inf")
    if bool(delta[~A.support(y)].any()):
        raise ValueError("expected a perturbation of measured entries alone; multiply it by scan.A.sampled")
    size, radius = threat.size(delta), threat.radius(y, A, scan.truth)
    if bool((size > radius * (1 + TOLERANCE)).any()):
        worst = int((size / radius).argmax())
        raise ValueError(
            f"expected a perturbation within {threat}, {float(radius[worst]):.6g} here, got {float(size[worst]):.6g}; "
            "threat.project(delta, threat.radius(scan.y, scan.A, scan.target)) makes it fit"
        )
    return delta
