"""Where a webhook may point to: never into the network that the platform itself stands in."""

import ipaddress
from urllib.parse import urlsplit

from services.chassis.causes import Said, said
from spareline.errors.v1 import cause_pb2

# They lead to addresses of the fourth version behind a translator (RFC 6052, RFC 3056).
_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))


def fault(url: str, *, private: bool) -> Said | None:
    """Return what is wrong with an address, or None. ``private``: the operator allows any."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return said(cause_pb2.CAUSE_NO_WEB_ADDRESS)
    if parts.scheme not in (("http", "https") if private else ("https",)):
        return said(cause_pb2.CAUSE_PUBLIC_ADDRESS_NEEDED)
    if not parts.hostname or parts.username is not None or parts.password is not None:
        return said(cause_pb2.CAUSE_PUBLIC_ADDRESS_NEEDED)
    if port == 0 or any(sign.isspace() or not sign.isprintable() for sign in url):
        return said(cause_pb2.CAUSE_NO_WEB_ADDRESS)
    address = literal(parts.hostname)
    if not private and address is not None and not is_public(address):
        return said(cause_pb2.CAUSE_PRIVATE_NETWORK)
    if not private and (address is None and "." not in parts.hostname.strip(".")):
        return said(cause_pb2.CAUSE_PUBLIC_ADDRESS_NEEDED)
    return None


def literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is written as, or None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell whether an address is one of the open internet."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _TRANSLATED):
            return False
    return address.is_global and not address.is_multicast
