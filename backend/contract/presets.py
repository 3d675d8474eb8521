from typing import Any

from pydantic import BaseModel, ConfigDict

from backend.contract.config import Backprop, Network, Optimizer, Preprocessing, Quirk, TrainConfig
from backend.contract.datasets import DatasetName


class Preset(BaseModel):
    """A named configuration to launch as it is or to start from."""

    model_config = ConfigDict(frozen=True)

    name: str
    group: str  # of presets that belong together, in words
    title: str
    description: str
    config: TrainConfig
    pair: bool = False  # launch it as manual and as dilated, side by side


_SMALL_WIDTH = 32  # trained in minutes on two cores

_CASE_A = TrainConfig(
    width=128,
    dataset=DatasetName.MNIST,
    epsilon=0.5,
    learning_rate=7e-5,
    batch_size=50,
    epochs=51,
    quirks=tuple(Quirk),
)
_CASE_B = TrainConfig(
    width=256,
    dataset=DatasetName.CIFAR10,
    preprocessing=Preprocessing.STANDARDIZE,
    epsilon=0.09,
    learning_rate=7e-4,
    batch_size=100,
    epochs=101,
    quirks=tuple(Quirk),
)
_CASE_C = _CASE_B.model_copy(update={"backprop": Backprop.DILATED, "dilation_proportion": 0.5, "dilation_decay": 0.05})
_PAPER_MLP = TrainConfig(
    network=Network.MLP,
    width=400,
    dataset=DatasetName.MNIST,
    preprocessing=Preprocessing.UNIT,
    epsilon=0.08,
    optimizer=Optimizer.ADAM,
    learning_rate=1e-4,
    beta1=0.9,
    beta2=0.999,
    bias_correction=True,
    batch_size=32,
    epochs=150,
)


def _changed(config: TrainConfig, **changes: Any) -> TrainConfig:
    return TrainConfig.model_validate(config.model_dump() | changes)


def _case(letter: str, what: str, published: str, config: TrainConfig, small_epochs: int) -> list[Preset]:
    """A case of the article, its exact twin, its baseline, and a small relative."""
    name, group = f"case-{letter}", f"The article's case {letter}: {what}"
    exact = _changed(config, quirks=())
    return [
        Preset(
            name=name,
            group=group,
            title=f"Case {letter}, as published",
            description=f"The arithmetic of the scripts of 2018, all quirks. Published test accuracy: {published}.",
            config=config,
        ),
        Preset(
            name=f"{name}-exact",
            group=group,
            title=f"Case {letter}, exact",
            description="The same by the article's formulas: what the quirks cost.",
            config=exact,
        ),
        Preset(
            name=f"{name}-baseline",
            group=group,
            title=f"Case {letter}, baseline",
            description="Exact, and without adversarial gradient: epsilon 0.",
            config=_changed(exact, epsilon=0),
        ),
        Preset(
            name=f"{name}-small",
            group=group,
            title=f"Case {letter}, small",
            description=f"Exact, at width {_SMALL_WIDTH} and for {small_epochs} epochs, which suits a CPU.",
            config=_changed(exact, width=_SMALL_WIDTH, epochs=small_epochs),
        ),
    ]


_DEMO_GROUP = "To begin with"
_MLP_GROUP = "The paper's permutation-invariant MNIST"

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="demo",
            group=_DEMO_GROUP,
            title="Demonstration pair",
            description="Manual against dilated on scikit-learn's digits, with adversarial gradient.",
            config=TrainConfig(),
            pair=True,
        ),
        Preset(
            name="demo-baseline",
            group=_DEMO_GROUP,
            title="Demonstration without adversarial gradient",
            description="The same network and data with epsilon 0: what the adversarial gradient changes.",
            config=TrainConfig(epsilon=0),
        ),
        Preset(
            name="mnist-small",
            group=_DEMO_GROUP,
            title="MNIST, one quick epoch",
            description="The seven-layer network at width 32 on raw MNIST: some minutes on two cores.",
            config=TrainConfig(
                dataset=DatasetName.MNIST, epsilon=0.5, learning_rate=2e-3, beta1=0.9, beta2=0.999, epochs=1
            ),
        ),
        *_case("a", "MNIST, manual", "99.41 % at best, 99.33 % at the end", _CASE_A, 3),
        *_case("b", "CIFAR-10, manual", "73.51 % at best, 72.34 % at the end", _CASE_B, 8),
        *_case("c", "CIFAR-10, dilated", "74.19 % at best, 71.80 % at the end", _CASE_C, 8),
        Preset(
            name="paper-mlp",
            group=_MLP_GROUP,
            title="MLP of the paper",
            description="Two hidden layers of 400 and Adam. Published: 0.93 % test error by public Theano code.",
            config=_PAPER_MLP,
        ),
        Preset(
            name="paper-mlp-baseline",
            group=_MLP_GROUP,
            title="MLP, baseline",
            description="Without adversarial gradient. Test error in the paper's abstract: 1.40 %, and 0.78 % with it.",
            config=_changed(_PAPER_MLP, epsilon=0),
        ),
        Preset(
            name="paper-mlp-small",
            group=_MLP_GROUP,
            title="MLP, short",
            description="The same for 10 epochs.",
            config=_changed(_PAPER_MLP, epochs=10),
        ),
    )
}
