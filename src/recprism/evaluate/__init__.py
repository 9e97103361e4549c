"""Hold-outs in time, metrics, simple rules to beat, and the report.

In come a project, its data set and a way to train up to a moment; out goes an `Evaluation` with
numbers, intervals and a verdict per task in plain words.
"""

from recprism.evaluate.ask import Fit, HasSignalLists, Progress, Recommender
from recprism.evaluate.results import Evaluation, TaskEvaluation
from recprism.evaluate.run import Settings, evaluate, evaluate_project

__all__ = [
    "Evaluation",
    "Fit",
    "HasSignalLists",
    "Progress",
    "Recommender",
    "Settings",
    "TaskEvaluation",
    "evaluate",
    "evaluate_project",
]
