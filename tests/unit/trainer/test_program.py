import math
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from backend.contract import TrainConfig
from tests.unit.trainer import oracle
from tests.unit.trainer.builders import (
    BATCH,
    BATCHES,
    CONFIG,
    TRAIN_IMAGES,
    images_and_labels,
    many_test_images,
    start,
)
from worker.trainer import TrainerState, TrainingData
from worker.trainer.networks import build
from worker.trainer.program import Program, on_device
from worker.trainer.state import Learned, Sums
from worker.trainer.step import training_step


def bits(learned: Learned) -> list[bytes]:
    """Every number of a state: weights, AMSGrad's memory and sums."""
    return [np.asarray(part).tobytes() for part in tf.nest.flatten(learned)]


def trained(program: Program, state: TrainerState, epochs: int, calls: list[int]) -> TrainerState:
    """The state at the end of so many epochs, if each call takes as many batches as `calls` says, over and over."""
    number = 0
    while state.epoch < epochs:
        while state.batch < program.train_batches:
            count = min(calls[number % len(calls)], program.train_batches - state.batch)
            number += 1
            order = program.order(state.epoch)
            learned = program.train(state.learned, state.batch, count, order=order, dilation=None).learned
            state = state.after(learned, state.batch + count, 0.0)
        state = state.next_epoch()
    return state


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """44 images to train with, 21 to test with."""
    return images_and_labels()


@pytest.fixture(scope="module")
def program(data: TrainingData) -> Program:
    """The compiled loops of a tiny run."""
    return Program(build(CONFIG), CONFIG, data)


class TestOrder:
    def test_takes_every_image_once(self, program: Program) -> None:
        """An epoch's order is a permutation of all training images, those that fill no batch included."""
        assert sorted(program.order(3).numpy()) == list(range(TRAIN_IMAGES))

    def test_is_decided_by_seed_and_epoch_alone(self, data: TrainingData, program: Program) -> None:
        """Equal seeds and epochs give equal orders, whatever was drawn before; others give others."""
        again = Program(build(CONFIG), CONFIG.model_copy(update={"learning_rate": 1.0, "width": 3}), data)
        later = program.order(7).numpy()
        assert np.array_equal(again.order(7), later)
        other = Program(build(CONFIG), CONFIG.model_copy(update={"seed": CONFIG.seed + 1}), data)
        orders = [
            tuple(order.numpy()) for order in (program.order(0), program.order(1), other.order(0), other.order(1))
        ]
        assert len(set(orders)) == 4

    def test_of_neighbours_is_not_shared(self, data: TrainingData, program: Program) -> None:
        """Seed 1 at epoch 0 is not seed 0 at epoch 1: runs with neighbouring seeds are independent."""
        other = Program(build(CONFIG), CONFIG.model_copy(update={"seed": CONFIG.seed + 1}), data)
        assert not np.array_equal(other.order(0), program.order(1))


class TestTrain:
    def test_is_one_step_after_another(self, data: TrainingData, program: Program) -> None:
        """An epoch is a step for each whole batch of its order: 5 of 8 images, and the last 4 are dropped."""
        order = program.order(0)
        learned = start(CONFIG)
        for batch in range(BATCHES):
            chosen = order.numpy()[batch * BATCH : (batch + 1) * BATCH]
            x, labels = tf.constant(data.train_images[chosen]), data.train_labels[chosen]
            learned = training_step(build(CONFIG), CONFIG, learned, x, labels, None)
        assert program.train_batches == BATCHES
        found = program.train(start(CONFIG), 0, BATCHES, order=order, dilation=None).learned
        assert int(found.sums.correct) == int(learned.sums.correct)
        assert float(found.sums.cost) == pytest.approx(float(learned.sums.cost), rel=1e-6)
        for k in range(7):
            # Compiled, some operations are fused and round otherwise; AMSGrad divides a small gradient by its own size.
            assert oracle.relative_error(found.weights[k], learned.weights[k]) < 1e-4

    def test_does_not_read_the_images_that_fill_no_batch(self, data: TrainingData, program: Program) -> None:
        """What the dropped images hold changes no bit."""
        order = program.order(0)
        images = data.train_images.copy()
        images[order.numpy()[BATCHES * BATCH :]] = math.nan
        other = Program(build(CONFIG), CONFIG, replace(data, train_images=images))
        found = [each.train(start(CONFIG), 0, BATCHES, order=order, dilation=None).learned for each in (program, other)]
        assert bits(found[0]) == bits(found[1])

    def test_tells_what_came_of_every_batch(self, program: Program) -> None:
        """Costs and accuracies of the batches, wherever calls end, are what the sums of the epoch are made of."""
        state, order = start(CONFIG), program.order(0)
        whole = program.train(state, 0, BATCHES, order=order, dilation=None)
        pieces = [program.train(state, 0, 1, order=order, dilation=None)]
        pieces.append(program.train(pieces[0].learned, 1, BATCHES - 1, order=order, dilation=None))
        for name in ("costs", "accuracies"):
            assert np.array_equal(getattr(whole, name), np.concatenate([getattr(piece, name) for piece in pieces]))
        assert len(whole.costs) == BATCHES
        assert whole.costs.sum() * BATCH == pytest.approx(float(whole.learned.sums.cost), rel=1e-6)
        assert np.rint(whole.accuracies * BATCH).sum() == int(whole.learned.sums.correct)

    def test_gives_equal_bits_wherever_calls_end(self, program: Program) -> None:
        """Weights, AMSGrad's memory and sums are equal to the last bit, however batches are shared out to calls."""
        whole, single, mixed = (
            trained(program, TrainerState.start(CONFIG, start(CONFIG).weights), 2, calls)
            for calls in ([99], [1], [2, 1])
        )
        assert bits(whole.learned) == bits(single.learned) == bits(mixed.learned)
        assert bits(whole.learned) != bits(start(CONFIG))

    def test_goes_on_from_a_saved_state(self, data: TrainingData, program: Program) -> None:
        """A state saved within an epoch, read back and trained on by a new program ends with the same bits."""
        unbroken = trained(program, TrainerState.start(CONFIG, start(CONFIG).weights), 3, [99])
        begun = trained(program, TrainerState.start(CONFIG, start(CONFIG).weights), 1, [99])
        learned = program.train(begun.learned, 0, 2, order=program.order(1), dilation=None).learned
        saved = [np.asarray(part) for part in tf.nest.flatten(learned)]
        read = tf.nest.pack_sequence_as(start(CONFIG), [tf.constant(part) for part in saved])
        resumed = trained(Program(build(CONFIG), CONFIG, data), TrainerState(read, epoch=1, batch=2), 3, [99])
        assert bits(resumed.learned) == bits(unbroken.learned)

    def test_of_no_batches_changes_nothing(self, program: Program) -> None:
        """Preparing compiles both loops and trains nothing."""
        begun = start(CONFIG)
        program.prepare(begun)
        assert bits(program.train(begun, 0, 0, order=program.order(0), dilation=None).learned) == bits(start(CONFIG))


