from backend.contract import Device
from backend.contract.placement import Need, Offer
from backend.schedule import Held, Waiting, expected_starts

ANY = Need(Device.ANY, 1)


class TestExpectedStarts:
    def test_follow_the_ends_of_the_runs_before(self) -> None:
        """On two slots, each run begins when the first slot is free, and keeps it for as long as it takes."""
        held = [Held(1, Device.CPU, 1, 30.0), Held(1, Device.CPU, 1, 100.0)]
        queue = [Waiting(number, ANY, 50.0) for number in (7, 8, 9)]
        assert expected_starts(queue, held, [Offer(1, cpus=2)]) == {7: 30.0, 8: 80.0, 9: 100.0}

    def test_is_not_told_behind_a_run_of_unknown_length(self) -> None:
        """Where the only slot is held for who knows how long, no start is guessed."""
        queue = [Waiting(7, ANY, None), Waiting(8, ANY, 10.0)]
        assert expected_starts(queue, [Held(1, Device.CPU, 1, 5.0)], [Offer(1, cpus=1)]) == {7: 5.0}
        assert expected_starts(queue, [Held(1, Device.CPU, 1, None)], [Offer(1, cpus=1)]) == {}

    def test_waits_for_two_gpus_together(self) -> None:
        """A run on two GPUs begins when the later one is free; one behind it takes a CPU slot meanwhile."""
        held = [Held(1, Device.GPU, 1, 10.0), Held(1, Device.GPU, 1, 60.0)]
        offers = [Offer(1, cpus=1, free_cpus=1, gpus=2)]
        queue = [Waiting(7, Need(Device.GPU, 2), 5.0), Waiting(8, ANY, 5.0)]
        assert expected_starts(queue, held, offers) == {7: 60.0, 8: 0.0}

    def test_of_what_no_worker_can_hold_is_left_out(self) -> None:
        """A run for three GPUs has no start where no worker has three, and delays none behind it."""
        queue = [Waiting(7, Need(Device.GPU, 3), 5.0), Waiting(8, ANY, 5.0)]
        assert expected_starts(queue, [], [Offer(1, gpus=2, free_gpus=2)]) == {8: 0.0}
        assert expected_starts(queue, [], []) == {}
