import pytest
from pydantic import ValidationError

from backend.contract import Device
from backend.settings import Settings
from worker.devices import environment, offered, visible_gpus

ANSWER = """\
0, GPU-aaaa-1, 24576, NVIDIA RTX A5000
1, GPU-bbbb-2, 81920, NVIDIA A100, 80GB
2, GPU-cccc-3, [N/A], NVIDIA Something
"""


class TestTheOffer:
    def test_is_what_the_setting_says(self) -> None:
        """GPUs are named by number, once each; CPU slots by how many there are."""
        found = offered("gpu:3, gpu:1,cpu:2,gpu:1", slots=9)
        assert [(device.kind, device.number) for device in found] == [
            (Device.GPU, 3),
            (Device.GPU, 1),
            (Device.CPU, 0),
            (Device.CPU, 1),
        ]

    def test_without_setting_and_gpu_is_cpu_slots(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A host without any GPU, or that hides them all, offers as many CPU slots as LAB_SLOTS says."""
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        assert [(device.kind, device.number) for device in offered("", 3)] == [
            (Device.CPU, place) for place in range(3)
        ]

    def test_is_refused_where_the_setting_is_none(self) -> None:
        """Words that are no devices stop the start with the setting's name."""
        for words in ("gpu", "gpu:x", "cpu:0", "tpu:0", "gpu:0;gpu:1"):
            with pytest.raises(ValidationError, match="devices"):
                Settings(devices=words)


class TestVisibleGpus:
    def test_have_number_name_and_memory(self) -> None:
        """A line of nvidia-smi is a GPU; memory that the driver does not tell is unknown."""
        found = visible_gpus(ANSWER, None)
        assert [(gpu.number, gpu.name, gpu.memory_bytes) for gpu in found] == [
            (0, "NVIDIA RTX A5000", 24 * 2**30),
            (1, "NVIDIA A100, 80GB", 80 * 2**30),
            (2, "NVIDIA Something", None),
        ]

    @pytest.mark.parametrize(("visible", "numbers"), [("1,2", [1, 2]), ("GPU-cc", [2]), ("", []), ("-1", [])])
    def test_are_those_that_the_environment_leaves(self, visible: str, numbers: list[int]) -> None:
        """CUDA_VISIBLE_DEVICES may name some of them, by number or identity, or none."""
        assert [gpu.number for gpu in visible_gpus(ANSWER, visible)] == numbers


class TestTheEnvironment:
    def test_shows_just_the_devices_that_a_run_holds(self) -> None:
        """A run on GPUs 0 and 3 sees these; a run on a CPU slot sees none."""
        assert environment([0, 3])["CUDA_VISIBLE_DEVICES"] == "0,3"
        assert environment([])["CUDA_VISIBLE_DEVICES"] == "-1"
