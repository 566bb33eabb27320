"""Training: configurations and presets, the methods' losses, and a reconstructor of a configuration for your own loop.

The names listed here are public; the modules beside them may change at any time.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
