import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from backend.contract import TrainConfig
from backend.errors import RunFailure
from tests.unit.trainer.builders import CONFIG, images_and_labels
from worker.trainer import Training
from worker.trainer.parallel import devices_for

ROOT = Path(__file__).parents[3]

# In a process of its own: how many devices a processor is must be said before TensorFlow computes anything.
# AMSGrad gives the same weights for a gradient of any scale; the optimizer's means and squares do not hide one.
COMPARE = """
import json, sys
import numpy as np
import tensorflow as tf
from backend.contract import TrainConfig
from tests.unit.trainer.builders import images_and_labels
from worker.trainer import TrainerState, configure
from worker.trainer.layers import fused
from worker.trainer.networks import build
from worker.trainer.program import Program

configure(1)
fused.FUSED_FROM = 1  # as of a wide network, in bfloat16
processor, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
devices = [device.name for device in tf.config.list_logical_devices("CPU")]
assert len(devices) == 2

def distance(one, other):
    return max(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-300) for a, b in zip(one, other))

def flat(learned):
    return [np.asarray(tensor, np.float64).ravel() for tensor in tf.nest.flatten(learned)]

def compare(config, dtype):
    data, first, last = images_and_labels(), [], []
    for used in ([], devices):
        network = build(config)
        weights = tuple(tf.cast(w, dtype) for w in network.initial_weights((32, 32, 1), 0))
        state, program = TrainerState.start(config, weights).learned, Program(network, config, data, used)
        placed = {node.device for node in program._train.get_concrete_function(
            state, program.order(0), tf.constant(0), tf.constant(1), tf.constant(0.0, dtype)).graph.as_graph_def(
            ).library.function for node in node.node_def if node.op.startswith("Conv2D") or node.op == "MatMul"}
        assert len({name for name in placed if name}) == len(used), placed
        first.append(flat(program.train(state, 0, 1, order=program.order(0), dilation=0.5).learned.optimizer.mean))
        last.append(flat(program.train(state, 0, 4, order=program.order(0), dilation=0.5).learned))
    again = flat(program.train(state, 0, 4, order=program.order(0), dilation=0.5).learned)
    return distance(first[1], first[0]), distance(last[1], last[0]), distance(again, last[1])

print(json.dumps([
    compare(TrainConfig.model_validate(config), tf.as_dtype(dtype)) for config, dtype in json.loads(sys.argv[1])
]))
"""
CASES: tuple[tuple[str, float, dict[str, object]], ...] = (  # type of the weights, greatest relative distance, changes
    ("float64", 1e-10, {"epsilon": 0.1}),
    ("float64", 1e-10, {"epsilon": 0.1, "backprop": "dilated", "quirks": ["cost_gradient_summed"]}),
    ("float64", 1e-10, {"epsilon": 0.1, "backprop": "dilated", "network": "mlp", "width": 80}),
    ("float32", 0.1, {"epsilon": 0.1, "precision": "bfloat16"}),
)


@pytest.fixture(scope="module")
def distances() -> list[tuple[float, float, float]]:
    """How far two devices come from one in each case: first gradient, state after four steps, and a repetition."""
    cases = [
        (TrainConfig.model_validate(CONFIG.model_dump() | changes).model_dump(mode="json"), dtype)
        for dtype, _, changes in CASES
    ]
    done = subprocess.run(
        [sys.executable, "-c", COMPARE, json.dumps(cases)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[tuple[float, float, float]] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(600)  # all cases share one process, which may have to wait for the processor
class TestSeveralDevices:
    @pytest.mark.parametrize("case", range(len(CASES)))
    def test_give_what_one_gives_within_rounding(self, distances: list[tuple[float, float, float]], case: int) -> None:
        """Two simulated devices that share each batch have one's gradients, and after four steps one's whole state."""
        limit = CASES[case][1]
        gradient, state, again = distances[case]
        assert gradient <= limit
        assert state <= 10 * limit
        assert again == 0  # equal bits

    def test_that_are_not_there_fail_the_run_with_a_sentence(self) -> None:
        """Where a worker has fewer GPUs than a run asks for, the run says both numbers."""
        config = TrainConfig.model_validate(CONFIG.model_dump() | {"gpu_count": 2})
        with pytest.raises(RunFailure, match="gpu_count is 2, but this worker has 0 GPUs; ask for at most 1"):
            next(iter(Training(config, images_and_labels()).reports(lambda: False)))
            devices_for(config)

    def test_share_a_batch_equally_or_not_at_all(self) -> None:
        """A batch that the GPUs can't share is refused before anything is launched."""
        with pytest.raises(ValidationError, match="batch_size is 50, which 4 GPUs can't share equally"):
            TrainConfig(batch_size=50, gpu_count=4)

    def test_are_not_compiled_by_xla(self) -> None:
        """XLA would place the whole step on one of the GPUs without a word: the two are refused together."""
        with pytest.raises(ValidationError, match="xla compiles a step for one device, but gpu_count is 2"):
            TrainConfig(gpu_count=2, xla=True)
