"""Attacks on reconstructors in k-space: objective x threat x rule, one driver."""

from smug.attacks.driver import AttackResult, Rule, attack
from smug.attacks.objective import Objective, to_clean, to_target
from smug.attacks.pgd import PAPER, PGD, paper, pgd
from smug.attacks.problem import Problem
from smug.attacks.threat import Threat, relative_l2

__all__ = [
    "PAPER",
    "PGD",
    "AttackResult",
    "Objective",
    "Problem",
    "Rule",
    "Threat",
    "attack",
    "paper",
    "pgd",
    "relative_l2",
    "to_clean",
    "to_target",
]
