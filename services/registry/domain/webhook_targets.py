"""Where a webhook may point to: never into the network that the platform itself stands in."""

import ipaddress
from urllib.parse import urlsplit

# They lead to addresses of the fourth version behind a translator (RFC 6052, RFC 3056).
_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))


def fault(url: str, *, private: bool) -> str:
    """Return what is wrong with an address, or nothing. ``private``: the operator allows any."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "it is no address"
    if parts.scheme not in (("http", "https") if private else ("https",)):
        return "it does not begin with https://"
    if not parts.hostname or parts.username is not None or parts.password is not None:
        return "it has no host, or it holds a user name"
    if port == 0 or any(sign.isspace() or not sign.isprintable() for sign in url):
        return "it is no address"
    address = literal(parts.hostname)
    if not private and address is not None and not is_public(address):
        return "it points into a private network"
    if not private and (address is None and "." not in parts.hostname.strip(".")):
        return "its host is no public name"
    return ""


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
