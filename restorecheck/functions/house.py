"""The house of all functions in one process: their configuration, their fence and their state, made when needed.

A process of Lambda is used again, one call after another. What is kept here between two calls may be lost with it:
sessions, a copy of the configuration, a file with the service key below /tmp. Raises to Lambda whatever went wrong, so
that its Errors metric counts it; nothing that a database or AWS said of a secret is in what is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TextIO

from restorecheck import logs
from restorecheck.config import Config, State, lambda_target
from restorecheck.config.addresses import bucket as bucket_of
from restorecheck.durable import Clock, Json, bug
from restorecheck.engines.lambda_fleet import Starter
from restorecheck.errors import RestorecheckError
from restorecheck.fence import Fence
from restorecheck.functions.configuration import Configuration, Folder, Loaded, S3Folder
from restorecheck.functions.keeping import InBucket, InDatabase, Keeping
from restorecheck.functions.starting import LambdaStarter, NoStarter, function_arn
from restorecheck.logs.weight import is_bad
from restorecheck.ports import fence_of, topics_of
from restorecheck.state import bucket_state, key_of, open_store, same_key
from restorecheck.store import Store

CONFIG, FUNCTION, ENDPOINT = "RESTORECHECK_CONFIG", "RESTORECHECK_RUN_FUNCTION", "RESTORECHECK_ENDPOINT_URL"
LEVEL = "RESTORECHECK_LOG_LEVEL"
"""Variables of the functions' environment."""


class Call(Protocol):
    """What Lambda says of one call."""

    aws_request_id: str
    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> int:
        """Return how much of the call is left."""


def log(environment: Mapping[str, str]) -> Callable[[], None]:
    """Log to standard error as lines of JSON; return what undoes it. A wrong level is no reason to verify nothing."""
    try:
        return logs.configure(fmt="json", level=environment.get(LEVEL, "info"))
    except RestorecheckError as e:
        undo = logs.configure(fmt="json")
        logs.get("lambda").error("log-level.refused", why=e.message, hint=e.hint)
        return undo


