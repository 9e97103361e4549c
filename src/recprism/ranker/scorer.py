"""The ranker online: ONNX graphs, calibration curves and medians. No torch.

A signal's share of a score is the drop of the score when that signal's numbers are set to their
training medians, floored at 0; the caller normalizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from recprism.data.dataset import FloatArray, IntArray
from recprism.ranker.calibrate import Calibration
from recprism.ranker.features import Features


@dataclass(frozen=True)
class Chances:
    """What a ranker says of n candidates.

    `logit` [n] and `goal` [n] are those of the goal; `earlier` [n, s] the probabilities of the
    funnel's actions before it, none below that of a later action.
    """

    logit: FloatArray
    goal: NDArray[np.float64]
    earlier: NDArray[np.float64]


@dataclass(frozen=True)
class TaskRanker:
    """One task's graph, its calibration and the medians of its training numbers [f].

    `earlier` calibrates the actions of the funnel before the goal, in order; empty without one.
    """

    graph: bytes
    session: ort.InferenceSession
    calibration: Calibration
    medians: FloatArray
    earlier: tuple[Calibration, ...] = ()

    @staticmethod
    def open(
        graph: bytes,
        calibration: Calibration,
        medians: FloatArray,
        earlier: Sequence[Calibration] = (),
    ) -> TaskRanker:
        """A ranker that computes on one thread: requests are small, threads are the server's."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return TaskRanker(graph, session, calibration, medians, tuple(earlier))

    def logits(self, features: Features) -> FloatArray:
        """The goal's logit of each candidate [n]."""
        return self._run(features)[0]

    def chances(self, features: Features) -> Chances:
        """Logit and calibrated probabilities of each candidate."""
        logit, *before = self._run(features)
        goal = np.asarray(self.calibration(logit), np.float64)
        earlier = np.zeros((len(goal), len(self.earlier)))
        floor = goal
        for i in reversed(range(len(self.earlier))):
            # Curves are fitted one by one; who reaches an action has reached those before it.
            floor = earlier[:, i] = np.maximum(floor, self.earlier[i](before[0][:, i]))
        return Chances(logit, goal, earlier)

    def _run(self, features: Features) -> list[FloatArray]:
        """[logit [n]], and for a funnel [n, s] of the actions before the goal."""
        if len(features.numbers) == 0:
            nothing = np.zeros((0, len(self.earlier)), np.float32)
            return [np.zeros(0, np.float32), nothing][: 1 + bool(self.earlier)]
        inputs: dict[str, NDArray[Any]] = {"numbers": features.numbers}
        if features.codes.shape[1]:  # without any codes the graph has no input for them
            inputs["codes"] = features.codes.astype(np.int64)
        outputs: list[FloatArray] = self.session.run(None, inputs)
        return outputs

    def drops(self, features: Features, signal_of: IntArray, n_signals: int) -> NDArray[np.float64]:
        """How much each score falls without each signal, [n, n_signals], in logits, at least 0."""
        n = len(features.numbers)
        numbers = np.repeat(features.numbers[None], n_signals + 1, axis=0)
        for signal in range(n_signals):
            mine = signal_of == signal
            numbers[signal + 1][:, mine] = self.medians[mine]
        codes = np.tile(features.codes, (n_signals + 1, 1))
        logit = self.logits(Features(numbers.reshape(-1, numbers.shape[2]), codes))
        table = logit.reshape(n_signals + 1, n)
        return np.asarray(np.maximum(0.0, (table[0] - table[1:]).T), np.float64)


Rankers = Mapping[str, TaskRanker]
