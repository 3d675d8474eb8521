from pydantic import BaseModel, ConfigDict

from backend.contract.config import Backprop, Preprocessing, TrainConfig
from backend.contract.datasets import DatasetName


class Preset(BaseModel):
    """A named configuration to launch as it is or to start from."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    description: str
    config: TrainConfig
    pair: bool = False  # launch it as manual and as dilated, side by side


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="demo",
            title="Demonstration pair",
            description="Manual against dilated on scikit-learn's digits, with adversarial gradient.",
            config=TrainConfig(),
            pair=True,
        ),
        Preset(
            name="demo-baseline",
            title="Demonstration without adversarial gradient",
            description="The same network and data with epsilon 0: what the adversarial gradient changes.",
            config=TrainConfig(epsilon=0),
        ),
        Preset(
            name="mnist-small",
            title="MNIST, small",
            description="One epoch of the seven-layer network at width 32 on raw MNIST: some minutes on two cores.",
            config=TrainConfig(
                dataset=DatasetName.MNIST, epsilon=0.5, learning_rate=2e-3, beta1=0.9, beta2=0.999, epochs=1
            ),
        ),
        Preset(
            name="cifar10-small",
            title="CIFAR-10, small",
            description="The article's colour case in a width for a CPU: standardized images, dilated.",
            config=TrainConfig(
                dataset=DatasetName.CIFAR10,
                preprocessing=Preprocessing.STANDARDIZE,
                backprop=Backprop.DILATED,
                epsilon=0.09,
                learning_rate=7e-4,
                batch_size=100,
                epochs=8,
            ),
        ),
    )
}
