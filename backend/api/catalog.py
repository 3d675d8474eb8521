"""What can be launched: presets, the form's schema, how long it takes."""

from typing import Any

from fastapi import APIRouter

from backend.api.expectation import Expectation
from backend.api.schemas.launch import EstimateInfo, LaunchRequest, PresetInfo
from backend.contract import PRESETS, REFERENCES, Reference
from backend.db import workers
from backend.dependencies import LabDep
from backend.estimates import estimate_launch
from backend.submission import LaunchOrder

router = APIRouter(tags=["catalog"])


@router.get("/presets")
def list_presets(lab: LabDep) -> list[PresetInfo]:
    """Named configurations, and how long each is likely to take here."""
    infos = []
    with lab.database.read() as session:
        slots, expectation = workers.alive_slots(session) or lab.settings.slots, Expectation(session)
        for preset in PRESETS.values():
            order = LaunchOrder(preset.config, [preset.config.seed], preset.pair)
            configs = [config for _, config in order.configurations()]
            found = estimate_launch(configs, expectation.of, slots, expectation.start_seconds)
            total_seconds = found.total_seconds if found else None
            infos.append(PresetInfo(**preset.model_dump(), runs=len(configs), total_seconds=total_seconds))
    return infos


@router.post("/estimates")
def estimate(body: LaunchRequest, lab: LabDep) -> EstimateInfo:
    """How long a launch is likely to take; nothing is launched."""
    configs = [config for _, config in body.order().configurations()]
    with lab.database.read() as session:
        slots, expectation = workers.alive_slots(session) or lab.settings.slots, Expectation(session)
        found = estimate_launch(configs, expectation.of, slots, expectation.start_seconds)
    if found is None:
        return EstimateInfo(
            runs=len(configs), epoch_seconds=None, run_seconds=None, total_seconds=None, basis=None, based_on=[]
        )
    return EstimateInfo(
        runs=len(configs),
        epoch_seconds=found.longest.epoch_seconds,
        run_seconds=found.longest_seconds,
        total_seconds=found.total_seconds,
        basis="runs" if found.based_on else "calibration",
        based_on=list(found.based_on),
    )


@router.get("/references")
def list_references() -> list[Reference]:
    """Published curves, at the epochs at which they are known."""
    return list(REFERENCES.values())


@router.get("/schema")
def get_schema() -> dict[str, Any]:
    """The JSON schema of a launch: names, limits, defaults and descriptions, from which the form is made."""
    return LaunchRequest.model_json_schema()
