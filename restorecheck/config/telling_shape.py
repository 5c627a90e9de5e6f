"""The shapes of [receivers.…], [notify] and [metrics]: who is told, when, and where numbers are sent.

Which key belongs to which kind of receiver is a table. As in `shape`, no key is required here, and what needs more than
one key to judge is judged in `telling`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from restorecheck.config import names, web_addresses
from restorecheck.config.fields import Also, Duration, Page, ReceiverName, Text, pattern, tolerated
from restorecheck.config.table import OfKinds, Shape

NEEDED: Mapping[str, tuple[str, ...]] = {
    "alertmanager": ("urls",),
    "webhook": (),
    "sns": ("topic",),
    "heartbeat": (),
    "apprise": (),
}
"""Kind of receiver → the keys that it must have; those with an address have it as `url` or as `url_file`."""

_ADDRESS = ("url", "url_file")
ALLOWED: Mapping[str, tuple[str, ...]] = {
    "alertmanager": ("token_file",),
    "webhook": (*_ADDRESS, "token_file"),
    "sns": (),
    "heartbeat": _ADDRESS,
    "apprise": _ADDRESS,
}
"""Kind of receiver → the keys that it may have."""


class Receiver(OfKinds):
    """Somebody who is told."""

    needed = NEEDED
    allowed = ALLOWED

    type: Literal["alertmanager", "webhook", "sns", "heartbeat", "apprise"] | None = Field(
        default=None, description="Kind of receiver.", examples=["alertmanager"]
    )
    urls: (
        Annotated[
            list[Annotated[str, AfterValidator(web_addresses.alertmanager), pattern(web_addresses.PLAIN)]],
            Also(minItems=1, uniqueItems=True),
        ]
        | None
    ) = Field(
        default=None,
        description="Addresses of every replica of the Alertmanager, without /api.",
        examples=[["http://am-0:9093", "http://am-1:9093"]],
    )
    url: Text | None = Field(
        default=None, description="Address to send to.", examples=["https://hooks.example.org/backups"]
    )
    url_file: Text | None = Field(
        default=None, description="File with that address, if it holds a secret.", examples=["secrets/hook.url"]
    )
    token_file: Text | None = Field(
        default=None, description="File with a token that is sent as `Bearer`.", examples=["secrets/am.token"]
    )
    topic: Annotated[str, AfterValidator(names.topic), pattern(names.TOPIC)] | None = Field(
        default=None, description="ARN of the topic.", examples=["arn:aws:sns:eu-central-1:111111111111:backups"]
    )

    @classmethod
    def outline(cls, schema: dict[str, Any]) -> None:
        """Say in the JSON Schema what an address looks like in each kind, and that there is exactly one."""
        super().outline(schema)
        for kind in schema["oneOf"]:
            properties = kind["properties"]
            if "url" in properties:
                apprise = properties["type"]["const"] == "apprise"
                properties["url"]["pattern"] = web_addresses.APPRISE if apprise else names.URL
                kind["oneOf"] = [{"required": [key]} for key in _ADDRESS]


class Notify(Shape):
    """When people are told, and what is said beside the facts."""

    repeat: Duration | None = Field(
        default=None, description="How often a trouble that lasts is told again.", examples=["4h"]
    )
    escalate_after: Annotated[int, AfterValidator(tolerated), Also(minimum=1)] | None = Field(
        default=None, description="After so many failed runs in a row, others are told as well.", examples=[3]
    )
    escalate_to: Annotated[list[ReceiverName], Also(uniqueItems=True)] | None = Field(
        default=None, description="Receivers that are told then.", examples=[["chat"]]
    )
    service: Annotated[list[ReceiverName], Also(uniqueItems=True)] | None = Field(
        default=None, description="Receivers of what is about the service and no check.", examples=[["pager"]]
    )
    heartbeat: ReceiverName | None = Field(
        default=None, description="The heartbeat that says that the service itself lives.", examples=["deadman-service"]
    )
    heartbeat_every: Duration | None = Field(default=None, description="How often it does.", examples=["5m"])
    test: Duration | None = Field(default=None, description="How often every receiver is tried.", examples=["7d"])
    link: Page | None = Field(
        default=None,
        description="Where people reach this service, for links in what they are told.",
        examples=["https://restorecheck.example.org"],
    )
    runbooks: Page | None = Field(
        default=None,
        description="Where the runbooks of alerts are, if not where this service shows them.",
        examples=["https://wiki.example.org/runbooks"],
    )


class Metrics(Shape):
    """Where numbers are sent that nobody scrapes."""

    every: Duration | None = Field(default=None, description="How often they are sent.", examples=["1m"])
    textfile: Text | None = Field(
        default=None,
        description="File that node_exporter's textfile collector reads.",
        examples=["/var/lib/node_exporter/restorecheck.prom"],
    )
    pushgateway: Annotated[str, AfterValidator(web_addresses.pushgateway), pattern(web_addresses.PLAIN)] | None = Field(
        default=None, description="Address of a Pushgateway.", examples=["http://pushgateway:9091"]
    )
    emf: Annotated[str, AfterValidator(names.namespace), pattern(names.NAMESPACE)] | None = Field(
        default=None,
        description="Namespace in CloudWatch, for its embedded metric format on standard output.",
        examples=["restorecheck"],
    )
