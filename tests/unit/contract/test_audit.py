import pytest

from backend.contract import AuditVerdict, LayerMeasurement, RunAudit, TrainConfig
from backend.contract.audit import expected_quirks, failure_sentence, run_audit
from tests.builders import failed_layer, layer_measurement


def config(*quirks: str, **changes: object) -> TrainConfig:
    return TrainConfig.model_validate({"quirks": quirks, **changes})


class TestExpectedQuirks:
    @pytest.mark.parametrize("quirk", ["celu_slope_2", "pool_gradient_unscaled", "cost_gradient_summed"])
    def test_are_those_that_change_the_gradient(self, quirk: str) -> None:
        """A wrong slope, an unscaled pool and a summed cost make an audit fail; the other quirks do not."""
        others = ("amsgrad_whole_tensor", "test_cost_of_softmax", "test_own_statistics")
        assert expected_quirks(config(quirk, *others), layer=1) == (quirk,)
        assert expected_quirks(config(*others)) == ()

    def test_of_pools_do_not_reach_the_last_layer(self) -> None:
        """No pool follows conv7's layer 7: there an unscaled pool explains no failure, another quirk does."""
        assert expected_quirks(config("pool_gradient_unscaled"), layer=7) == ()
        assert expected_quirks(config("pool_gradient_unscaled"), layer=6) != ()
        assert expected_quirks(config("celu_slope_2", "pool_gradient_unscaled"), layer=7) == ("celu_slope_2",)

    def test_of_mlp_is_the_summed_cost(self) -> None:
        """An mlp whose cost is summed must fail in every layer."""
        assert expected_quirks(config("cost_gradient_summed", network="mlp"), layer=3) == ("cost_gradient_summed",)


class TestTheVerdictOnARun:
    @pytest.mark.parametrize(
        ("before", "quirks", "layers", "expected"),
        [
            (None, (), [], None),
            (None, (), [layer_measurement(1, verdict=AuditVerdict.NO_SIGNAL)], None),
            (None, (), [layer_measurement(1), layer_measurement(2, verdict=AuditVerdict.NO_SIGNAL)], RunAudit.PASSED),
            (None, (), [layer_measurement(1), failed_layer(2)], RunAudit.FAILED),
            (RunAudit.PASSED, ("celu_slope_2",), [failed_layer(2)], RunAudit.EXPECTED),
            (RunAudit.EXPECTED, ("pool_gradient_unscaled",), [failed_layer(7)], RunAudit.FAILED),
            (RunAudit.FAILED, (), [layer_measurement(1)], RunAudit.FAILED),
            (RunAudit.EXPECTED, ("celu_slope_2",), [layer_measurement(1)], RunAudit.EXPECTED),
        ],
    )
    def test_is_the_heaviest_of_all(
        self,
        before: RunAudit | None,
        quirks: tuple[str, ...],
        layers: list[LayerMeasurement],
        expected: RunAudit | None,
    ) -> None:
        """A failure outweighs an expected one, that a pass; nothing that passes later takes a failure back."""
        assert run_audit(before, config(*quirks), layers) is expected


class TestTheSentence:
    def test_names_the_check_that_failed_and_its_figures(self) -> None:
        """It tells the reference, the error and the limit of each check that failed, and of no other."""
        assert failure_sentence(3, 0.125, 1e-9) == (
            "The gradient of layer 3 differs by 0.12 from automatic differentiation (at most 1e-08 passes)."
        )
        both = failure_sentence(3, 1.0, 0.5)
        assert "by 1 from automatic differentiation" in both
        assert "by 0.5 from a central difference (at most 1e-06 passes)" in both

    def test_of_what_is_not_finite_says_so(self) -> None:
        """A figure that could not be stored is told in words."""
        assert "an infinite amount or NaN from automatic differentiation" in failure_sentence(1, None, 1e-9)
