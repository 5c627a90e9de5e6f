"""What `kubectl kustomize` makes of a directory of deploy/kubernetes, and what it is held against."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
SCHEMAS = Path(__file__).parent / "schemas"
OPERATOR = {"ServiceMonitor": "servicemonitors", "PrometheusRule": "prometheusrules"}
NO_KUBECTL = "kubectl, with Kustomize 5 in it, is not installed"


def has_kubectl() -> bool:
    return shutil.which("kubectl") is not None


@cache
def rendered(directory: str) -> dict[tuple[str, str], Any]:
    """Return the resources, by kind and name without the digest that a generator appends. Not to be changed."""
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES / directory], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {}
    for resource in yaml.load_all(done.stdout, yaml.CSafeLoader):
        kind, name = resource["kind"], resource["metadata"]["name"]
        if kind == "ConfigMap":
            name = name.rpartition("-")[0]
        assert (kind, name) not in found
        found[kind, name] = resource
    return found


def _closed(schema: Any) -> Any:
    """Return a schema that refuses what it does not know: the API server would drop it without a word."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if closed.get("type") == "object" and "properties" in closed and "additionalProperties" not in closed:
        closed["additionalProperties"] = False
    return closed


@cache
def _schema(kind: str) -> Any:
    schema = _closed(json.loads((SCHEMAS / f"{OPERATOR[kind]}.json").read_text()))
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def validate(resource: dict[str, Any], version: str) -> None:
    """Raise if the API of a version of Kubernetes, or of the Prometheus operator, would not take it as it is."""
    if resource["kind"] in OPERATOR:
        jsonschema.Draft202012Validator(_schema(resource["kind"])).validate(resource)
    else:
        kubernetes_validate.validate(copy.deepcopy(resource), version, strict=True)
