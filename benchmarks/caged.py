"""Read a media file in a process of its own that may take only so much memory and time, and say what came of it."""

from __future__ import annotations

import faulthandler
import hashlib
import json
import os
import resource
import select
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from storage.errors import RecordingError
from storage.records import SAMPLES_PER_MS, SourceObject
from tasks.audio.chunking import ChunkCutter
from tasks.audio.decode import read_recording
from tasks.audio.hashing import RECORDING_ID_DIGITS, HashingReader
from tasks.audio.headers import MAX_DURATION_MS
from tasks.audio.media import open_source
from tasks.audio.probe import probe

MEMORY_BYTES = 3 << 29
"""Address space that a reader may take beyond what it has when it begins."""
RESIDENT_MIB = 1024
"""What of it may become resident."""
CPU_S = 20
WALL_S = 60

Outcome = Literal["whole", "partial", "refused", "broken promise", "crash", "hang", "over memory"]
OUTCOMES: tuple[Outcome, ...] = ("whole", "partial", "refused", "broken promise", "crash", "hang", "over memory")
BAD: frozenset[Outcome] = frozenset({"broken promise", "crash", "hang", "over memory"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caged:
    """What came of one file."""

    outcome: Outcome
    reason: str
    """The error's kind and words, the signal, or what was promised and not kept."""
    audio_ms: int
    wall_s: float
    resident_mib: float
    """The most memory that it took beyond what the process had when it began."""


def read_caged(path: Path) -> Caged:
    """Probe and read a file in a child process; nothing that happens there reaches this one."""
    receive, send = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(receive)
        _serve(path, send)
    os.close(send)
    answer, is_late = _answer(receive, WALL_S)
    if is_late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    wall_s = time.monotonic() - started
    outcome, reason, audio_ms, resident_mib = _judged(answer, os.waitstatus_to_exitcode(status), is_late=is_late)
    if outcome not in BAD and resident_mib > RESIDENT_MIB:
        outcome, reason = "over memory", f"{resident_mib:.0f} MiB"
    return Caged(outcome=outcome, reason=reason, audio_ms=audio_ms, wall_s=wall_s, resident_mib=resident_mib)


def _serve(path: Path, send: int) -> None:
    """Read under limits, write what came of it and end; never returns."""
    status = 70
    try:
        _limit()
        before_mib = _memory_mib("VmRSS")
        found = _found(path)
        os.write(send, json.dumps((*found, _memory_mib("VmHWM") - before_mib)).encode())
        status = 0
    finally:
        os._exit(status)


def _limit() -> None:
    faulthandler.disable()
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY_BYTES, taken + MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _found(path: Path) -> tuple[Outcome, str, int]:
    """Return what came of reading, and how long the sound is, whatever happens short of a crash."""
    try:
        return _read(path)
    except MemoryError:
        return "over memory", "MemoryError", 0
    except Exception as error:  # noqa: BLE001 - whatever it is, it was not promised
        return "broken promise", f"{type(error).__name__}: {error}", 0


def _read(path: Path) -> tuple[Outcome, str, int]:
    """Probe and read as a shard does, and hold the reader to its promises."""
    archive, source = str(path.parent), path.name
    probed = _probe(path)
    with open_source(archive, source) as reader:
        try:
            outcome, reason, audio_ms = _decode(reader, source)
        except RecordingError as error:
            outcome, reason, audio_ms = _refused(error, source)
        if reader.digest() != hashlib.sha256(path.read_bytes()).hexdigest()[:RECORDING_ID_DIGITS]:
            return "broken promise", "another hash than that of the bytes", audio_ms
    if probed and outcome != "refused":
        return "broken promise", f"read, though its header was refused ({probed})", audio_ms
    return outcome, reason, audio_ms


def _probe(path: Path) -> str:
    """Return the kind of refusal, or nothing."""
    try:
        probe(str(path.parent), SourceObject(source=path.name, size_bytes=path.stat().st_size, mark=""))
    except RecordingError as error:
        return type(error).__name__
    return ""


def _decode(reader: HashingReader, source: str) -> tuple[Outcome, str, int]:
    audio_ms = 0
    with read_recording(reader, source) as recording:
        cutter = ChunkCutter(lambda _clip: [])
        for cut in cutter.cut(recording.blocks()):
            audio_ms = max(audio_ms, cut.chunk.end_ms)
            n_samples = (cut.chunk.end_ms - cut.chunk.start_ms) * SAMPLES_PER_MS
            if len(cut.clip) != n_samples or not np.isfinite(cut.clip).all():
                return "broken promise", "a chunk is not finite or not of its length", audio_ms
    if audio_ms != cutter.duration_ms or audio_ms > MAX_DURATION_MS:
        return "broken promise", f"{audio_ms} ms of chunks, {cutter.duration_ms} ms of recording", audio_ms
    return ("partial", _words(recording.problem), audio_ms) if recording.problem else ("whole", "", audio_ms)


def _refused(error: RecordingError, source: str) -> tuple[Outcome, str, int]:
    if error.subject != source or not error.problem:
        return "broken promise", f"a refusal that does not say of what: {error!r}", 0
    return "refused", _words(error), 0


def _words(error: RecordingError) -> str:
    return f"{type(error).__name__}: {error.problem}"


def _answer(receive: int, wall_s: float) -> tuple[bytes, bool]:
    """Return what the child wrote until it closed its end, and whether it took too long."""
    deadline, answer = time.monotonic() + wall_s, b""
    try:
        while (left_s := deadline - time.monotonic()) > 0:
            if select.select([receive], [], [], left_s)[0]:
                piece = os.read(receive, 1 << 16)
                if not piece:
                    return answer, False
                answer += piece
        return answer, True
    finally:
        os.close(receive)


def _judged(answer: bytes, code: int, *, is_late: bool) -> tuple[Outcome, str, int, float]:
    if is_late or code == -signal.SIGXCPU:
        return "hang", f"longer than {WALL_S} s" if is_late else f"longer than {CPU_S} s of processor time", 0, 0.0
    with suppress(json.JSONDecodeError):
        outcome, reason, audio_ms, resident_mib = json.loads(answer)
        return outcome, reason, audio_ms, resident_mib
    return "crash", f"signal {-code}" if code < 0 else f"exit status {code}", 0, 0.0


def _memory_mib(which: str) -> float:
    """Return what the kernel says of this process: ``VmRSS`` is resident now, ``VmHWM`` the most that ever was."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{which}:"))
    return int(line.split()[1]) / 1024
