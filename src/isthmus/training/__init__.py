"""Training: the one loop, and what it stands on."""

from isthmus.training.checkpoints import LAST, Position, is_finished
from isthmus.training.events import HISTORY, Listener, Record, read_history
from isthmus.training.loop import Trained, evaluate, train
from isthmus.training.players import Step
from isthmus.training.progress import ProgressBar
from isthmus.training.settings import TrainingSettings, training_settings

__all__ = [
    "HISTORY",
    "LAST",
    "Listener",
    "Position",
    "ProgressBar",
    "Record",
    "Step",
    "Trained",
    "TrainingSettings",
    "evaluate",
    "is_finished",
    "read_history",
    "train",
    "training_settings",
]
