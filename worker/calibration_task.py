"""The process that measures how fast this host trains: `python -m worker.calibration_task NETWORK PRECISION THREADS`.

It trains a few batches of random images, and prints a line a width: the width, and multiply-adds a second.
"""

import os
import sys
import threading

NICENESS = 19


def main(network: str, precision: str, threads: int) -> int:
    """Measure, and print; ended early, it has printed what it knows by then."""
    os.nice(NICENESS)
    threading.Thread(target=_hold_leash, name="leash", daemon=True).start()
    # TensorFlow takes seconds to import: who is gone by then is seen before.
    import numpy as np  # noqa: PLC0415

    from backend.contract import DatasetName, EpochReport, Network, Precision, TrainConfig  # noqa: PLC0415
    from backend.contract.work import epoch_multiply_adds  # noqa: PLC0415
    from worker import trainer  # noqa: PLC0415
    from worker.calibration import BATCH, EPOCHS, IMAGES, WIDTHS  # noqa: PLC0415

    trainer.configure(threads)
    generator = np.random.default_rng(0)
    shape = (32, 32, 1) if Network(network) is Network.CONV7 else (28, 28, 1)
    images = generator.integers(0, 256, (IMAGES, *shape)).astype(np.float32)
    labels = generator.integers(0, 10, IMAGES).astype(np.int32)
    data = trainer.TrainingData(images, labels, images[:BATCH], labels[:BATCH])
    for width in WIDTHS[Network(network)]:
        config = TrainConfig(
            network=Network(network),
            precision=Precision(precision),
            dataset=DatasetName.MNIST,
            width=width,
            batch_size=BATCH,
            train_images=IMAGES,
            test_images=BATCH,
            epochs=EPOCHS,
            learning_rate=1e-6,
            audit_every=0,
        )
        reports = trainer.train(config, data, stop=lambda: False)
        seconds = [report.epoch_seconds for report in reports if isinstance(report, EpochReport)]
        # The first epochs trace and warm up; the fastest is the one that others disturbed least.
        sys.stdout.write(f"{width} {epoch_multiply_adds(config) / min(seconds)}\n")
        sys.stdout.flush()
    return 0


def _hold_leash() -> None:
    # Past the buffer of sys.stdin: its lock, held by this thread, would abort the interpreter at its end.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
