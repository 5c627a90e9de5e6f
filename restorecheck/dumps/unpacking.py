"""What lies around a dump is taken off, as a stream, and every layer must prove that it came to its end.

A decompressor that stops quietly at the end of a cut file is how half a database passes for a whole one. So each stream
must end as its format ends: with a trailer, a frame's end mark, a checksum. Nothing here holds more than a few blocks.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import subprocess
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, Protocol, cast

from restorecheck.dumps.header import ENOUGH, Header, Outer, outer, recognise
from restorecheck.errors import SourceError

BLOCK = 1 << 18
"""Bytes that are read, and about as many that are handed on, at a time."""

_SMALL = 1 << 13  # what one step of zstd may blow up to is 32768 times as much
_LAYERS = 4  # of compression, one in another: more is no dump but a bomb


def read(files: Sequence[Path]) -> Iterator[bytes]:
    """Yield what files hold, one after another."""
    for path in files:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                yield block


def peeked(blocks: Iterator[bytes], enough: int = ENOUGH) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes of a stream, and the whole stream again."""
    taken: list[bytes] = []
    size = 0
    while size < enough and (block := next(blocks, None)) is not None:
        taken.append(block)
        size += len(block)
    return b"".join(taken)[:enough], chain(taken, blocks)


@dataclass(frozen=True, slots=True)
class Layer:
    """One compression around a dump."""

    name: Outer
    checked: bool  # it has a checksum of what is inside, so that a changed byte is noticed


def checked(name: Outer, first: bytes) -> bool:
    """Say whether a compressed stream carries a checksum, by its first bytes: for zstd and lz4 that is a choice."""
    if name == "zstd":  # RFC 8878, 3.1.1.1.1: Content_Checksum_flag; of a skippable frame we know nothing
        return first.startswith(b"\x28\xb5\x2f\xfd") and len(first) > 4 and bool(first[4] & 0x04)
    if name == "lz4":  # LZ4 frame format 1.6: C.Checksum and B.Checksum in FLG
        return len(first) > 4 and bool(first[4] & 0x14)
    return name == "gzip" or (len(first) > 7 and first[7] & 0x0F != 0)  # xz: the kind of check is in byte 7


def layers(blocks: Iterator[bytes]) -> tuple[tuple[Layer, ...], bytes, Iterator[bytes]]:
    """Take off every compression. Returns what they are, the first bytes of what is inside, and a stream of it.

    The stream raises SourceError `dump-damaged` where a layer is damaged, cut off, or followed by something else.
    """
    found: list[Layer] = []
    first, blocks = peeked(blocks)
    while (name := outer(first)) is not None:
        if len(found) == _LAYERS:
            raise SourceError(f"the dump is compressed more than {_LAYERS} times", kind="dump-damaged")
        found.append(Layer(name, checked(name, first)))
        first, blocks = peeked(decompressed(name, blocks))
    return tuple(found), first, blocks


def recognised(first: bytes, blocks: Iterator[bytes], *, by_command: bool) -> Header:
    """Return what a dump says of itself, by its first bytes; `blocks` is the whole of it.

    What is none may be what a command made of it with the wrong key: some say so only at their end. Raises SourceError.
    """
    try:
        return recognise(first)
    except SourceError:
        for _ in blocks if by_command else ():
            pass
        raise


# --- decompression ----------------------------------------------------------------------------------------------------


class _Stream(Protocol):
    """One stream of a compressed file: a gzip member, a frame, an xz stream."""

    def feed(self, data: bytes) -> Iterator[bytes]: ...
    @property
    def ended(self) -> bool: ...
    @property
    def rest(self) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(31)  # with the header, the length and the CRC of gzip

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data and not self._inflate.eof:
            yield self._inflate.decompress(data, BLOCK)
            data = self._inflate.unconsumed_tail

    @property
    def ended(self) -> bool:
        return self._inflate.eof

    @property
    def rest(self) -> bytes:
        return self._inflate.unused_data


class _Xz:
    def __init__(self) -> None:
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ)

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield self._decompressor.decompress(data, BLOCK)
        while not self._decompressor.eof and not self._decompressor.needs_input:
            yield self._decompressor.decompress(b"", BLOCK)

    @property
    def ended(self) -> bool:
        return self._decompressor.eof

    @property
    def rest(self) -> bytes:
        return self._decompressor.unused_data


class _Lz4:
    def __init__(self) -> None:
        self._decompressor = _optional("lz4.frame").LZ4FrameDecompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield self._decompressor.decompress(data, BLOCK)
        while not self._decompressor.eof and not self._decompressor.needs_input:
            yield self._decompressor.decompress(b"", BLOCK)

    @property
    def ended(self) -> bool:
        return bool(self._decompressor.eof)

    @property
    def rest(self) -> bytes:
        return bytes(self._decompressor.unused_data or b"")


class _Zstd:
    def __init__(self) -> None:
        library = _optional("zstandard")
        self._decompressor = library.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
        self._after = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        view = memoryview(data)
        for at in range(0, len(view), _SMALL):
            yield self._decompressor.decompress(view[at : at + _SMALL])
            if self._decompressor.eof:
                self._after = bytes(view[at + _SMALL :])
                return

    @property
    def ended(self) -> bool:
        return bool(self._decompressor.eof)

    @property
    def rest(self) -> bytes:
        return bytes(self._decompressor.unused_data) + self._after


