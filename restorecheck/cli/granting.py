"""`restorecheck iam`: the policies that AWS should hold every role of a configuration to, printed or written as files.

Asks AWS nothing, and changes nothing there. Documents go to standard output, what they are for to standard error, so
that `--only source.trust` alone can be piped into whatever puts it in its place.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from restorecheck.assertions.words import count
from restorecheck.cli import exits
from restorecheck.cli.output import emit, err, errors, out
from restorecheck.config import Config, load
from restorecheck.errors import RestorecheckError
from restorecheck.iam import Document, documents, estate_of, parts
from restorecheck.iam.declared import SERVICE

_ROLE = re.compile(r"arn:aws(-[a-z]+)*:iam::\d{12}:(role|user)/[\w+=,.@/-]{1,576}")
_FUNCTION = re.compile(r"arn:aws(-[a-z]+)*:lambda:[a-z0-9-]+:\d{12}:function:[\w-]{1,64}:([\w-]{1,128}|\$LATEST)")
_A_ROLE = "write it in full, and the role itself, not a session of it: arn:aws:iam::333333333333:role/restorecheck"
_A_FUNCTION = "write it in full, for example arn:aws:lambda:eu-central-1:333333333333:function:restorecheck-run:live"
_RUNS_ON = ("ecs-tasks.amazonaws.com", "lambda.amazonaws.com", "ec2.amazonaws.com", "pods.eks.amazonaws.com")
_KINDS = {
    "identity": "policy of the role",
    "trust": "trust policy of the role",
    "key": "statements for the policy of the KMS key",
    "bucket": "statements for the policy of the bucket",
    "scp": "service control policy for account",
}


def iam(
    config: Path,
    only: str,
    *,
    service: str,
    function: str,
    runs_on: str,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Print, or write, the documents of a configuration."""
    with errors("iam", as_json=as_json):
        _fitting("--service", service, _ROLE, "the ARN of a role or a user", _A_ROLE)
        _fitting("--function", function, _FUNCTION, "the ARN of a function with a version or an alias", _A_FUNCTION)
        if runs_on and runs_on not in _RUNS_ON:
            hint = f"say one of: {', '.join(_RUNS_ON)}"
            raise RestorecheckError(f"--runs-on {runs_on!r} gives no identity", hint, kind="config")
        loaded = load(config)
        _another("--service", service, loaded)
        estate = estate_of(loaded, service or SERVICE, function=function, runs_on=runs_on)
        made = _chosen(documents(estate), only)
        divided = [part for document in made for part in parts(document)]
        written = _write(directory, divided) if directory else []
    unnamed = not service and any(SERVICE.split(":")[4] in json.dumps(d.as_json()) for d in divided)
    if as_json:
        emit("iam", exits.PASSED, documents=[_plain(document) for document in divided], files=[str(f) for f in written])
    elif directory:
        out.print(f"wrote {count(len(written), 'document')} to {directory}", markup=False, soft_wrap=True)
        if not only and (older := sorted(path.name for path in directory.glob("*.json") if path not in written)):
            said = f"{directory} also holds {', '.join(older)}, which this configuration does not make"
            err.print(f"note: {said}: if they were put on a role, take them off", markup=False, soft_wrap=True)
    else:
        for document in divided:
            _print(document)
    if unnamed and not as_json:
        said = "whom the roles trust is not known: give --service the ARN of the role that restorecheck runs as"
        err.print(f"note: {said}; AWS refuses {SERVICE}", markup=False, soft_wrap=True)


def _fitting(option: str, said: str, form: re.Pattern[str], noun: str, hint: str) -> None:
    if said and not form.fullmatch(said):
        raise RestorecheckError(f"{option} {said!r} is not {noun}", hint, kind="config")


def _another(option: str, said: str, config: Config) -> None:
    """Raise RestorecheckError if who enters the roles would be one of them."""
    roles = {one.role: one.name for one in config.source_accounts} | {s.role: s.name for s in config.scratch_accounts}
    if said in roles:
        raise RestorecheckError(
            f"{option} {said} is the role of the account {roles[said]}, which restorecheck enters",
            "say the role that restorecheck runs as, which is another one",
            kind="config",
        )


def _chosen(made: tuple[Document, ...], only: str) -> list[Document]:
    """Return the documents of this name, or whose names begin with it and a dot: all of `scratch`."""
    found = [document for document in made if not only or document.name == only or document.name.startswith(f"{only}.")]
    if not found:
        hint = f"there are {', '.join(document.name for document in made)}"
        raise RestorecheckError(f"there is no document {only}", hint, kind="config")
    return found


def _plain(document: Document) -> dict[str, object]:
    return {
        "name": document.name,
        "kind": document.kind,
        "on": document.on,
        "about": document.about,
        "characters": document.size,
        "why": {statement.sid: statement.why for statement in document.statements},
        "document": document.as_json(),
    }


def _text(document: Document) -> str:
    return json.dumps(document.as_json(), indent=2) + "\n"


def _print(document: Document) -> None:
    sys.stdout.flush()
    on = f" {document.on}" if document.on else ""
    err.print(f"\n== {document.name}: {_KINDS[document.kind]}{on}", markup=False, soft_wrap=True)
    err.print(f"   {document.about} ({document.size:,} characters)", markup=False, soft_wrap=True)
    print(_text(document), end="", flush=True)


def _write(directory: Path, made: Sequence[Document]) -> list[Path]:
    """Write the files, over what an earlier call has written, and over nothing else; look at all before the first."""
    files = {directory / f"{document.name}.json": _text(document) for document in made}
    path = directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path in files:
            if path.exists() and '"2012-10-17"' not in path.read_text("utf-8"):
                raise RestorecheckError(f"{path} is not a policy", "choose another --directory", kind="config")
        for path, text in files.items():
            path.write_text(text, "utf-8")
    except FileExistsError as e:
        said = f"{directory} is no directory"
        raise RestorecheckError(said, "choose another --directory", kind="config") from e
    except (OSError, ValueError) as e:
        why = getattr(e, "strerror", None) or str(e)
        raise RestorecheckError(f"{path} cannot be written: {why}", "choose another --directory", kind="config") from e
    return list(files)
