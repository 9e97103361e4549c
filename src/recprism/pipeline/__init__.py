"""Offline: project file -> artifact. The only stage that knows all others.

`prepare` loads, cleans and encodes once per state of the sources; `fit` learns from what was known
before a moment; `train` does both and publishes. The steps are timed, and the times travel with the
artifact.
"""

from recprism.pipeline.erasing import Receipt, erase
from recprism.pipeline.estimate import plan
from recprism.pipeline.exporting import export_person
from recprism.pipeline.fitting import fit, validation_users
from recprism.pipeline.locking import training_lock
from recprism.pipeline.publishing import Artifact, publish, train
from recprism.pipeline.timing import Timer
from recprism.pipeline.workspace import Workspace, prepare

__all__ = [
    "Artifact",
    "Receipt",
    "Timer",
    "Workspace",
    "erase",
    "export_person",
    "fit",
    "plan",
    "prepare",
    "publish",
    "train",
    "training_lock",
    "validation_users",
]
