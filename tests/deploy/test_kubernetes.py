"""The manifests of deploy/kubernetes: what the API takes, and that they agree with the image and each other.

Nothing is applied to a cluster here. They are rendered by Kustomize and validated strictly, against the API's schemas.
"""

import re
from datetime import timedelta
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from deploy.kustomized import KUBERNETES, NO_KUBECTL, ROOT, has_kubectl, rendered, validate
from requirements import need

from restorecheck.config import load
from restorecheck.rules.document import Choices
from restorecheck.web.answers import INDEX

EXAMPLES = ("examples/single", "examples/replicas")
VERSIONS = ("1.29", "1.37")  # the oldest and the newest that are meant
SELF = {"app.kubernetes.io/name": "restorecheck"}


@pytest.fixture(params=EXAMPLES)
def resources(request):
    need(has_kubectl(), NO_KUBECTL)
    return rendered(request.param)


@pytest.fixture
def pod(resources):
    return resources["StatefulSet", "restorecheck"]["spec"]["template"]["spec"]


@pytest.fixture
def container(pod):
    (only,) = pod["containers"]
    return only


# --- the API takes them -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_the_api_takes_every_resource(resources, version):
    assert {kind for kind, _ in resources} == {
        "ConfigMap", "Namespace", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "Service",
        "ServiceAccount", "ServiceMonitor", "StatefulSet",
    }  # fmt: skip
    for resource in resources.values():
        validate(resource, version)


def test_a_key_that_the_api_does_not_know_is_found():
    for file, error in (
        ("base/statefulset.yaml", kubernetes_validate.ValidationError),
        ("monitoring/servicemonitor.yaml", jsonschema.ValidationError),
        ("monitoring/prometheusrule.yaml", jsonschema.ValidationError),
    ):
        resource = yaml.safe_load((KUBERNETES / file).read_text())
        validate(resource, VERSIONS[-1])
        resource["spec"]["replica"] = 1
        with pytest.raises(error):
            validate(resource, VERSIONS[-1])


def test_every_file_is_used():
    used = set()
    for file in KUBERNETES.rglob("kustomization.yaml"):
        said = yaml.safe_load(file.read_text())
        named = [*said.get("resources", ()), *said.get("components", ())]
        named += [patch["path"] for patch in said.get("patches", ())]
        named += [name for one in said.get("configMapGenerator", ()) for name in one["files"]]
        used |= {(file.parent / name).resolve() for name in named} | {file}
    assert {file for file in KUBERNETES.rglob("*") if file.is_file()} <= used


def test_everything_but_the_namespace_is_in_the_namespace(resources):
    for (kind, _), resource in resources.items():
        assert resource["metadata"].get("namespace") == (None if kind == "Namespace" else "restorecheck")


# --- security ---------------------------------------------------------------------------------------------------------


