from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class DatasetName(StrEnum):
    """An image set with ten classes."""

    DIGITS = "digits"
    MNIST = "mnist"
    FASHION_MNIST = "fashion_mnist"
    CIFAR10 = "cifar10"


class DatasetFile(BaseModel):
    """A file that a data set is read from, and where a worker can fetch it."""

    model_config = ConfigDict(frozen=True)

    name: str
    md5: str  # of the file as it is served; the publishers give MD5, so it guards against damage, not against malice
    urls: tuple[str, ...]  # tried in this order
    unpacked: str  # its name, or its folder's, after unpacking: taken in its place where it is there

    @property
    def accepted_names(self) -> tuple[str, str]:
        """Names in the data set's folder under which the images may be given."""
        return (self.name, self.unpacked)


class DatasetSpec(BaseModel):
    """What is known of a data set before any of its files is read."""

    model_config = ConfigDict(frozen=True)

    name: DatasetName
    title: str
    train_images: int
    test_images: int
    height: int  # pixels
    width: int  # pixels
    channels: int
    files: tuple[DatasetFile, ...]  # empty: part of an installed package


_MNIST_HOSTS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
_FASHION_HOSTS = ("https://storage.googleapis.com/tensorflow/tf-keras-datasets/",)
_CIFAR_HOSTS = ("https://www.cs.toronto.edu/~kriz/",)


def _file(hosts: tuple[str, ...], name: str, md5: str, unpacked: str | None = None) -> DatasetFile:
    urls = tuple(host + name for host in hosts)
    return DatasetFile(name=name, md5=md5, urls=urls, unpacked=unpacked or name.removesuffix(".gz"))


DATASETS: dict[DatasetName, DatasetSpec] = {
    spec.name: spec
    for spec in (
        DatasetSpec(
            name=DatasetName.DIGITS,
            title="Digits, 8x8 grey (scikit-learn)",
            train_images=1437,
            test_images=360,
            height=8,
            width=8,
            channels=1,
            files=(),
        ),
        DatasetSpec(
            name=DatasetName.MNIST,
            title="MNIST, 28x28 grey",
            train_images=60_000,
            test_images=10_000,
            height=28,
            width=28,
            channels=1,
            files=(
                _file(_MNIST_HOSTS, "train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
                _file(_MNIST_HOSTS, "train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
                _file(_MNIST_HOSTS, "t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
                _file(_MNIST_HOSTS, "t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
            ),
        ),
        DatasetSpec(
            name=DatasetName.FASHION_MNIST,
            title="Fashion-MNIST, 28x28 grey",
            train_images=60_000,
            test_images=10_000,
            height=28,
            width=28,
            channels=1,
            files=(
                _file(_FASHION_HOSTS, "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                _file(_FASHION_HOSTS, "train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
                _file(_FASHION_HOSTS, "t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
                _file(_FASHION_HOSTS, "t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
            ),
        ),
        DatasetSpec(
            name=DatasetName.CIFAR10,
            title="CIFAR-10, 32x32 colour",
            train_images=50_000,
            test_images=10_000,
            height=32,
            width=32,
            channels=3,
            files=(
                _file(
                    _CIFAR_HOSTS, "cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", "cifar-10-batches-bin"
                ),
            ),
        ),
    )
}
