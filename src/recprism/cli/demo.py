"""`make demo`: the grocery project from nothing to three explained lists, and how long it took.

`python -m recprism.cli.demo DIR`. A second run reuses what is there: a step is done anew only when
the project file changed since.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from recprism.artifact import ArtifactShelf, read_manifest
from recprism.cli.faults import explain_fault, say
from recprism.cli.output import write
from recprism.cli.progress import Progress
from recprism.cli.views.evaluation import evaluation_view
from recprism.cli.views.lists import answer_view
from recprism.errors import ArtifactError, RecPrismError

if TYPE_CHECKING:
    from recprism.project import Project

UNTIL = datetime(2017, 12, 1)
"""What came after this moment is held out; then everything is learned."""
USER = "1029"
ORIGIN = "Public grocery data (The Complete Journey by 84.51°, simulated from real patterns)."


@dataclass(frozen=True)
class Demo:
    """The steps of the demo in one directory; `start` is when they began, on `perf_counter`."""

    folder: Path
    user: str = USER
    until: datetime = UNTIL
    start: float = field(default_factory=perf_counter)

    def run(self) -> None:
        """All steps; raises `RecPrismError` for what the user can mend."""
        project = self.open_project()
        write(*evaluation_view(self.evaluation(project)))
        self.step(f"The report is in {self.folder / 'report.html'}")
        self.artifact(project, None)
        self.show_lists()
        self.step("Done. What to try next:")
        write(
            f"  .venv/bin/recprism recommend {self.folder} --user {self.user}",
            f"  .venv/bin/recprism recommend {self.folder} --user {self.user} --query 'for a cake'",
            f"  .venv/bin/recprism profile {self.folder} --user {self.user}",
            f"  open {self.folder / 'report.html'} in a browser",
            f"  .venv/bin/recprism serve {self.folder}, and open http://127.0.0.1:8000/docs",
        )

    def step(self, text: str) -> None:
        """Say what happens, with the time since the start."""
        write(f"[{perf_counter() - self.start:4.0f} s] {text}")

    def open_project(self) -> Project:
        """The project in the directory, written from the template when there is none."""
        from recprism.project import FILE_NAME, load_project, write_template

        if not (self.folder / FILE_NAME).is_file():
            self.step(f"Writing the grocery project to {self.folder}. {ORIGIN}")
            write_template("grocery", self.folder)
        return load_project(self.folder)

    def evaluation(self, project: Project) -> dict[str, Any]:
        """The lists after `until` beside simple rules, as measured now or in an earlier run."""
        saved = self.folder / ".recprism" / "demo.json"
        if saved.is_file() and (self.folder / "report.html").is_file():
            known = json.loads(saved.read_text(encoding="utf-8"))
            if known["project_hash"] == project.hash:
                self.step("This was measured in an earlier run:")
                return dict(known["evaluation"])
        path = self.artifact(project, self.until)
        self.step(f"Asking for the lists after {self.until:%Y-%m-%d}, which training did not see")
        found = _evaluate(project, path)
        text = json.dumps({"project_hash": project.hash, "evaluation": found}, ensure_ascii=False)
        saved.write_text(text, encoding="utf-8")
        return found

    def artifact(self, project: Project, until: datetime | None) -> Path:
        """The artifact that knows what was known before `until`, trained when there is none."""
        known = _find_artifact(project, until)
        what = "all data" if until is None else f"what was known before {until:%Y-%m-%d}"
        if known is not None:
            self.step(f"Reusing the artifact trained on {what}")
            return known
        from recprism.pipeline import train

        self.step(f"Training on {what}")
        with Progress() as progress:
            return train(project, until=until, progress=progress.share).path

    def show_lists(self) -> None:
        """Three lists with reasons for one household, as of the end of the data."""
        from recprism.engine import open_engine

        self.step(f"One profile, three lists: household {self.user}")
        write(*answer_view(open_engine(self.folder).recommend(self.user).to_dict()))


def _find_artifact(project: Project, until: datetime | None) -> Path | None:
    """The newest artifact of this very project file with this `until`."""
    shelf = ArtifactShelf.of(project.path)
    for artifact_id in reversed(shelf.ids()):
        try:
            manifest = read_manifest(shelf.path(artifact_id))
        except ArtifactError:
            continue
        ends = None if not manifest["with_later"] else datetime.fromisoformat(manifest["until"])
        if manifest["project_hash"] == project.hash and ends == until:
            return shelf.path(artifact_id)
    return None


def _evaluate(project: Project, artifact: Path) -> dict[str, Any]:
    """Measure the artifact that was trained for that, and write the report."""
    from recprism.evaluate.report import write_report
    from recprism.evaluate.trained import evaluate_artifact

    with Progress() as progress:
        found = evaluate_artifact(project, artifact, progress=progress.share)
    write_report(found, project.path / "report.html")
    return found.to_dict()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo in the directory named by the first argument; returns the exit code."""
    (folder,) = sys.argv[1:] if arguments is None else arguments
    try:
        Demo(Path(folder)).run()
    except RecPrismError as error:
        code, sentence = explain_fault(error)
        say(sentence)
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
