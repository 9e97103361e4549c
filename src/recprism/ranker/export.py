"""A trained ranker as ONNX graphs and arrays, so that serving needs no torch."""

from __future__ import annotations

import io
import warnings
from typing import Any, cast

import torch

from recprism.ranker.network import OneTask
from recprism.ranker.train import TrainedRanker

OPSET = 18


def export_onnx(ranker: TrainedRanker) -> dict[str, bytes]:
    """One graph per task: inputs `numbers` [n, f] float32 and `codes` [n, k] int64, output `logit`
    [n] float32 and, for a funnel, `earlier` [n, s], the logits of the actions before the goal."""
    return {
        task: _graph(OneTask(network, i), ranker)
        for i, (task, network) in enumerate(zip(ranker.tasks, ranker.networks, strict=True))
    }


def _graph(model: OneTask, ranker: TrainedRanker) -> bytes:
    """The graph that tracing yields.

    The older exporter on purpose: the newer one takes 4 s a graph, this one 0.1 s, and a network
    without branches on its data is traced in full.
    """
    numbers = torch.zeros((3, ranker.medians.shape[1]))
    codes = torch.zeros((3, len(ranker.code_sizes)), dtype=torch.int64)
    outputs = ["logit", "earlier"] if model.network.n_actions[model.task] > 1 else ["logit"]
    rows: dict[int, str] = {0: "rows"}
    graph = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own age
        torch.onnx.export(
            model.eval(),
            (numbers, codes),
            cast("Any", graph),  # it writes to buffers too, its type says only paths
            input_names=["numbers", "codes"],
            output_names=outputs,
            dynamic_axes={name: rows for name in ("numbers", "codes", *outputs)},
            opset_version=OPSET,
            dynamo=False,
        )
    return graph.getvalue()