class House:
    """The functions of one process. One call at a time, as Lambda does it."""

    def __init__(
        self,
        environment: Mapping[str, str],
        home: Path,
        clock: Clock,
        *,
        starter: Starter | None = None,
        stream: TextIO | None = None,
    ) -> None:
        """`home` is a directory of ours below /tmp. `starter` stands in for Lambda, `stream` for standard output."""
        self._environment, self._home, self._clock = environment, home, clock
        self._starter, self._stream = starter, stream
        self._log, self._listener = logs.get("lambda"), logs.LogListener()
        self._configuration: Configuration | None = None
        self._fence: tuple[object, Fence] | None = None
        self._key: tuple[State, Path] | None = None

    def tick(self, call: Call) -> Json:
        """Do a round of what the service does. Raises RestorecheckError at its end if anything of it failed."""
        from restorecheck.functions.measuring import measure, unconfigured  # noqa: PLC0415 - a run needs none of it
        from restorecheck.functions.ticking import Tick, World  # noqa: PLC0415

        try:
            loaded = self._loaded()
        except Exception as e:  # noqa: BLE001 - whatever it is, that there is no configuration is measured
            unconfigured(self._clock.now(), self._stream)
            raise self._heard("configuration", e) from None
        try:
            keeping = self._keeping(loaded.config)
        except Exception as e:  # noqa: BLE001 - a tick has come, and can do nothing
            measure(loaded, None, self._clock, ticked=None, stream=self._stream, failed=self._heard)
            raise self._heard("tick", e) from None
        world = World(
            loaded=loaded,
            keeping=keeping,
            starter=self._starter or self._lambda(call, loaded.config),
            fence=lambda: self._fence_of(loaded.config),
            clock=self._clock,
            me=call.aws_request_id,
            left=_left(call),
            tell=self._tell,
            stream=self._stream,
        )
        done = Tick(world).run()
        self._tell("tick.done", busy=done.busy, began=done.began, failed=len(done.failed))
        if done.failed:
            said = " ".join("; ".join(done.failed).split())
            raise RestorecheckError(f"of this tick failed: {said}", "the lines of the log say what to do")
        return {"busy": done.busy, "began": list(done.began)}

    def sweep(self, call: Call) -> Json:
        """Sweep all places once. Raises RestorecheckError if what came of it could not be kept."""
        from restorecheck.functions.sweeping import swept  # noqa: PLC0415 - as above

        try:
            config = self._loaded().config
            keeping = self._keeping(config)
            try:
                found = swept(
                    config, self._fence_of(config), keeping, clock=self._clock, left=_left(call), tell=self._tell
                )
            finally:
                keeping.close()
        except Exception as e:  # noqa: BLE001 - as below: what a library says of a bug may be a secret
            raise self._heard("sweep", e) from None
        return {"summary": found.summary, "blind": len(found.blind), "tripped": found.tripped}

    def run(self, event: Any, context: Any) -> Json:
        """Go on with a run in this invocation. Raises what the SDK raises, and what makes Lambda invoke it again."""
        from restorecheck.functions.running import again, go_on, run_of  # noqa: PLC0415 - as above

        run = run_of(event)
        try:
            loaded = self._loaded()
            keeping = self._keeping(loaded.config)
            loaded = replace(loaded, config=self._with_key(loaded.config))
            fence = self._fence_of(loaded.config)
        except Exception as e:  # noqa: BLE001 - outside of a step: it would end the run before its teardown
            raise again(self._heard("run", e).message) from None
        try:
            return go_on(context, run, loaded.config, keeping, clock=self._clock, listener=self._listener, fence=fence)
        finally:
            self._listener.forget(run)
            keeping.close()

    # --- parts

    def _loaded(self) -> Loaded:
        if self._configuration is None:
            said = self._environment.get(CONFIG, "")
            fits = partial(_fits, folder=bucket_of(said))
            self._configuration = Configuration(self._where(said), self._home, self._clock.now, fits)
        loaded = self._configuration.current()
        if loaded.wrong is not None:
            self._log.error("configuration.refused", why=loaded.wrong.message, hint=loaded.wrong.hint)
        return loaded

    def _where(self, said: str) -> Path | Folder:
        if not said:
            raise RestorecheckError(
                f"{CONFIG} is not set: nobody knows which configuration is meant",
                "set it to a file of the package, or to s3://bucket/folder/",
                kind="config",
            )
        if not said.startswith("s3://"):
            return Path(said)
        place = bucket_of(said)
        if place is None:
            raise RestorecheckError(
                f"{CONFIG} is {said!r}, and names no folder of a bucket",
                "write s3://bucket/folder/, with config.toml and checks/ in that folder",
                kind="config",
            )
        name, prefix, region = place
        fence = Fence({}, {}, endpoint_url=self._environment.get(ENDPOINT))
        return S3Folder(fence.keeper(name, prefix, region or self._region()), name, prefix)

    def _region(self) -> str:
        region = self._environment.get("AWS_REGION") or self._environment.get("AWS_DEFAULT_REGION")
        if not region:
            raise RestorecheckError("AWS_REGION is not set, which Lambda does", "set it", kind="config")
        return region

    def _fence_of(self, config: Config) -> Fence:
        """Return the fence of a configuration: the same one, with its sessions, while its accounts are the same."""
        same = (config.source_accounts, config.scratch_accounts, topics_of(config), config.endpoint_url)
        if self._fence is None or self._fence[0] != same:
            self._fence = same, fence_of(config)
        return self._fence[1]

    def _keeping(self, config: Config) -> Keeping:
        state = config.state
        if state.bucket is not None:
            copies = self._home / "copies"
            return InBucket(bucket_state(state, copies), lambda store: same_key(store, self._keyed(state)), self._tell)

        def opened() -> Store:
            store = open_store(state)
            try:
                same_key(store, state)
            except BaseException:
                store.close()
                raise
            return store

        return InDatabase(opened)

    def _with_key(self, config: Config) -> Config:
        return replace(config, state=self._keyed(config.state)) if config.state.bucket else config

    def _keyed(self, state: State) -> State:
        """Return a state whose key is in a file here, fetched once: a bucket is slow to be asked at every step."""
        if state.key.exists():
            return state
        if self._key is None or self._key[0] != state or not self._key[1].exists():
            path = self._home / "service.key"
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.touch(0o600)
            path.write_text(f"{key_of(state).hex()}\n")
            self._key = state, path
        return replace(state, key=self._key[1])

    def _lambda(self, call: Call, config: Config) -> Starter:
        """Return what starts runs. Without one no run begins, and what ended is kept and told all the same."""
        try:
            arn = function_arn(call.invoked_function_arn, self._environment.get(FUNCTION, ""))
            return LambdaStarter(self._fence_of(config).starter(arn), arn)
        except RestorecheckError as e:
            return NoStarter(e)

    # --- what is said

    def _tell(self, event: str, **facts: Any) -> None:
        (self._log.warning if is_bad(event, facts) else self._log.info)(event, **facts)

    def _heard(self, what: str, error: Exception) -> RestorecheckError:
        if not isinstance(error, RestorecheckError):
            error = RestorecheckError(bug(error), "this is a bug: please report it with the log")
        self._log.error(f"{what}.failed", why=error.message, hint=error.hint)
        return error


def _fits(config: Config, folder: tuple[str, str, str | None] | None) -> None:
    """Refuse by name what cannot work on Lambda. `folder` is the one in S3 that the configuration was read from."""
    state = config.state.bucket
    if folder and state and state.name == folder[0] and state.prefix.startswith(folder[1]):
        raise RestorecheckError(
            f"the state lies in the folder of the configuration, s3://{folder[0]}/{folder[1]}: each would be read for "
            "the other",
            "put them beside one another: s3://bucket/config/ and s3://bucket/state",
            kind="config",
        )
    wrong = [f"{_keys(path)}: {message}" for path, message in lambda_target.of_all(config)]
    wrong += [f"{c.name}: {_keys(path)}: {message}" for c in config.checks for path, message in lambda_target.of(c)]
    if wrong:
        raise RestorecheckError(
            f"this configuration cannot work on Lambda: {'; '.join(wrong)}",
            "`restorecheck check-config --target lambda` names the lines",
            kind="config",
        )


def _keys(path: tuple[str | int, ...]) -> str:
    return ".".join(str(key) for key in path)


def _left(call: Call) -> Callable[[], float]:
    return lambda: call.get_remaining_time_in_millis() / 1000
