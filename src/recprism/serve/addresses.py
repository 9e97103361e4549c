"""Which addresses mean this machine alone."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

_LOCAL_NAMES = ("localhost",)


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this machine alone."""
    if host.lower() in _LOCAL_NAMES:
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def name_of(host: str) -> str:
    """A `Host` header without its port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