def test_the_pod_is_what_the_restricted_standard_asks_for_and_more(resources, pod, container):
    assert resources["Namespace", "restorecheck"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == (
        "restricted"
    )
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert pod["automountServiceAccountToken"] is False
    assert resources["ServiceAccount", "restorecheck"]["automountServiceAccountToken"] is False


def test_no_secret_lies_in_the_repository():
    for file in KUBERNETES.rglob("*.yaml"):
        for resource in yaml.safe_load_all(file.read_text()):
            assert not isinstance(resource, dict) or resource.get("kind") != "Secret"
            assert not isinstance(resource, dict) or "secretGenerator" not in resource


def test_nobody_but_prometheus_reaches_it_and_it_reaches_only_what_it_needs(resources):
    policy = resources["NetworkPolicy", "restorecheck"]["spec"]
    assert policy["podSelector"]["matchLabels"] == SELF
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    (ingress,) = policy["ingress"]
    assert ingress["ports"] == [{"port": 9780, "protocol": "TCP"}]
    assert [*ingress["from"][0]] == ["namespaceSelector"]
    everywhere = [rule for rule in policy["egress"] if {"ipBlock": {"cidr": "0.0.0.0/0"}} in rule["to"]]
    assert [rule["ports"] for rule in everywhere] == [[{"port": 443, "protocol": "TCP"}]]
    assert all(rule.get("to") and rule.get("ports") for rule in policy["egress"])  # a rule without is one for all


# --- they agree with the image and the service ------------------------------------------------------------------------


def test_user_and_port_are_those_of_the_image(pod, container):
    dockerfile = (ROOT / "Dockerfile").read_text()
    user, group = re.search(r"^USER (\d+):(\d+)$", dockerfile, re.MULTILINE).groups()
    context = pod["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (int(user), int(group), int(group))
    (port,) = container["ports"]
    assert re.search(rf"^EXPOSE {port['containerPort']}$", dockerfile, re.MULTILINE)
    assert f'"0.0.0.0:{port["containerPort"]}"' in dockerfile
    assert "command" not in container
    assert "args" not in container


def test_only_a_process_that_is_gone_is_started_again(container):
    assert container["livenessProbe"]["httpGet"]["path"] == "/-/healthy"
    assert container["startupProbe"]["httpGet"]["path"] == "/-/healthy"
    assert container["readinessProbe"]["httpGet"]["path"] == "/-/ready"
    for probe in ("livenessProbe", "startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in INDEX
        assert container[probe]["httpGet"]["port"] == "http"


def test_a_pod_has_the_time_to_drain(resources, pod, tmp_path):
    service = configuration(resources, tmp_path).service
    at_most = max(service.drain, service.takeover / 2)
    assert timedelta(seconds=pod["terminationGracePeriodSeconds"]) >= at_most + timedelta(seconds=10)


def test_what_is_written_lies_on_volumes(resources, pod, container, tmp_path):
    mounts = {m["mountPath"]: m for m in container["volumeMounts"]}
    assert {path for path, mount in mounts.items() if not mount.get("readOnly")} == {
        "/var/lib/restorecheck", "/tmp", "/dev/shm",
    }  # fmt: skip
    for one in mounts:
        assert not any(Path(other).is_relative_to(one) for other in mounts if other != one), "a mount within a mount"
    said = resources["ConfigMap", "restorecheck-config"]["data"]["config.toml"]
    written = re.findall(r'^(?:state|workplace|evidence) *= "(/.*)"', said, re.MULTILINE)
    assert written
    assert all(Path(path).parent == Path("/var/lib/restorecheck") for path in written)  # whose owner is somebody else
    volumes = {volume["name"] for volume in pod["volumes"]}
    claims = {claim["metadata"]["name"] for claim in claims_of(resources)}
    assert {mount["name"] for mount in mounts.values()} == volumes | claims


def claims_of(resources):
    return resources["StatefulSet", "restorecheck"]["spec"]["volumeClaimTemplates"]


def configuration(resources, directory):
    """Load the configuration of an example as it is mounted, below another directory."""
    for name, below in (("restorecheck-config", "config"), ("restorecheck-checks", "checks")):
        (directory / below).mkdir()
        for file, text in resources["ConfigMap", name]["data"].items():
            (directory / below / file).write_text(text.replace("/etc/restorecheck/", f"{directory}/"))
    return load(directory / "config" / "config.toml")


def test_the_configuration_of_an_example_is_right(resources, pod, container, tmp_path):
    config = configuration(resources, tmp_path)
    assert {check.name for check in config.checks} == {"orders-db", "crm-dump"}
    (variable,) = [one for one in container["env"] if one["name"] == "RESTORECHECK_CONFIG"]
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    assert variable["value"] == f"{mounts['config']}/config.toml"
    assert mounts["checks"] == "/etc/restorecheck/checks"
    names = {v["name"]: v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v}
    maps = {key[1]: resource["metadata"]["name"] for key, resource in resources.items() if key[0] == "ConfigMap"}
    assert names == {"config": maps["restorecheck-config"], "checks": maps["restorecheck-checks"]}
    assert bool(config.state.shared) is (resources["StatefulSet", "restorecheck"]["spec"]["replicas"] > 1)


def test_replicas_share_a_key_and_a_database_that_they_may_reach():
    need(has_kubectl(), NO_KUBECTL)
    resources = rendered("examples/replicas")
    pod = resources["StatefulSet", "restorecheck"]["spec"]["template"]["spec"]
    (secret,) = [v["secret"] for v in pod["volumes"] if "secret" in v]
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "key"]
    said = resources["ConfigMap", "restorecheck-config"]["data"]["config.toml"]
    for item in secret["items"]:
        assert f"{mount['mountPath']}/{item['path']}" in said
    assert "PGPASSWORD" in {one["name"] for one in pod["containers"][0]["env"]}
    one = rendered("examples/single")["NetworkPolicy", "restorecheck"]["spec"]["egress"]
    two = resources["NetworkPolicy", "restorecheck"]["spec"]["egress"]
    assert two[: len(one)] == one
    assert len(two) == len(one) + 1


# --- they agree with each other ---------------------------------------------------------------------------------------


def test_everybody_selects_the_pods(resources):
    stateful = resources["StatefulSet", "restorecheck"]["spec"]
    service = resources["Service", "restorecheck"]
    assert stateful["template"]["metadata"]["labels"] == SELF
    assert stateful["selector"]["matchLabels"] == SELF
    assert service["spec"]["selector"] == SELF
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert stateful["serviceName"] == service["metadata"]["name"]
    budget = resources["PodDisruptionBudget", "restorecheck"]["spec"]
    assert budget["selector"]["matchLabels"] == SELF
    assert budget["maxUnavailable"] == 1  # `minAvailable: 1` would forbid to drain the node of a single one, for ever


def test_prometheus_scrapes_the_service_under_the_name_that_the_rules_know(resources):
    service = resources["Service", "restorecheck"]
    monitor = resources["ServiceMonitor", "restorecheck"]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert endpoint["path"] in INDEX
    job = service["metadata"]["labels"][monitor["jobLabel"]]
    assert (job,) == tuple(Choices().jobs)
