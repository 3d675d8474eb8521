"""Curves that were published, as far as they are known: nothing between the points is."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Reference(BaseModel):
    """A published training run. Epochs are 0-based, as the article counts them."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    points: Mapping[str, tuple[tuple[int, float], ...]]  # by metric: (epoch, value), accuracies as fractions


def _percent(*points: tuple[int, float]) -> tuple[tuple[int, float], ...]:
    return tuple((epoch, round(value / 100, 6)) for epoch, value in points)


REFERENCES: dict[str, Reference] = {
    reference.name: reference
    for reference in (
        Reference(
            name="case-a",
            title="article, case a (MNIST, manual)",
            points={
                "train_accuracy": _percent((0, 86.78), (2, 97.22), (9, 99.06), (20, 99.58), (26, 99.67), (50, 99.96)),
                "test_accuracy": _percent((0, 96.12), (2, 98.17), (9, 99.23), (20, 99.16), (26, 99.41), (50, 99.33)),
                "train_cost": ((0, 0.4572), (50, 0.0019)),
            },
        ),
        Reference(
            name="case-b",
            title="article, case b (CIFAR-10, manual)",
            points={
                "train_accuracy": _percent(
                    (0, 27.06), (2, 37.36), (10, 51.46), (20, 62.45), (30, 70.20), (50, 82.73), (100, 96.61)
                ),
                "test_accuracy": _percent(
                    (0, 46.70), (2, 56.47), (10, 69.77), (20, 73.23), (30, 73.51), (50, 72.64), (100, 72.34)
                ),
                "train_cost": ((0, 1.970), (10, 1.266), (50, 0.426), (100, 0.092)),
            },
        ),
        Reference(
            name="case-c",
            title="article, case c (CIFAR-10, dilated)",
            points={
                "train_accuracy": _percent(
                    (0, 26.86), (2, 37.37), (10, 50.92), (20, 66.25), (30, 73.63), (50, 81.83), (100, 90.80)
                ),
                "test_accuracy": _percent(
                    (0, 45.74), (2, 56.85), (10, 69.02), (20, 73.21), (30, 73.42), (50, 72.84), (100, 71.80)
                ),
                "train_cost": ((0, 1.975), (10, 1.271), (50, 0.443), (100, 0.237)),
            },
        ),
    )
}
