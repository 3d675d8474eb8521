import pytest

from backend.contract import Device, TrainConfig
from backend.contract.placement import Need, Offer, keeps_gpus_for, queue_for, waiting_for

ANY, CPU, GPU = (Need(device, 1) for device in (Device.ANY, Device.CPU, Device.GPU))
PAIR = Need(Device.ANY, 2)
CPU_WORKER = Offer(1, cpus=2, free_cpus=1)
GPU_WORKER = Offer(2, gpus=2, free_gpus=1)
MIXED = Offer(3, cpus=1, free_cpus=1, gpus=1, free_gpus=1)


class TestAnOffer:
    def test_gives_a_gpu_before_a_cpu_slot(self) -> None:
        """A run that takes any device gets a GPU where one is free, else a CPU slot, else nothing."""
        assert MIXED.kind_for(ANY) is Device.GPU
        assert MIXED.without_gpus().kind_for(ANY) is Device.CPU
        assert Offer(1, cpus=1).kind_for(ANY) is None

    @pytest.mark.parametrize(
        ("need", "offer", "now", "ever"),
        [
            (CPU, GPU_WORKER, False, False),
            (GPU, CPU_WORKER, False, False),
            (PAIR, GPU_WORKER, False, True),
            (PAIR, CPU_WORKER, False, False),
            (Need(Device.GPU, 3), GPU_WORKER, False, False),
            (GPU, GPU_WORKER, True, True),
        ],
    )
    def test_suits_a_run_now_or_ever_or_never(self, need: Need, offer: Offer, now: bool, ever: bool) -> None:
        """A run fits where the devices that it asks for are, and begins there once enough of them are free."""
        assert (offer.kind_for(need) is not None, offer.could_hold(need)) == (now, ever)


class TestAWaitingRun:
    def test_without_a_worker_waits_for_one(self) -> None:
        """Where no worker is, the sentence says so, and that nothing will come of waiting alone."""
        assert waiting_for(ANY, []) == ("Waits for a worker: none is here that takes runs.", False)

    @pytest.mark.parametrize(
        ("need", "words"),
        [
            (ANY, "Waits for a free GPU or CPU slot."),
            (CPU, "Waits for a free CPU slot."),
            (GPU, "Waits for a free GPU."),
            (PAIR, "Waits until 2 GPUs of one worker are free."),
        ],
    )
    def test_names_what_will_come_free(self, need: Need, words: str) -> None:
        """Where the workers have what it asks for, it waits until that is free."""
        assert waiting_for(need, [CPU_WORKER, GPU_WORKER]) == (words, True)

    @pytest.mark.parametrize(
        ("need", "offer", "words"),
        [
            (GPU, CPU_WORKER, "no worker here has one"),
            (CPU, GPU_WORKER, "no worker here offers one"),
            (PAIR, MIXED, "none has more than 1"),
            (PAIR, CPU_WORKER, "no worker here has any"),
        ],
    )
    def test_names_what_no_worker_has(self, need: Need, offer: Offer, words: str) -> None:
        """Where no worker will ever suffice, the sentence says what is missing."""
        sentence, can_start = waiting_for(need, [offer])
        assert words in sentence
        assert not can_start

    def test_for_several_gpus_is_kept_some_by_one_worker(self) -> None:
        """Of the workers that could hold it, the one with the most free GPUs keeps them; the others go on."""
        workers = [Offer(1, gpus=1, free_gpus=1), Offer(2, gpus=4, free_gpus=1), Offer(3, gpus=2, free_gpus=1)]
        assert keeps_gpus_for(PAIR, workers) == 2
        assert keeps_gpus_for(GPU, workers) is None
        assert keeps_gpus_for(Need(Device.GPU, 8), workers) is None


class TestAMessage:
    def test_goes_where_a_worker_can_take_the_run(self) -> None:
        """Its queue is that of the device that is asked for; for any, one in which a device is free is taken."""
        assert [queue_for(need, [MIXED]) for need in (CPU, GPU, PAIR, ANY)] == ["cpu", "gpu", "gpu", "gpu"]
        assert queue_for(ANY, [CPU_WORKER, Offer(2, gpus=1)]) == "cpu"
        assert queue_for(ANY, [Offer(1, cpus=1), Offer(2, gpus=1)]) == "gpu"
        assert queue_for(ANY, []) == "cpu"


class TestAConfiguration:
    def test_with_several_gpus_and_a_cpu_is_refused(self) -> None:
        """A run can't ask for a CPU and for two GPUs; the sentence names both."""
        with pytest.raises(ValueError, match="gpu_count is 2, but device is cpu"):
            TrainConfig(device=Device.CPU, gpu_count=2)
