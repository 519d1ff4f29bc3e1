"""Every error Voxlake raises on purpose.

    VoxlakeError
    ├── ConfigError              settings or names are wrong; nothing was started        exit 3
    │   ├── UnknownEngine        lists the names there are
    │   ├── EngineUnavailable    says which extra, weights or permission is missing
    │   └── ManifestInvalid      the archive's manifest file cannot be read
    ├── RecordingError           this recording cannot be processed; a row in `failures`, the run goes on
    │   ├── UnreadableAudio      the bytes are no audio that libav understands
    │   ├── TruncatedAudio       the audio stops before its end; what was read is kept
    │   ├── NoAudioTrack · EmptyAudio · AbsurdAudio · UnsafeMedia
    │   └── UnreachableAudio     (Transient) the object cannot be opened: permission, network, vanished
    ├── EngineError              an engine failed on a clip; a row in `failures`, the shard goes on
    │   ├── EngineOutOfMemory    (Transient)
    │   └── EngineBrokePromise   the result violates the protocol; never retried
    ├── StorageError
    │   ├── StoreUnreachable     (Transient)
    │   ├── PublicationRaced     (Transient) somebody else published first
    │   └── SchemaMismatch
    ├── WorkerDied               (Transient) a worker process was killed; its shard is taken again
    │   └── WorkerHung           it took longer than it may
    ├── ShardsLost               shards stayed undone after all retries; the next run takes them again
    └── LimitsBroken             an evaluation found figures beyond the limits that were given

``Transient`` marks what may succeed when tried again; ``is_transient`` is the single retry predicate.
A message says subject, what happened, what to do, in this order; secrets in what others said are taken out.
"""

from __future__ import annotations

from storage.secrets import without_secrets


class Transient:
    """Marks an error that may not occur when tried again."""


class VoxlakeError(Exception):
    """Base of all errors; ``subject`` is the recording, engine, file or setting concerned."""

    def __init__(self, subject: str, problem: str, remedy: str = "") -> None:
        """Keep all three parts, without secrets, as arguments, so that the error survives pickling."""
        subject, problem, remedy = map(without_secrets, (subject, problem, remedy))
        super().__init__(subject, problem, remedy)
        self.subject = subject
        self.problem = problem
        self.remedy = remedy

    @property
    def reason(self) -> str:
        """Problem and remedy, for where the subject stands beside it."""
        return f"{self.problem}; {self.remedy}" if self.remedy else self.problem

    def __str__(self) -> str:
        """Return one line: subject, problem, remedy."""
        return f"{self.subject}: {self.reason}"


class ConfigError(VoxlakeError):
    """Wrong settings; found before any work starts."""


class UnknownEngine(ConfigError):
    """No engine of that name is registered."""


class EngineUnavailable(ConfigError):
    """The engine is known, but its library, weights or permission is missing here."""


class ManifestInvalid(ConfigError):
    """The manifest file cannot be read or contradicts itself."""


class RecordingError(VoxlakeError):
    """This recording cannot be processed."""


class UnreadableAudio(RecordingError):
    """The bytes are no audio that libav understands."""


class TruncatedAudio(RecordingError):
    """The audio stops, or breaks, before its end."""


class NoAudioTrack(RecordingError):
    """A media file without an audio stream."""


class EmptyAudio(RecordingError):
    """Nothing to hear: no bytes, or no samples."""


class AbsurdAudio(RecordingError):
    """The header claims what no recording has."""


class UnsafeMedia(RecordingError):
    """The file is a playlist or refers to other files or addresses; it was not followed."""


class UnreachableAudio(RecordingError, Transient):
    """The object cannot be opened or read: permission, network, vanished."""


class EngineError(VoxlakeError):
    """An engine failed on a clip."""


class EngineOutOfMemory(EngineError, Transient):
    """The device ran out of memory; a smaller batch may fit."""


class EngineBrokePromise(EngineError):
    """The engine's result violates its protocol."""


class StorageError(VoxlakeError):
    """The lake or the archive failed."""


class StoreUnreachable(StorageError, Transient):
    """The storage did not answer, or refused for a passing reason."""


class PublicationRaced(StorageError, Transient):
    """Another run published at the same moment."""


class TableGone(StorageError):
    """A file that the lake names is not there."""


class SchemaMismatch(StorageError):
    """A file of the lake does not have the columns that this version writes."""


class WorkerDied(VoxlakeError, Transient):
    """A worker process ended in the middle of a shard, by a signal or for want of memory."""


class WorkerHung(WorkerDied):
    """A worker process took longer than it may, and was ended."""


class ShardsLost(VoxlakeError):
    """Some shards stayed undone after all retries; what others committed is published."""


class LimitsBroken(VoxlakeError):
    """Figures of an evaluation are beyond the limits that were given."""


def is_transient(error: BaseException) -> bool:
    """Return whether the same call may succeed later."""
    return isinstance(error, (Transient, TimeoutError, ConnectionError))
