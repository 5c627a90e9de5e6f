"""`restorecheck healthy`: asks the service of this machine how it is, for whoever decides on starting it again.

Reads no configuration, so that one that has become wrong cannot get a service killed that still works with the old one.
Changes nothing.
"""

from __future__ import annotations

import http.client
from ipaddress import ip_address

from restorecheck.cli.output import err, errors
from restorecheck.web.server import parsed

UNWELL = 1
"""The one code besides 0 that a container engine knows for a health check."""

_HINT = "see what `restorecheck serve` logs, and that --listen is the address that it says it listens on"

_MOST = 64 * 1024  # bytes of an answer that are read


def healthy(listen: str, *, ready: bool, timeout: float) -> None:
    """Ask, say what was answered, and exit with 1 if it is not well. Raises SystemExit."""
    with errors("healthy", as_json=False):
        host, port = parsed(listen)
    path = "/-/ready" if ready else "/-/healthy"
    well, said = _ask(_near(host), port, path, timeout)
    if not well:
        err.print(f"restorecheck: {said}", markup=False, soft_wrap=True)
        err.print(f"  hint: {_HINT}", markup=False, soft_wrap=True)
        raise SystemExit(UNWELL)
    print(said)


def _ask(host: str, port: int, path: str, timeout: float) -> tuple[bool, str]:
    """Return whether the answer was 200, and the answer in words. No proxy is asked, whatever the environment says."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    where = f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read(_MOST).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as e:
        return False, f"{where} does not answer: {getattr(e, 'strerror', None) or e or type(e).__name__}"
    finally:
        connection.close()
    return (True, text) if response.status == 200 else (False, f"{where} answers {response.status}: {text}")


def _near(host: str) -> str:
    """Return where a service on this machine answers that listens on `host`: on all addresses means on loopback too."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"
