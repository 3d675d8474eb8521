"""Configurations as rows hold them, for pages that must show every run, also one that this version can't read whole."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from backend.contract import TrainConfig


def config_of(stored: Mapping[str, Any]) -> TrainConfig:
    """A stored configuration, or what of it can be read, with defaults for the rest: such a run can't be trained."""
    try:
        return TrainConfig.model_validate(stored)
    except ValidationError as error:
        unread = {str(problem["loc"][0]) for problem in error.errors(include_url=False) if problem["loc"]}
    try:
        return TrainConfig.model_validate({name: value for name, value in stored.items() if name not in unread})
    except ValidationError:
        return TrainConfig()