_STREAMS: dict[Outer, Callable[[], _Stream]] = {"gzip": _Gzip, "xz": _Xz, "lz4": _Lz4, "zstd": _Zstd}


def decompressed(name: Outer, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what a compressed stream holds, all members of it; see `layers`."""
    stream, begun, done = _STREAMS[name](), False, 0
    for block in blocks:
        data = block
        while data:
            if stream.ended:
                if not data.strip(b"\0"):  # as tapes and xz pad; anything else must be another stream
                    break
                if outer(data[:6].ljust(6)) != name and len(data) >= 6:
                    raise _damaged(name, f"after its end come bytes that are not {name}", done)
                stream = _STREAMS[name]()
            begun = True
            try:
                for piece in stream.feed(data):
                    if piece:
                        done += len(piece)
                        yield piece
            except _errors() as e:
                raise _damaged(name, f"it cannot be decompressed ({type(e).__name__})", done) from None
            data = stream.rest if stream.ended else b""
    if not stream.ended or not begun:
        raise _damaged(name, "it is cut off: the end of the stream is missing", done)


def _errors() -> tuple[type[Exception], ...]:
    found: list[type[Exception]] = [zlib.error, lzma.LZMAError, RuntimeError]  # RuntimeError is what lz4 raises
    with contextlib.suppress(ImportError):
        import zstandard  # noqa: PLC0415 - optional

        found.append(zstandard.ZstdError)
    return tuple(found)


def _damaged(name: str, what: str, done: int) -> SourceError:
    return SourceError(f"the {name} around the dump is damaged: {what}, after {done} bytes of it", kind="dump-damaged")


def _optional(library: str) -> Any:
    """Import a library of the extra `dumps`. Raises SourceError `environment`."""
    import importlib  # noqa: PLC0415 - optional libraries, and only where a dump needs them

    try:
        return importlib.import_module(library)
    except ImportError:
        raise SourceError(
            f"the dump is compressed with {library.partition('.')[0]}, and the library for it is not installed here",
            "pip install 'restorecheck[dumps]'",
            kind="environment",
        ) from None


# --- a declared command -----------------------------------------------------------------------------------------------


def decrypted(
    command: Sequence[str],
    blocks: Iterable[bytes],
    *,
    deadline: Callable[[], float],
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[bytes]:
    """Yield what a declared command makes of a stream; no shell, none of our AWS credentials in its environment.

    `deadline` returns the seconds that are left. Raises SourceError: `environment` if the command cannot be started or
    ends with another code than 0, `deadline` or `cancelled` when it is stopped; it is never left running.
    """
    with tempfile.TemporaryFile() as complaints:
        try:
            child = subprocess.Popen(  # noqa: S603 - what the operator declared
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=environment(os.environ),
                start_new_session=True,
            )
        except OSError as e:
            raise SourceError(
                f"`decrypt` could not be started: {command[0]}: {e.strerror}", kind="environment"
            ) from None
        feeding = _Feeding(child, blocks, deadline, stop)
        try:
            output = cast("IO[bytes]", child.stdout)
            while block := os.read(output.fileno(), BLOCK):
                yield block
            feeding.join()
            code = child.wait(5)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            feeding.end()
        if feeding.error is not None:
            raise feeding.error
        if code:
            complaints.seek(0)
            words = complaints.read(300).decode(errors="replace").strip().splitlines()
            raise SourceError(
                f"`decrypt` ended with {code}" + (f": {words[0][:200]}" if words else ""),
                "run it by hand on the object; is the key there?",
                kind="environment",
            )


def environment(variables: Any) -> dict[str, str]:
    """Return an environment without AWS's and PostgreSQL's variables: nothing that we start needs these."""
    return {k: v for k, v in variables.items() if not k.upper().startswith(("AWS_", "PG", "RESTORECHECK_"))}


class _Feeding:
    """Writes a stream into a child's standard input, and ends the child when there is no time left."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        blocks: Iterable[bytes],
        deadline: Callable[[], float],
        stop: Callable[[], bool],
    ) -> None:
        self.error: Exception | None = None
        self._child, self._blocks, self._deadline, self._stop = child, blocks, deadline, stop
        self._over = threading.Event()
        self._feeder = threading.Thread(target=self._feed, name="restorecheck-decrypt", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="restorecheck-decrypt-deadline", daemon=True)
        self._feeder.start()
        self._watcher.start()

    def join(self) -> None:
        self._feeder.join()

    def end(self) -> None:
        """Leave nothing running."""
        self._over.set()
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        self._feeder.join()
        self._watcher.join()
        _close(self._child.stdout)

    def _feed(self) -> None:
        try:
            stdin = cast("IO[bytes]", self._child.stdin)
            for block in self._blocks:
                stdin.write(block)
        except BrokenPipeError:  # it wanted no more; its exit code says whether that was right
            pass
        except Exception as e:  # noqa: BLE001 - raised again in the thread that reads
            self.error = e
            self._child.kill()
        _close(self._child.stdin)

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            if self._stop():
                self.error = SourceError("stopped while `decrypt` ran", kind="cancelled")
            elif self._deadline() <= 0:
                self.error = SourceError("`decrypt` took longer than it is allowed", kind="deadline")
            if self.error:
                self._child.kill()
                return


def _close(pipe: IO[bytes] | None) -> None:
    with contextlib.suppress(OSError):
        if pipe:
            pipe.close()
