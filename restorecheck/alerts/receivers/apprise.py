"""Whatever the library apprise can reach: chat, mail, on-call services. The library is an optional part.

Exactly one address, from our configuration: no configuration of apprise's own, no plugins from files, no templates, and
nothing that would speak to this machine or, past the fence, to AWS. The library follows the proxies of the environment.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from restorecheck.alerts import wording
from restorecheck.alerts.receivers.interface import DeliveryError, Sent, cut, text_of
from restorecheck.config import receivers
from restorecheck.model import About, Notice, Turn

if TYPE_CHECKING:
    from types import ModuleType

DEADLINE = 30.0
"""Seconds. What a service does after that is not known: a notice may then arrive twice."""

LOCAL = frozenset(
    {"blink1", "dbus", "file", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"},
)
"""Schemas that show something on this machine, where nobody looks, and run programs or speak to its buses for it."""

AWS = {"ses": 'type = "sns", or a mail server', "sns": 'type = "sns"'}
"""Schemas that speak to AWS with keys of their own: the fence is the only way there."""


class Apprise:
    """One address of apprise's."""

    def __init__(self, declared: receivers.Apprise, deadline: float = DEADLINE) -> None:
        self._declared, self._deadline = declared, deadline

    def send(self, notice: Notice) -> Sent:
        """Hand one notice to the library. Never acknowledged: it says that a service took it, no more. See Receiver."""
        if notice.turn in {Turn.BEGAN, Turn.PASSED}:
            return Sent(acknowledged=False, said="it is told of troubles only")
        url = text_of(self._declared.url)
        schema = url.partition("://")[0].lower()
        if schema in LOCAL:
            raise DeliveryError("configuration", f"apprise's {schema} tells nobody but this machine", "take another")
        if schema in AWS:
            raise DeliveryError("configuration", f"apprise's {schema} would go past the fence", f"take {AWS[schema]}")
        library = _library()
        service = _service(library, url)
        _within(self._deadline, schema, lambda: _notify(library, service, notice))
        return Sent(acknowledged=False)


def _library() -> ModuleType:
    try:
        import apprise  # noqa: PLC0415 - optional, and slow to load
    except ImportError as e:
        hint = "pip install 'restorecheck[apprise]'"
        raise DeliveryError("configuration", "the library apprise is not installed", hint) from e
    # It logs what services answer, and that is nobody's business: `notify` says whether it worked.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return apprise


def _service(library: ModuleType, url: str) -> Any:
    """Return the one service of an address, in which nothing is kept in files."""
    asset = library.AppriseAsset(
        plugin_paths=None,
        storage_mode=library.PersistentStoreMode.MEMORY,
        allow_templates=False,
        secure_logging=True,
        async_mode=False,
    )
    service = library.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if not isinstance(service, library.NotifyBase):
        hint = "compare it with apprise's documentation of the service"
        raise DeliveryError("configuration", "the address is none that apprise knows", hint)
    return service


def _notify(library: ModuleType, service: Any, notice: Notice) -> bool:
    one = library.Apprise(asset=service.asset)
    one.add(service)
    return bool(
        one.notify(
            title=cut(wording.subject(notice), 200),
            body=wording.text(notice),
            notify_type=type_of(notice),
            body_format="text",
            interpret_escapes=False,
        )
    )


def type_of(notice: Notice) -> str:
    """Return what apprise calls a notice like this."""
    if notice.turn is Turn.RESOLVED:
        return "success"
    if notice.turn is Turn.TOLD or notice.about is About.TEST:
        return "info"
    return "failure" if notice.severity == "critical" else "warning"


def _within(seconds: float, schema: str, work: Any) -> None:
    """Do something that cannot be broken off. Raises DeliveryError if it fails or takes too long."""
    ended: list[bool | BaseException] = []

    def body() -> None:
        try:
            ended.append(work())
        except Exception as e:  # noqa: BLE001 - of a library with hundreds of plugins
            ended.append(e)

    thread = threading.Thread(target=body, name="apprise", daemon=True)
    thread.start()
    thread.join(seconds)
    if not ended:
        raise DeliveryError("timeout", f"apprise's {schema} did not answer within {seconds:.0f} s")
    if isinstance(ended[0], BaseException):
        raise DeliveryError("refused", f"apprise's {schema} failed with {type(ended[0]).__name__}")
    if not ended[0]:
        raise DeliveryError("refused", f"apprise's {schema} says that the notice was not taken")
