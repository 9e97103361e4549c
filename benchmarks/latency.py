"""Milliseconds of `engine.recommend` for all lists of one user, reasons included.

    python -m benchmarks.latency DIR USERS_FILE

Meant to be started by another benchmark with an environment that allows one thread. Prints one JSON
document; the first requests warm up and are not counted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

import recprism

WARM_UP = 20


def main(arguments: Sequence[str] | None = None) -> int:
    folder, users_file = sys.argv[1:] if arguments is None else arguments
    users = Path(users_file).read_text(encoding="utf-8").split()
    start = perf_counter()
    engine = recprism.open(folder)
    open_s = perf_counter() - start
    for user in users[:WARM_UP]:
        engine.recommend(user=user)
    ms = np.zeros(len(users))
    for row, user in enumerate(users):
        start = perf_counter()
        engine.recommend(user=user)
        ms[row] = (perf_counter() - start) * 1000.0
    p50, p99 = np.quantile(ms, [0.5, 0.99])
    result = {
        "p50": round(float(p50), 3),
        "p99": round(float(p99), 3),
        "mean": round(float(ms.mean()), 3),
        "requests": len(users),
        "open_s": round(open_s, 3),
    }
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
