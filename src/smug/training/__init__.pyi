from .batches import load_training_data as load_training_data
from .config import Config as Config
from .config import Method as Method
from .config_file import load_config as load_config
from .configured import build as build
from .methods import training_loss as training_loss
from .presets import PRESETS as PRESETS
