import os
import platform
from pathlib import Path

# TensorFlow's C++ side reads it once, when it is imported: warnings and errors only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

import numpy as np
import tensorflow as tf

CPU_INFO = Path("/proc/cpuinfo")


def configure(threads: int) -> None:
    """Fix what decides the bits of a run; call it before TensorFlow computes anything.

    Sums are split among the threads of one operation, so equal bits need an equal number of them.

    Args:
        threads: threads that one operation is spread over, at least 1.

    Raises:
        RuntimeError: TensorFlow has computed already, with other numbers.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    for device in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(device, True)


def environment() -> dict[str, str]:
    """What besides the configuration decides the bits of a run: versions, processor, device and threads."""
    return {
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "cpu": _cpu_model(),
        "device": _device_kind(),
        "threads": str(tf.config.threading.get_intra_op_parallelism_threads()),
    }


def _cpu_model() -> str:
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _device_kind() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "cpu"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu"))
