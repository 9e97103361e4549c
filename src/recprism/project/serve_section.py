"""The section `serve` of a project file: the limits of the HTTP service."""

from __future__ import annotations

from pydantic import Field, StrictFloat, StrictInt

from recprism.project.fields import Section, Switch


class Serve(Section):
    max_body_kb: StrictInt = Field(default=4096, ge=1, le=1_048_576)
    """Largest body of a request, in units of 1,024 bytes; more is answered with 413."""
    max_batch: StrictInt = Field(default=1000, ge=1, le=100_000)
    """Most events in one request."""
    rate_per_s: StrictFloat | None = Field(default=None, gt=0)
    """Requests per second and key, in each worker; more are answered with 429. No limit when
    absent. All callers without a key share one."""
    burst: StrictInt = Field(default=100, ge=1)
    """How many requests may come at once before `rate_per_s` counts."""
    keyless: Switch = True
    """Whether callers on this machine may read and write without a key. Switch it off behind a
    reverse proxy, which makes everyone look local."""
    origins: list[str] = []
    """Web pages (such as `https://shop.example`) whose scripts may call the service (CORS)."""
