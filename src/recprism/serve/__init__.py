"""The HTTP service: several lists per request, events that count at once, keys, metrics.

In come requests under `/v1`, out go documents of the contract, or errors of one shape. The one
decision worth knowing: the application is made of an engine, a store and settings, and knows
nothing of processes; `running` starts workers around it.
"""

from recprism.serve.app import create_app
from recprism.serve.settings import Settings

__all__ = ["Settings", "create_app"]
