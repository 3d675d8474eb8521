import os
import platform
from pathlib import Path

import numpy as np
import tensorflow as tf


def configure(threads: int) -> None:
    """Set TensorFlow up for one run: so many threads, the same bits each time, no more GPU memory than is needed.

    Args:
        threads: for one operation; several operations at once gain nothing here, for each waits for the one before.

    Raises:
        RuntimeError: an operation has run already in this process.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def environment() -> dict[str, str]:
    """What decides bits besides configuration and seed: versions, device and its instruction set, threads."""
    gpus = tf.config.list_physical_devices("GPU")
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(terse=True),
        "processor": _processor(),
        "device": f"{len(gpus)} GPU" if gpus else "CPU",
        "threads": str(tf.config.threading.get_intra_op_parallelism_threads()),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
