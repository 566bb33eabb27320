"""How far can an MRI network be fooled, and what can be done about it? For research use only.

Start here::

    scan = smug.simulate(torch.stack([smug.head_phantom(seed) for seed in (1, 2)]))
    f = smug.load("smug")
    image = f(scan.y, scan.A)
    attacked = smug.attacks.fast(f, scan, smug.Threat(0.01, norm="l2", unit="kspace-l2"))

and, for measurements of a scanner, ``smug.reconstruct("tv", smug.read("scan.h5"))``.

Stable are the names that ``dir(smug)`` lists, and what the modules among them list in turn, such as
``smug.attacks.pgd``: their arguments and results change only with a new minor version, and CHANGELOG.md says how to
move. Modules that are not listed, such as ``smug.data.kspace``, may change at any time.
"""

import lazy_loader

from smug.version import __version__ as __version__

# What a name is stands in __init__.pyi, for type checkers and editors too. It is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
