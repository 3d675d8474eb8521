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
COMPARE = """
import sys
import numpy as np
import tensorflow as tf
from backend.contract import TrainConfig
from tests.unit.trainer.builders import CONFIG, images_and_labels
from worker.trainer import TrainerState
from worker.trainer.networks import build
from worker.trainer.program import Program

processor, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
devices = [device.name for device in tf.config.list_logical_devices("CPU")]
assert len(devices) == 2
config = TrainConfig.model_validate_json(sys.argv[1])
data = images_and_labels()
found = []
for used in ([], devices):
    network = build(config)
    state = TrainerState.start(config, network.initial_weights((32, 32, 1), 0)).learned
    program = Program(network, config, data, used)
    placed = {node.device for node in program._train.get_concrete_function(
        state, program.order(0), tf.constant(0), tf.constant(1), tf.constant(0.0)).graph.as_graph_def(
        ).library.function for node in node.node_def if node.op.startswith("Conv2D") or node.op == "MatMul"}
    assert len({name for name in placed if name}) == len(used), placed
    found.append(program.train(state, 0, 4, order=program.order(0), dilation=0.5))
for one, other in zip(tf.nest.flatten(found[0].weights), tf.nest.flatten(found[1].weights)):
    assert np.allclose(one, other, atol=2e-4), np.abs(one - other).max()
assert int(found[0].sums.correct) == int(found[1].sums.correct)
assert np.isclose(float(found[0].sums.cost), float(found[1].sums.cost), rtol=1e-5)
"""


class TestSeveralDevices:
    @pytest.mark.parametrize(
        "changes",
        [
            {"epsilon": 0.1},
            {"network": "mlp", "epsilon": 0.1, "backprop": "dilated"},
            {"quirks": ["cost_gradient_summed"], "epsilon": 0},
        ],
    )
    def test_give_what_one_gives_within_rounding(self, changes: dict[str, object]) -> None:
        """Two simulated devices that share each batch end at one device's weights, within float32's rounding."""
        config = TrainConfig.model_validate(CONFIG.model_dump() | changes)
        done = subprocess.run(
            [sys.executable, "-c", COMPARE, config.model_dump_json()],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-3000:]

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
