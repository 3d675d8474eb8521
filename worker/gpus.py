"""How busy GPUs are and what of their memory is taken, as NVIDIA's driver tells it (NVML)."""

import importlib
import logging
from typing import Any

from backend.contract import GpuUse

log = logging.getLogger(__name__)

LIBRARY = "pynvml"  # of the package nvidia-ml-py, which only the environment of a GPU worker has
_PERCENT = 100


class GpuMeter:
    """Reads the GPUs of this host.

    Args:
        library: the module `pynvml`, whose library is initialised.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self._silent: set[str] = set()

    def use_of(self, number: int) -> GpuUse:
        """What a GPU does now; None for each number that its driver does not tell, as of a part of a shared GPU.

        Args:
            number: of the GPU, in the order of nvidia-smi.
        """
        handle = self._told("handle", number, lambda: self._library.nvmlDeviceGetHandleByIndex(number))
        if handle is None:
            return GpuUse(number, None, None, None)
        rates = self._told("use", number, lambda: self._library.nvmlDeviceGetUtilizationRates(handle))
        memory = self._told("memory", number, lambda: self._library.nvmlDeviceGetMemoryInfo(handle))
        busy = None if rates is None else rates.gpu / _PERCENT
        return GpuUse(number, busy, busy, None if memory is None else int(memory.used))

    def _told(self, what: str, number: int, ask: Any) -> Any:
        try:
            return ask()
        except self._library.NVMLError as error:
            if (key := f"{what} of GPU {number}") not in self._silent:
                self._silent.add(key)
                log.warning("The %s is not shown, NVML does not tell it: %s", key, error)
            return None


def gpu_meter() -> GpuMeter | None:
    """A meter of this host's GPUs; None, with a sentence in the log, where they can't be asked."""
    try:
        library = importlib.import_module(LIBRARY)
    except ImportError:
        log.warning("The use of GPUs is not shown: %s is not installed; requirements-gpu.lock has it.", LIBRARY)
        return None
    try:
        library.nvmlInit()
    except library.NVMLError as error:
        log.warning("The use of GPUs is not shown, NVML does not answer: %s", error)
        return None
    return GpuMeter(library)
