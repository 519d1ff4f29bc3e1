"""Where engines run, what they do when memory runs out, and how errors of their libraries become ours."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from storage.errors import EngineError, EngineOutOfMemory, VoxlakeError

_CUDA_DRIVERS = ("libcuda.so.1", "nvcuda.dll")
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_OUT_OF_MEMORY = ("out of memory", "alloc_failed", "not enough memory", "can't allocate memory")


def pick_device(device: str) -> str:
    """Return the device to use: ``auto`` is ``cuda`` where there is one, else ``cpu``; other names pass through."""
    if device != "auto":
        return device
    return "cuda" if n_cuda_devices() else "cpu"


def n_cuda_devices() -> int:
    """Return how many CUDA devices the driver shows to this process, without loading torch."""
    return len(gpu_names())


@cache
def gpu_names() -> tuple[str, ...]:
    """Return what the driver calls each CUDA device that it shows to this process: the same name in every container."""
    for name in _CUDA_DRIVERS:
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return tuple(_gpu_name(driver, ordinal) for ordinal in range(count.value))
    return ()


def _gpu_name(driver: ctypes.CDLL, ordinal: int) -> str:
    """Return the device's UUID as ``nvidia-smi`` writes it; its number where an old driver does not tell."""
    device, raw = ctypes.c_int(0), (ctypes.c_ubyte * 16)()
    if driver.cuDeviceGet(ctypes.byref(device), ordinal) or driver.cuDeviceGetUuid(ctypes.byref(raw), device):
        return str(ordinal)
    return f"GPU-{uuid.UUID(bytes=bytes(raw))}"


def gpu_name(number: int) -> str | None:
    """Return the name of the GPU that a worker of this number is given; None where there is none."""
    names = gpu_names()
    return names[number % len(names)] if names else None


def gpu_of_worker(number: int) -> dict[str, str]:
    """Return the variable that shows a worker process one GPU alone; nothing where there are no two of them."""
    n = n_cuda_devices()
    if n < 2:  # noqa: PLR2004
        return {}
    visible = os.environ.get(_VISIBLE, "").split(",") if os.environ.get(_VISIBLE) else list(map(str, range(n)))
    return {_VISIBLE: visible[number % n]}


def free_memory() -> None:
    """Give back what nobody holds: two engines share a device, and torch keeps what it has freed for itself.

    Where torch is not on a GPU there is nothing to give back, and with NeMo loaded collecting garbage takes a second.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()


@contextmanager
def engine_errors(engine: str, what: str) -> Iterator[None]:
    """Turn whatever a library raises into an error of the engine.

    Args:
        engine: Registered name.
        what: What was tried, for the message: ``decoding 8 pieces``.

    Raises:
        EngineOutOfMemory: memory ran out, of the device or of the machine; a smaller batch may fit.
        EngineError: anything else. Errors of ours pass as they are.
    """
    try:
        yield
    except VoxlakeError:
        raise
    except Exception as cause:
        if is_out_of_memory(cause):
            problem, remedy = f"ran out of memory {what}", "a smaller batch_size needs less"
            raise EngineOutOfMemory(f"engine {engine!r}", problem, remedy) from cause
        raise EngineError(f"engine {engine!r}", f"failed {what} ({type(cause).__name__}: {cause})") from cause


def is_out_of_memory(error: Exception) -> bool:
    """Return whether memory ran out, by type or by words: CTranslate2 and cuBLAS raise a plain RuntimeError."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)
