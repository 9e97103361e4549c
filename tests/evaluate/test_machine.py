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


def test_peak_memory_grows_with_what_is_held() -> None:
    before = peak_memory_mb()
    block = np.ones(int(before + 100) << 17)  # more megabytes of float64 than ever held
    assert peak_memory_mb() >= before + 90
    del block
