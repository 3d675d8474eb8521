"""The trainer: hand-written forward and backward passes, and the loop that reports what they do.

It knows nothing of queues, databases or the web.
"""

from worker.trainer.loop import TrainingData, train
from worker.trainer.runtime import configure, environment

__all__ = ["TrainingData", "configure", "environment", "train"]
