"""The ranker online: ONNX graphs, calibration curves and medians. No torch.

A signal's share of a score is the drop of the score when that signal's numbers are set to their
training medians, floored at 0; the caller normalizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from recprism.data.dataset import FloatArray, IntArray
from recprism.ranker.calibrate import Calibration
from recprism.ranker.features import Features


@dataclass(frozen=True)
class TaskRanker:
    """One task's graph, its calibration and the medians of its training numbers [f]."""

    graph: bytes
    session: ort.InferenceSession
    calibration: Calibration
    medians: FloatArray

    @staticmethod
    def open(graph: bytes, calibration: Calibration, medians: FloatArray) -> TaskRanker:
        """A ranker that computes on one thread: requests are small, threads are the server's."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return TaskRanker(graph, session, calibration, medians)

    def logits(self, features: Features) -> FloatArray:
        """One logit per candidate [n]."""
        if len(features.numbers) == 0:
            return np.zeros(0, np.float32)
        inputs: dict[str, NDArray[Any]] = {"numbers": features.numbers}
        if features.codes.shape[1]:  # without any codes the graph has no input for them
            inputs["codes"] = features.codes.astype(np.int64)
        logit: FloatArray = self.session.run(None, inputs)[0]
        return logit

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
