"""Attacks on reconstructors in k-space: objective x threat x rule, one driver."""

from smug.attacks.apgd import APGD
from smug.attacks.driver import AttackResult, Rule, attack
from smug.attacks.family import Family, FamilyResult, random_of, worst_of
from smug.attacks.objective import Objective, to_clean, to_target
from smug.attacks.pgd import PAPER, PGD, paper, pgd
from smug.attacks.presets import PRESETS, fast, standard, standard_attempts
from smug.attacks.problem import Problem
from smug.attacks.square import Square
from smug.attacks.start import warm_start
from smug.attacks.suite import Attempt, Cost, SuiteResult, cost, strongest, transferred
from smug.attacks.surrogate import is_random, noise_free, with_seed
from smug.threat import Threat, relative_l2

__all__ = [
    "APGD",
    "PAPER",
    "PGD",
    "PRESETS",
    "AttackResult",
    "Attempt",
    "Cost",
    "Family",
    "FamilyResult",
    "Objective",
    "Problem",
    "Rule",
    "Square",
    "SuiteResult",
    "Threat",
    "attack",
    "cost",
    "fast",
    "is_random",
    "noise_free",
    "paper",
    "pgd",
    "random_of",
    "relative_l2",
    "standard",
    "standard_attempts",
    "strongest",
    "to_clean",
    "to_target",
    "transferred",
    "warm_start",
    "with_seed",
    "worst_of",
]
