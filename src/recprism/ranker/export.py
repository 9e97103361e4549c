"""A trained ranker as ONNX graphs and arrays, so that serving needs no torch."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import torch

from recprism.ranker.network import OneTask
from recprism.ranker.train import TrainedRanker

OPSET = 18


def export_onnx(ranker: TrainedRanker) -> dict[str, bytes]:
    """One graph per task: inputs `numbers` [n, f] float32 and `codes` [n, k] int64, output `logit`
    [n] float32."""
    return {
        task: _graph(OneTask(network, i), ranker)
        for i, (task, network) in enumerate(zip(ranker.tasks, ranker.networks, strict=True))
    }


def _graph(model: OneTask, ranker: TrainedRanker) -> bytes:
    numbers = torch.zeros((3, ranker.medians.shape[1]))
    codes = torch.zeros((3, len(ranker.code_sizes)), dtype=torch.int64)
    rows = torch.export.Dim("rows", min=1)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            model.eval(),
            (numbers, codes),
            input_names=["numbers", "codes"],
            output_names=["logit"],
            dynamic_shapes=({0: rows}, {0: rows}),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
            external_data=False,
        )
        assert program is not None
        path = Path(folder) / "graph.onnx"
        program.save(path)
        return path.read_bytes()
