"""Which devices this host's worker offers. TensorFlow is not asked: it would take hold of every GPU that it sees."""

import logging
import os
import re
import subprocess
from collections.abc import Mapping, Sequence

from backend.contract import Device
from backend.db.workers import DeviceOffer

log = logging.getLogger(__name__)

_ASK = ("nvidia-smi", "--query-gpu=index,uuid,memory.total,name", "--format=csv,noheader,nounits")
_ANSWER = re.compile(r"(\d+), *(\S+), *(\S+), *(.+)")
_ANSWER_S = 20.0  # a driver that was not used for long takes some seconds
_MIB = 2**20


def offered(setting: str, slots: int) -> list[DeviceOffer]:
    """The devices to offer: those of the setting LAB_DEVICES; where it is empty, the GPUs, or without any CPU slots.

    Args:
        setting: such as "gpu:0,gpu:1,cpu:2": GPUs by number, CPU slots by how many.
        slots: CPU slots where the setting is empty and there is no GPU.
    """
    found = visible_gpus(_nvidia_smi(), os.environ.get("CUDA_VISIBLE_DEVICES"))
    if not setting:
        return found or _cpu_slots(slots)
    known = {gpu.number: gpu for gpu in found}
    words = [word.strip().split(":") for word in setting.split(",")]
    numbers = dict.fromkeys(int(number) for kind, number in words if kind == Device.GPU)
    gpus = [known.get(number) or DeviceOffer(Device.GPU, number, f"GPU {number}") for number in numbers]
    return gpus + _cpu_slots(sum(int(number) for kind, number in words if kind == Device.CPU))


def visible_gpus(answer: str, visible: str | None) -> list[DeviceOffer]:
    """The GPUs of an answer of nvidia-smi, or those among them that CUDA_VISIBLE_DEVICES names.

    Args:
        answer: a line a GPU: index, identity, memory in MiB, name.
        visible: numbers or beginnings of identities; None: all.
    """
    gpus = {}
    for line in answer.splitlines():
        if found := _ANSWER.fullmatch(line.strip()):
            number, identity, memory, name = found.groups()
            memory_bytes = int(memory) * _MIB if memory.isdecimal() else None
            gpus[identity] = DeviceOffer(Device.GPU, int(number), name, memory_bytes)
    if visible is None:
        return list(gpus.values())
    words = [word.strip() for word in visible.split(",") if word.strip()]
    return [gpu for identity, gpu in gpus.items() if any(_names(word, identity, gpu.number) for word in words)]


def environment(gpus: Sequence[int]) -> Mapping[str, str]:
    """What a process must have in its environment before it starts, to see these GPUs of the host and no other."""
    return {
        "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus)) or "-1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # the order in which nvidia-smi numbers them
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }


def _names(word: str, identity: str, number: int) -> bool:
    return int(word) == number if word.isdecimal() else identity.startswith(word)


def _cpu_slots(count: int) -> list[DeviceOffer]:
    return [DeviceOffer(Device.CPU, number, f"CPU slot {number}") for number in range(count)]


def _nvidia_smi() -> str:
    try:
        done = subprocess.run(_ASK, check=True, capture_output=True, text=True, timeout=_ANSWER_S)  # noqa: S603
    except FileNotFoundError:
        return ""
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("nvidia-smi does not tell of any GPU, so none is offered: %s", error)
        return ""
    return done.stdout
