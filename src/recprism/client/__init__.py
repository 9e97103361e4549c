"""A typed client of the HTTP service, for programs with and without an event loop."""

from recprism.client.asynchronous import AsyncClient
from recprism.client.synchronous import Client

__all__ = ["AsyncClient", "Client"]
