"""The one name under which the untyped tensors of TensorFlow go here."""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # tf.Tensor; its stubs refuse most arithmetic between tensors and numbers
