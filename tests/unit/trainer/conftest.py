import pytest

from worker import trainer


@pytest.fixture(scope="session", autouse=True)
def _deterministic() -> None:
    """TensorFlow as a run has it: deterministic, with a fixed number of threads."""
    trainer.configure(2)