class TestXla:
    @pytest.mark.parametrize("network", ["conv7", "mlp"])
    def test_computes_the_same_within_rounding(self, data: TrainingData, network: str) -> None:
        """Compiled by XLA some steps give the weights that they give without, but for the last bits."""
        config = TrainConfig.model_validate(CONFIG.model_dump() | {"network": network, "epsilon": 0.1})
        found = []
        for xla in (False, True):
            each = config.model_copy(update={"xla": xla})
            begun = TrainerState.start(each, build(each).initial_weights((32, 32, 1), 0)).learned
            program = Program(build(each), each, data)
            found.append(program.train(begun, 0, 3, order=program.order(0), dilation=None).learned)
        for one, other in zip(found[0].weights, found[1].weights, strict=True):
            assert np.allclose(one, other, atol=2e-4)
        assert float(found[0].sums.cost) == pytest.approx(float(found[1].sums.cost), rel=1e-4)


class TestEvaluate:
    def test_counts_every_test_image_once(self) -> None:
        """The incomplete last batch is tested too, and no image twice."""
        config, data = many_test_images()
        program, weights = Program(build(config), config, data), start(config).weights
        logits = oracle.logits(weights, tf.constant(data.test_images)).numpy()
        costs = tf.nn.sparse_softmax_cross_entropy_with_logits(data.test_labels, logits)
        assert program.test_batches == 3
        sums = program.evaluate(Sums.zero(), 0, 3, weights=weights)
        assert int(sums.correct) == (logits.argmax(axis=1) == data.test_labels).sum()
        assert float(sums.cost) == pytest.approx(float(tf.reduce_sum(costs)), rel=1e-6)

        pieces = program.evaluate(Sums.zero(), 0, 1, weights=weights)
        pieces = program.evaluate(pieces, 1, 2, weights=weights)
        assert (float(pieces.cost), int(pieces.correct)) == (float(sums.cost), int(sums.correct))


class TestRefusals:
    def test_of_too_few_images(self, data: TrainingData) -> None:
        """A run without a whole batch or without a test image is refused, and the numbers are named."""
        with pytest.raises(ValueError, match="at least 45 training images, its batch_size, and one test image"):
            Program(build(CONFIG), CONFIG.model_copy(update={"batch_size": 45}), data)
        with pytest.raises(ValueError, match="there are 44 and 0"):
            Program(
                build(CONFIG), CONFIG, replace(data, test_images=data.test_images[:0], test_labels=data.test_labels[:0])
            )

    def test_of_images_of_another_size(self, data: TrainingData) -> None:
        """Images that the network does not take are refused before anything is trained."""
        program = Program(build(CONFIG), CONFIG, replace(data, train_images=data.train_images[:, :28, :28]))
        with pytest.raises(ValueError, match="32x32 pixels, not 28x28"):
            program.prepare(start(CONFIG))


class TestOnDevice:
    def test_uses_the_images_where_they_are(self) -> None:
        """Images at an address that TensorFlow can use are not copied: they are large."""
        room = np.arange(8 * 16 + 16, dtype=np.float32)
        first = -room.ctypes.data % 64 // 4
        images = room[first : first + 8 * 16].reshape(8, 4, 4, 1)
        tensor = on_device(images)
        images[3, 2, 1, 0] = -5
        assert np.array_equal(tensor, images)

    @pytest.mark.parametrize("shift", [1, 4])
    def test_copies_images_that_lie_otherwise(self, shift: int) -> None:
        """Images at any other address, or that may not be written to, are copied and equal."""
        room = np.arange(8 * 16 + 32, dtype=np.float32)
        first = -room.ctypes.data % 64 // 4
        images = room[first + shift : first + shift + 8 * 16].reshape(8, 4, 4, 1)
        constant = room[first : first + 8 * 16].reshape(8, 4, 4, 1)
        constant.flags.writeable = False
        for given in (images, constant, np.asfortranarray(images)):
            tensor = on_device(given)
            assert np.array_equal(tensor, given)
            assert tensor.shape == given.shape

    def test_keeps_the_images_alive(self) -> None:
        """A tensor outlives the array that it was made of."""
        room = np.full(2**20 + 16, 7, np.float32)
        first = -room.ctypes.data % 64 // 4
        tensor = on_device(room[first : first + 2**20])
        del room
        assert np.unique(tensor).tolist() == [7]
