"""What can be launched: presets, the form's schema, data sets."""

from typing import Any

from fastapi import APIRouter

from backend.api.schemas import DatasetInfo, LaunchRequest, PresetInfo
from backend.contract import DATASETS, PRESETS
from backend.contract.datasets import DatasetSpec
from backend.dependencies import LabDep
from backend.settings import Settings

router = APIRouter(tags=["catalog"])


@router.get("/presets")
def list_presets() -> list[PresetInfo]:
    """Named configurations."""
    return [PresetInfo(**preset.model_dump()) for preset in PRESETS.values()]


@router.get("/schema")
def get_schema() -> dict[str, Any]:
    """The JSON schema of a launch: names, limits, defaults and descriptions, from which the form is made."""
    return LaunchRequest.model_json_schema()


@router.get("/datasets")
def list_datasets(lab: LabDep) -> list[DatasetInfo]:
    """The data sets, and which of their files are here."""
    return [_dataset_info(spec, lab.settings) for spec in DATASETS.values()]


def _dataset_info(spec: DatasetSpec, settings: Settings) -> DatasetInfo:
    folder = settings.datasets_dir / spec.name
    missing = [file.name for file in spec.files if not any((folder / name).exists() for name in file.accepted_names)]
    return DatasetInfo(
        name=spec.name,
        title=spec.title,
        train_images=spec.train_images,
        test_images=spec.test_images,
        height=spec.height,
        width=spec.width,
        channels=spec.channels,
        ready=not missing,
        folder=f"datasets/{spec.name}" if spec.files else None,
        missing=missing,
    )
