"""All benchmarks one after another: their tables, then a summary beside the numbers to beat.

    python -m benchmarks.everything [--data FOLDER] [--peers] [--quick] [--only NAME ...] [--json]
        [--folder DIR]

Every part runs in a process of its own, so that none holds memory while the next is measured.
`--data` is a folder with public sets in folders of their own; a part whose data is not there is
skipped with a reason. `--peers` also measures recommenders of others, for which it makes virtual
environments. `--quick` passes that on to the parts that know it. `DIR/results.json` holds all
results, written anew after each part. Exit status 1: a part failed; the others ran all the same.
2: `FOLDER` is no folder; nothing ran.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.parts import PARTS, Absent, Part, Setting
from benchmarks.sequence_files import BadFile
from benchmarks.summary import RESULTS, as_text, rows_of
from benchmarks.timing import CommandFailed, Measured, measure

from recprism.evaluate.machine import describe_machine

ROOT = Path(__file__).parents[1]
MEASURED, SKIPPED, FAILED = "measured", "skipped", "failed"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    if options.data is not None and not options.data.is_dir():
        sys.stderr.write(f"`{options.data}` is no folder; `--data` names the one with the sets.\n")
        return 2
    setting = Setting(options.data, options.folder, options.quick, options.peers)
    document = run_all(options.only or list(PARTS), setting, as_json=options.json)
    text = json.dumps(document, indent=2) + "\n" if options.json else as_text(document)
    sys.stdout.write(text)
    return 1 if any(part["state"] == FAILED for part in document["parts"].values()) else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.everything",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="folder with the public sets")
    parser.add_argument("--peers", action="store_true", help="recommenders of others too")
    parser.add_argument("--quick", action="store_true", help="a part of everything")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), metavar="NAME", help="some parts")
    parser.add_argument("--json", action="store_true", help="one JSON document in place of tables")
    parser.add_argument(
        "--folder", type=Path, default=RESULTS.parent, help="where results and projects are kept"
    )
    return parser.parse_args(arguments)


def run_all(names: Sequence[str], setting: Setting, *, as_json: bool = False) -> dict[str, Any]:
    """Run the parts in order, printing their tables; the document of all results.

    It is written to `results.json` after each part, so that an interrupted run leaves what it has.
    """
    document: dict[str, Any] = {
        "quick": setting.quick,
        "machine": describe_machine(),
        "parts": {},
        "summary": [],
    }
    setting.folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        found = run(PARTS[name], setting)
        document["parts"][name] = found
        document["summary"] = rows_of(document["parts"])
        _write(document, setting.folder / RESULTS.name)
        if not as_json:
            sys.stdout.write(_table(PARTS[name], found))
            sys.stdout.flush()
    return document


def run(part: Part, setting: Setting) -> dict[str, Any]:
    """One part: `state`, then `result` with its cost, or a `reason`. Nothing is raised."""
    sys.stderr.write(f"{part.title}\n")
    try:
        command = part.command(setting)
    except Absent as absent:
        return {"state": SKIPPED, "reason": str(absent)}
    except BadFile as error:
        return {"state": FAILED, "reason": str(error)}
    try:
        measured = measure([sys.executable, "-m", *command], {"PYTHONPATH": _path()})
    except CommandFailed as error:
        failed = {"state": FAILED, "reason": f"exit status {error.code}: {error.reason}"}
        return failed | _result(error.measured)
    found = _result(measured)
    if "result" not in found:
        return {"state": FAILED, "reason": "it gave no JSON document", **found}
    return {"state": MEASURED, **found}


def _result(measured: Measured) -> dict[str, Any]:
    """Seconds and memory of a command, and its `result` where it printed one.

    A benchmark that measured only some of its rows fails and prints the others all the same.
    """
    cost = {"seconds": round(measured.seconds, 1), "peak_mb": round(measured.peak_mb, 1)}
    try:
        result = json.loads(measured.output)
    except ValueError:
        return cost
    return {**cost, "result": result} if isinstance(result, dict) else cost


def _table(part: Part, found: Mapping[str, Any]) -> str:
    lines = [f"## {part.title}", ""]
    if "result" in found:
        lines += [part.as_text(found["result"]).strip("\n"), ""]
        lines.append(f"the whole part: {found['seconds']} s, {found['peak_mb']} MB at most")
    if found["state"] != MEASURED:
        lines.append(f"{found['state']}: {found['reason']}")
    return "\n".join([*lines, "", ""])


def _write(document: Mapping[str, Any], file: Path) -> None:
    """Replace `file` at once: a run that is stopped leaves no half document."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    part.replace(file)


def _path() -> str:
    """Where the benchmarks are found from any folder, before whatever was there."""
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


if __name__ == "__main__":
    sys.exit(main())
