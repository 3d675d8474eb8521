"""The words that backend, worker and frontend share: one definition each, imported by all sides."""

from backend.contract.audit import DIFFERENCE_LIMIT, TAPE_LIMIT, RunAudit
from backend.contract.config import Backprop, Device, Network, Optimizer, Precision, Preprocessing, Quirk, TrainConfig
from backend.contract.datasets import DATASETS, DatasetFile, DatasetName, DatasetSpec
from backend.contract.jobs import JobKind, JobState
from backend.contract.lifecycle import ALLOWED_STEPS, FINAL_STATUSES, LIVE_STATUSES, MAX_LEASE_S, RunStatus
from backend.contract.messages import CHANGED_CHANNEL, TRAIN_QUEUES, TRAIN_RUN_TASK
from backend.contract.presets import PRESETS, Preset
from backend.contract.references import REFERENCES, Reference
from backend.contract.reports import (
    METRIC_NAMES,
    Attack,
    AttackResult,
    AuditVerdict,
    BatchResults,
    CheckpointFile,
    Deviation,
    EpochReport,
    ExampleReport,
    LayerMeasurement,
    Measurements,
    Phase,
    Progress,
    Report,
    Stopped,
)
from backend.contract.usage import GpuUse, SystemUse, UsePoint

__all__ = [
    "ALLOWED_STEPS",
    "CHANGED_CHANNEL",
    "DATASETS",
    "DIFFERENCE_LIMIT",
    "FINAL_STATUSES",
    "LIVE_STATUSES",
    "MAX_LEASE_S",
    "METRIC_NAMES",
    "PRESETS",
    "REFERENCES",
    "TAPE_LIMIT",
    "TRAIN_QUEUES",
    "TRAIN_RUN_TASK",
    "Attack",
    "AttackResult",
    "AuditVerdict",
    "Backprop",
    "BatchResults",
    "CheckpointFile",
    "DatasetFile",
    "DatasetName",
    "DatasetSpec",
    "Deviation",
    "Device",
    "EpochReport",
    "ExampleReport",
    "GpuUse",
    "JobKind",
    "JobState",
    "LayerMeasurement",
    "Measurements",
    "Network",
    "Optimizer",
    "Phase",
    "Precision",
    "Preprocessing",
    "Preset",
    "Progress",
    "Quirk",
    "Reference",
    "Report",
    "RunAudit",
    "RunStatus",
    "Stopped",
    "SystemUse",
    "TrainConfig",
    "UsePoint",
]
