"""RecPrism: one profile in, every list out.

```python
import recprism as rp

project = rp.load("demo")
artifact = rp.train(project)
engine = rp.open("demo")
answer = engine.recommend(user="1029", tasks=["products", "coupons"], size=5)
```

Names are loaded when they are first used, so that `import recprism` stays quick and light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recprism.client import AsyncClient, Client
    from recprism.engine import Engine
    from recprism.engine import open_engine as open
    from recprism.errors import (
        ArtifactError,
        DataError,
        DiskFull,
        LLMUnavailable,
        MissingExtra,
        NotTrained,
        ProjectError,
        RecPrismError,
        ServiceError,
        StoreError,
        UnknownName,
        UsageError,
    )
    from recprism.pipeline import Artifact, train
    from recprism.project import Project
    from recprism.project import load_project as load
    from recprism.records import Answer, Event

__all__ = [
    "Answer",
    "Artifact",
    "ArtifactError",
    "AsyncClient",
    "Client",
    "DataError",
    "DiskFull",
    "Engine",
    "Event",
    "LLMUnavailable",
    "MissingExtra",
    "NotTrained",
    "Project",
    "ProjectError",
    "RecPrismError",
    "ServiceError",
    "StoreError",
    "UnknownName",
    "UsageError",
    "load",
    "open",
    "train",
]

_ERRORS = {name for name in __all__ if name.endswith("Error")} | {
    "DiskFull",
    "LLMUnavailable",
    "MissingExtra",
    "NotTrained",
    "UnknownName",
}
_PLACES = {
    **{name: ("recprism.errors", name) for name in _ERRORS},
    "Client": ("recprism.client", "Client"),
    "AsyncClient": ("recprism.client", "AsyncClient"),
    "Answer": ("recprism.records", "Answer"),
    "Event": ("recprism.records", "Event"),
    "Project": ("recprism.project", "Project"),
    "load": ("recprism.project", "load_project"),
    "Artifact": ("recprism.pipeline", "Artifact"),
    "train": ("recprism.pipeline", "train"),
    "Engine": ("recprism.engine", "Engine"),
    "open": ("recprism.engine", "open_engine"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("recprism")
    if name not in _PLACES:
        raise AttributeError(f"module `recprism` has no attribute `{name}`")
    module, attribute = _PLACES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
