"""What is said about the machine that measured."""

from __future__ import annotations

import json
import platform
import socket

import numpy as np

from recprism.evaluate.machine import describe_machine, peak_memory_mb, usable_cpus


def test_the_machine_is_described_without_its_name() -> None:
    found = describe_machine()
    assert found["python"] == platform.python_version()
    assert found["cpus"] == usable_cpus() >= 1
    assert found["numpy"] == np.__version__
    values = {str(value) for value in json.loads(json.dumps(found)).values()}
    assert socket.gethostname() not in values


def test_peak_memory_covers_what_was_held() -> None:
    block = np.ones(64 << 17)  # 64 MB of float64
    assert peak_memory_mb() > block.nbytes / (1 << 20)
