import pytest
import tensorflow as tf

from worker import trainer


class TestEnvironment:
    def test_names_what_decides_the_bits(self) -> None:
        """Versions, processor, device and threads are told, and none of them is empty."""
        found = trainer.environment()
        assert set(found) == {"tensorflow", "numpy", "python", "cpu", "device", "threads"}
        assert all(found.values())
        assert (found["tensorflow"], found["threads"]) == (tf.__version__, "2")


class TestConfigure:
    def test_comes_too_late_once_something_was_computed(self) -> None:
        """Other threads than those already in use are refused; the same again are not."""
        tf.constant(1.0)
        with pytest.raises(RuntimeError, match="cannot be modified"):
            trainer.configure(3)
        trainer.configure(2)
