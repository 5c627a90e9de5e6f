"""[receivers.…], [notify] and [metrics]: rules between their keys, and the receivers, notices and exports they make.

Reads the files in which addresses and tokens are, if it may, to see that something is there. Sends nothing, and puts
neither the text of such a file nor an address into a message.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path as File
from typing import Any

from restorecheck.config import web_addresses, wording
from restorecheck.config.complaints import foreign, once, too_short
from restorecheck.config.document import Document
from restorecheck.config.receivers import (
    Alertmanager,
    AnyReceiver,
    Apprise,
    Exports,
    Heartbeat,
    Notify,
    Secret,
    Sns,
    Webhook,
)
from restorecheck.config.shape import ConfigFile
from restorecheck.config.table import Path
from restorecheck.config.telling_shape import Receiver
from restorecheck.config.values import shown, spoken
from restorecheck.errors import RestorecheckError

LONGEST_UNTRIED = timedelta(days=7)
"""RestoreCheckAlertPathUnproven fires for a receiver that acknowledged nothing for eight days."""

_MINUTE = timedelta(minutes=1)
_MEANT = {
    ("url", "alertmanager"): "urls",
    ("url", "sns"): "topic",
    **{("urls", kind): "url" for kind in ("webhook", "heartbeat", "apprise")},
}
"""Key of one kind that stands in another → what was meant."""


# --- receivers --------------------------------------------------------------------------------------------------


def receivers(document: Document[ConfigFile], path: File) -> dict[str, AnyReceiver]:
    """Return the receivers by name, as far as they are right, and complain about the rest. `path`: of config.toml."""
    found = {}
    for name, said in sorted((document.tree.receivers or {}).items()):
        at = ("receivers", name)
        foreign(document, at, Receiver, said.type, _MEANT)
        if made := _made(document, path, at, said):
            found[name] = made
    return found


def named(config: Document[ConfigFile], document: Document[Any], at: Path, names: list[str]) -> None:
    """Complain about names in a list that no receiver has, and about names that stand twice."""
    once(document, at, names)
    for index, name in enumerate(names):
        known(config, document, (*at, index), name)


def known(config: Document[ConfigFile], document: Document[Any], at: Path, name: str) -> None:
    """Complain about a name that no receiver has."""
    declared = config.raw.get("receivers", {})
    if not isinstance(declared, dict) or () in config.broken or name in declared:
        return  # what else is wrong there is said there
    right = wording.instead(name, declared) if declared else f"add [receivers.{name}] to {config.shown}"
    document.wrong(at, f"{shown(name)} is not one of the receivers; {right}")


def kind_of(config: Document[ConfigFile], name: str) -> str | None:
    """Return the type of a receiver, or None if it is not known."""
    said = (config.tree.receivers or {}).get(name)
    return said.type if said else None


def text_of(secret: Secret) -> str | None:
    """Return the text of a secret, or None if we may not read it."""
    try:
        return secret.read()
    except RestorecheckError:
        return None


def _made(document: Document[ConfigFile], path: File, at: tuple[str, str], said: Receiver) -> AnyReceiver | None:
    name = at[1]
    token = _file(document, path, (*at, "token_file"), said.token_file) if said.token_file else None
    if said.type == "alertmanager":
        urls = _urls(document, at, said.urls or [])
        return Alertmanager(name, urls, token) if urls else None
    if said.type == "sns":
        return Sns(name, said.topic) if said.topic else None
    if said.type == "apprise" and find_spec("apprise") is None:
        document.wrong(
            (*at, "type"),
            "needs the library apprise, which is not installed here; "
            'run pip install "restorecheck[apprise]", or write another type',
        )
    url = _address(document, path, at, said) if said.type else None
    if url is None:
        return None
    if said.type == "webhook":
        return Webhook(name, url, token)
    return Heartbeat(name, url) if said.type == "heartbeat" else Apprise(name, url)


def _urls(document: Document[ConfigFile], at: Path, urls: list[str]) -> tuple[str, ...]:
    if not urls and not document.unclear(*at, "urls"):
        document.wrong((*at, "urls"), 'is empty; write for example urls = ["http://am-0:9093", "http://am-1:9093"]')
    if len(set(urls)) < len(urls):
        document.wrong((*at, "urls"), "lists an address twice; write each replica once")
    for index, url in enumerate(urls):
        _clear(document, (*at, "urls", index), url)
    return tuple(urls)


def _address(document: Document[ConfigFile], path: File, at: Path, said: Receiver) -> Secret | None:
    """Return the address of a receiver that has one, and complain if it has none, or two, or one that is none."""
    if said.url is not None and said.url_file is not None:
        document.wrong((*at, "url_file"), "stands beside url; leave one of them out")
    secret: Secret | None
    if said.url is not None:
        at, secret = (*at, "url"), Secret(said.url)
    elif said.url_file is not None:
        at = (*at, "url_file")
        secret = _file(document, path, at, said.url_file)
    else:
        if not document.unclear(*at):
            document.wrong(
                (*at, "url"), "is missing; write it, or url_file with the name of a file that holds the address"
            )
        return None
    text = text_of(secret) if secret else None
    if text is not None and (why := web_addresses.why_not_secret(said.type or "", text)):
        document.wrong(at, why if said.url else f"names a file whose text {why}")
    elif text is not None:
        _clear(document, at, text)
    return secret


def _file(document: Document[ConfigFile], path: File, at: Path, said: str) -> Secret | None:
    """Return a secret in a file. One that is there and not for our eyes is for those of the service."""
    if "://" in said:
        document.wrong(at, "is an address and not a file; write the name of a file that holds what is secret")
        return None
    secret = Secret(file=(path.parent / said).absolute())
    try:
        secret.read()
    except RestorecheckError as e:
        if not isinstance(e.__cause__, PermissionError):
            document.wrong(
                at,
                "names no file with one line of text; write the name of one, relative to this file, "
                "that holds what is secret and nothing else",
            )
    return secret


def _clear(document: Document[ConfigFile], at: Path, url: str) -> None:
    if web_addresses.in_the_clear(url):
        document.notes.append(
            (at, "what is sent there can be read and changed on its way; write https, if the receiver knows it")
        )


# --- when, and what beside --------------------------------------------------------------------------------------


def notify(document: Document[ConfigFile], receivers: dict[str, AnyReceiver]) -> Notify:
    """Return when people are told, and complain about times and receivers that do not fit."""
    said = document.tree.notify
    if said is None:
        return Notify()
    own: dict[str, Any] = said.model_dump(exclude_none=True)
    for key in ("escalate_to", "service"):
        own[key] = tuple(own.get(key, ()))
    found = replace(Notify(), **own)
    for key, least, why in (
        ("repeat", _MINUTE, "and people would stop reading"),
        ("heartbeat_every", _MINUTE, "and services of this kind take no more"),
        ("test", timedelta(hours=1), "and real notices would be lost among those of tests"),
    ):
        too_short(document, ("notify", key), getattr(found, key), least, why)
    if found.test > LONGEST_UNTRIED:
        document.wrong(
            ("notify", "test"),
            f"is {spoken(found.test)}, and RestoreCheckAlertPathUnproven fires after 8d without a proof; "
            f'write "{spoken(LONGEST_UNTRIED)}" or less',
        )
    for key in ("escalate_to", "service"):
        named(document, document, ("notify", key), list(getattr(found, key)))
        for index, name in enumerate(getattr(found, key)):
            if kind_of(document, name) == "heartbeat":
                document.wrong(
                    ("notify", key, index), f"{name} is a heartbeat, which takes no notices; write another receiver"
                )
    if found.heartbeat:
        _alive(document, found.heartbeat, receivers.get(found.heartbeat))
    return found


def _alive(document: Document[ConfigFile], name: str, receiver: AnyReceiver | None) -> None:
    """Complain about a heartbeat of the service that is none, or that is one of checks."""
    at = ("notify", "heartbeat")
    known(document, document, at, name)
    if (kind := kind_of(document, name)) not in (None, "heartbeat"):
        document.wrong(at, f'{name} is of type {kind}; write the name of a receiver with type = "heartbeat"')
    if isinstance(receiver, Heartbeat) and web_addresses.CHECK in (text_of(receiver.url) or ""):
        document.wrong(
            at, f"the address of {name} has {web_addresses.CHECK} in it, and the service is none; write another one"
        )


def exports(document: Document[ConfigFile], path: File) -> Exports:
    """Return where numbers are sent, and complain about a time or a place that cannot be."""
    said = document.tree.metrics
    if said is None:
        return Exports()
    found = replace(Exports(), **said.model_dump(exclude_none=True, exclude={"textfile"}))
    too_short(document, ("metrics", "every"), found.every, timedelta(seconds=10), "and nobody reads them so often")
    _clear(document, ("metrics", "pushgateway"), found.pushgateway)
    if said.textfile is None:
        return found
    file, at = (path.parent / said.textfile).absolute(), ("metrics", "textfile")
    if file.suffix != ".prom":
        document.wrong(
            at,
            "does not end with .prom, and node_exporter reads no other files; write for example "
            '"/var/lib/node_exporter/restorecheck.prom"',
        )
    if not file.parent.is_dir() or file.is_dir():
        document.wrong(
            at, f"{said.textfile} does not lie in a directory; write the name of a file in one that is there"
        )
    return replace(found, textfile=file)
