"""The trainer: what a run computes, by hand-written forward and backward passes in TensorFlow.

`train` is a generator of reports and knows nothing of queues, databases or the web: whoever drains it stores what it
tells. `configure` comes first, because threads can't be changed once TensorFlow has computed anything.

    layers, networks    what is computed, and its derivative beside it
    losses, optimizers  the cost and the update
    adversarial, dilation, step   the two passes of one training step
    program             many steps in one compiled call
    loop                epochs, reports and the wish to stop
    checkpoint          a state on disk
    audit, robustness, examples, measuring   what is measured on the side
    autopsy             where a number that is not finite came from
"""

# First, because it sets TensorFlow's environment before anything imports TensorFlow.
from worker.trainer.runtime import configure, environment  # isort: skip

from worker.trainer import checkpoint
from worker.trainer.loop import Training, first_state, train
from worker.trainer.state import TrainerState, TrainingData

__all__ = [
    "TrainerState",
    "Training",
    "TrainingData",
    "checkpoint",
    "configure",
    "environment",
    "first_state",
    "train",
]
