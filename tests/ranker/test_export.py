"""What is served is what was trained: graphs equal networks, drops are drops of the score."""

from __future__ import annotations

import numpy as np
import onnx

from recprism.ranker.calibrate import fit_calibration
from recprism.ranker.export import export_onnx
from recprism.ranker.features import Features
from recprism.ranker.samples import Samples
from recprism.ranker.scorer import TaskRanker
from recprism.ranker.train import TrainedRanker, train_ranker
from recprism.ranker.validate import predict
from recprism.testing.planted import CODES, config, lists, task

DATA = {"one": task(32, number=0), "two": task(16, color=1)}


def trained() -> TrainedRanker:
    return train_ranker(DATA, CODES, config(epochs=2))


def opened(ranker: TrainedRanker) -> dict[str, TaskRanker]:
    graphs, found = export_onnx(ranker), {}
    for i, (name, data) in enumerate(DATA.items()):
        logit = predict(ranker.networks[i], i, data.valid)[:, 0]
        calibration = fit_calibration(logit, data.valid.label)
        found[name] = TaskRanker.open(graphs[name], calibration, ranker.medians[i])
    return found


def features_of(samples: Samples) -> Features:
    return Features(samples.numbers.astype(np.float32), samples.codes.astype(np.int32))


def test_a_served_task_scores_as_its_network_does() -> None:
    ranker = trained()
    for i, (name, served) in enumerate(opened(ranker).items()):
        for n in (1, 3, 20):
            samples = lists(n, seed=50 + n)
            wanted = predict(ranker.networks[i], i, samples)[:, 0]
            # Training keeps prepared numbers in half precision, serving does not.
            np.testing.assert_allclose(served.logits(features_of(samples)), wanted, atol=2e-2)
            exact = ranker.networks[i](*_tensors(samples), i).detach().numpy()[:, 0]
            np.testing.assert_allclose(
                served.logits(features_of(samples)), exact, rtol=1e-4, atol=1e-4
            )
        onnx.checker.check_model(onnx.load_from_string(served.graph))
        assert name in DATA


def _tensors(samples: Samples) -> tuple[object, object]:
    import torch

    return (
        torch.from_numpy(samples.numbers.astype(np.float32)),
        torch.from_numpy(samples.codes.astype(np.int64)),
    )


def test_a_project_without_labels_is_served_too() -> None:
    bare = {
        name: type(data)(*(_without_codes(part) for part in (data.train, data.valid)))
        for name, data in DATA.items()
    }
    ranker = train_ranker(bare, {}, config(epochs=1))
    graph = export_onnx(ranker)["one"]
    calibration = fit_calibration(np.zeros(0, np.float32), np.zeros(0, np.int8))
    served = TaskRanker.open(graph, calibration, ranker.medians[0])
    found = served.logits(features_of(bare["one"].valid))
    wanted = predict(ranker.networks[0], 0, bare["one"].valid)[:, 0]
    np.testing.assert_allclose(found, wanted, atol=2e-2)


def _without_codes(samples: Samples) -> Samples:
    arrays = samples.to_arrays()
    return Samples.from_arrays(arrays | {"codes": arrays["codes"][:, :0]})


def test_an_empty_shortlist_has_no_logits() -> None:
    served = opened(trained())["one"]
    nobody = features_of(lists(1, seed=0).between(1, 2))
    assert len(served.logits(nobody)) == 0
    assert served.drops(nobody, np.zeros(5, np.int32), 3).shape == (0, 3)


def test_a_signals_drop_is_what_the_score_loses_without_its_numbers() -> None:
    served = opened(trained())["one"]
    signal_of = np.array([0, 0, 1, -1, 3], np.int32)
    features = features_of(lists(4, seed=9))
    found = served.drops(features, signal_of, 4)
    full = served.logits(features)
    for signal in range(4):
        numbers = features.numbers.copy()
        numbers[:, signal_of == signal] = served.medians[signal_of == signal]
        lost = full - served.logits(Features(numbers, features.codes))
        np.testing.assert_allclose(found[:, signal], np.maximum(0, lost), atol=1e-5)
    assert found.shape == (len(full), 4)
    assert not found[:, 2].any()  # no number belongs to that signal
    assert found[:, 0].any()


def test_the_signal_behind_the_rule_drops_most() -> None:
    served = opened(train_ranker(DATA, CODES, config(epochs=8)))["one"]
    samples = lists(20, seed=77, number=0)
    drops = served.drops(features_of(samples), np.arange(5, dtype=np.int32), 5)
    assert int(drops[samples.label == 1].mean(axis=0).argmax()) == 0
