import pytest

from backend.contract import Network, TrainConfig
from backend.contract.work import epoch_multiply_adds, forward_multiply_adds
from backend.estimates import Estimate, Measurement, estimate, estimate_launch


def by_runs(one: TrainConfig, known: list[Measurement]) -> Estimate | None:
    """The estimate where no trial was made."""
    return estimate(one, known, {})


def config(**changes: object) -> TrainConfig:
    return TrainConfig.model_validate({"dataset": "mnist", **changes})


class TestWork:
    @pytest.mark.parametrize(
        ("changes", "millions"),
        [({"width": 128}, 168.4), ({"width": 256, "dataset": "cifar10"}, 680.3)],
    )
    def test_of_the_articles_networks_is_the_known_one(self, changes: dict[str, object], millions: float) -> None:
        """A forward pass of one image takes as many multiply-adds as counted elsewhere."""
        assert forward_multiply_adds(config(**changes)) / 1e6 == pytest.approx(millions, abs=0.05)

    def test_of_a_step_is_three_passes_or_five(self) -> None:
        """Forward and both gradients are three units; the adversarial pass adds forward and input gradient."""
        plain, adversarial = (
            epoch_multiply_adds(config(epsilon=epsilon, train_images=600, test_images=100)) for epsilon in (0, 1)
        )
        assert plain == (3 * 600 + 100) * forward_multiply_adds(config())
        assert adversarial == (5 * 600 + 100) * forward_multiply_adds(config())

    def test_of_mlp_counts_its_products(self) -> None:
        """784 x 400 + 400 x 400 + 400 x 10."""
        assert forward_multiply_adds(config(network="mlp", width=400)) == 477_600


class TestEstimate:
    def test_of_what_was_measured_is_what_it_took(self) -> None:
        """The newest run of the same kind and size decides; half the images take half the time."""
        known = [Measurement(7, config(), 80.0), Measurement(3, config(), 200.0)]
        found = by_runs(config(), known)
        assert found is not None
        assert found.epoch_seconds == pytest.approx(80)
        assert found.based_on == (7,)
        half = by_runs(config(train_images=30_000, test_images=5_000), known)
        assert half is not None
        assert half.epoch_seconds == pytest.approx(40)

    def test_between_two_widths_lies_between_their_speeds(self) -> None:
        """A width between two measured ones runs at a speed between theirs; one beyond them at the nearest's."""
        known = [Measurement(1, config(width=32), 100.0), Measurement(2, config(width=128), 800.0)]
        speeds = [epoch_multiply_adds(config(width=width)) / seconds for width, seconds in ((32, 100), (128, 800))]
        found, beyond = by_runs(config(width=64), known), by_runs(config(width=256), known)
        assert found is not None
        assert beyond is not None
        assert speeds[0] < epoch_multiply_adds(config(width=64)) / found.epoch_seconds < speeds[1]
        assert set(found.based_on) == {1, 2}
        assert epoch_multiply_adds(config(width=256)) / beyond.epoch_seconds == pytest.approx(speeds[1])

    def test_of_another_kind_is_none(self) -> None:
        """Neither another network nor another precision says how long this one takes."""
        known = [Measurement(1, config(), 100.0)]
        assert by_runs(config(network="mlp"), known) is None
        assert by_runs(config(precision="bfloat16"), known) is None

    def test_by_trials_takes_their_speed(self) -> None:
        """Where only trials are known an epoch takes its multiply-adds by their speed, between two widths too."""
        found = estimate(config(width=64, quirks=["celu_slope_2"]), [], {16: 1e9, 256: 4e9})
        assert found is not None
        assert found.based_on == ()
        assert 1e9 < epoch_multiply_adds(config(width=64)) / found.epoch_seconds < 4e9

    @pytest.mark.parametrize(("width", "based_on"), [(64, (1,)), (32, (1,)), (128, (1,)), (16, ()), (256, ())])
    def test_takes_runs_of_about_the_size_and_trials_for_others(self, width: int, based_on: tuple[int, ...]) -> None:
        """A run counts for half and twice its width; further off trials do, even where they are further off still."""
        ran = [Measurement(1, config(width=64), 100.0)]
        found = estimate(config(width=width), ran, {4: 3e9})
        assert found is not None
        assert found.based_on == based_on
        speed = 3e9 if not based_on else epoch_multiply_adds(config(width=64)) / 100
        assert epoch_multiply_adds(config(width=width)) / found.epoch_seconds == pytest.approx(speed)

    def test_takes_a_near_run_alone_where_others_are_far(self) -> None:
        """A run far smaller draws the estimate nowhere, where one of about the size is known."""
        ran = [Measurement(2, config(width=2), 100.0), Measurement(1, config(width=64), 100.0)]
        found = by_runs(config(width=48), ran)
        assert found is not None
        assert found.based_on == (1,)

    def test_takes_a_run_of_any_size_where_no_trial_was_made(self) -> None:
        """Before the machine had a quiet moment a run far off in size is better than no word."""
        found = by_runs(config(width=256), [Measurement(1, config(width=16), 100.0)])
        assert found is not None
        assert found.based_on == (1,)


class TestALaunch:
    @staticmethod
    def epoch_of(one: TrainConfig) -> Estimate | None:
        """A hundred seconds for every epoch of conv7; mlp is unknown."""
        return Estimate(100.0, (1,)) if one.network is Network.CONV7 else None

    def test_takes_the_slot_that_is_free_first(self) -> None:
        """Runs of 300, 100, 100 and 100 seconds are over after 300 on two slots; the longest is told apart."""
        configs = [config(epochs=epochs, seed=seed) for seed, epochs in enumerate((3, 1, 1, 1))]
        found = estimate_launch(configs, self.epoch_of, slots=2)
        assert found is not None
        assert found.longest_seconds == pytest.approx(300)
        assert found.total_seconds == pytest.approx(300)
        assert found.based_on == (1,)

    def test_counts_what_comes_before_the_first_batch(self) -> None:
        """Three runs of 100 seconds that each need 5 to begin are over after 210 on two slots."""
        found = estimate_launch([config(epochs=1, seed=seed) for seed in range(3)], self.epoch_of, 2, 5.0)
        assert found is not None
        assert (found.longest_seconds, found.total_seconds) == pytest.approx((105, 210))

    def test_with_a_run_of_unknown_kind_is_not_known(self) -> None:
        """One run that nothing was measured of leaves the whole unknown."""
        assert estimate_launch([config(), config(network="mlp")], self.epoch_of, slots=2) is None
