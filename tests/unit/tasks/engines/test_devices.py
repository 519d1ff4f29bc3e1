import sys
import types

import pytest

from storage.errors import ConfigError, EngineError, EngineOutOfMemory
from tasks.engines import devices
from tasks.engines.devices import engine_errors, free_memory, pick_device


class OutOfMemoryError(RuntimeError):
    """Called as torch calls its own."""


@pytest.mark.parametrize(
    "raised",
    [
        OutOfMemoryError("no"),
        MemoryError(),
        RuntimeError("CUDA failed with error out of memory"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
)
def test_want_of_memory_is_known_whoever_says_it(raised):
    with (
        pytest.raises(EngineOutOfMemory, match="engine 'x': ran out of memory decoding"),
        engine_errors("x", "decoding"),
    ):
        raise raised


def test_anything_else_is_an_error_of_the_engine_that_names_the_cause():
    with (
        pytest.raises(EngineError, match=r"failed decoding \(KeyError: 'a'\)") as caught,
        engine_errors("x", "decoding"),
    ):
        raise KeyError("a")
    assert not isinstance(caught.value, EngineOutOfMemory)


def test_errors_of_ours_pass_as_they_are():
    with pytest.raises(ConfigError), engine_errors("x", "loading"):
        raise ConfigError("a", "b")


@pytest.mark.parametrize(("n", "expected"), [(0, "cpu"), (2, "cuda")])
def test_auto_takes_a_gpu_where_there_is_one(monkeypatch, n, expected):
    monkeypatch.setattr(devices, "n_cuda_devices", lambda: n)
    assert pick_device("auto") == expected
    assert pick_device("cuda:1") == "cuda:1"


def test_the_number_of_gpus_is_that_of_torch():
    import torch

    assert devices.n_cuda_devices() == torch.cuda.device_count()


@pytest.mark.parametrize("is_on_gpu", [True, False])
def test_memory_that_torch_keeps_on_a_gpu_is_given_back(monkeypatch, is_on_gpu):
    done = []
    cuda = types.SimpleNamespace(is_initialized=lambda: is_on_gpu, empty_cache=lambda: done.append("emptied"))
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    monkeypatch.setattr(devices.gc, "collect", lambda: done.append("collected"))
    free_memory()
    assert done == (["collected", "emptied"] if is_on_gpu else [])


def test_each_worker_sees_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(devices, "n_cuda_devices", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [devices.gpu_of_worker(number)["CUDA_VISIBLE_DEVICES"] for number in range(3)] == ["0", "1", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-ab")
    assert [devices.gpu_of_worker(number)["CUDA_VISIBLE_DEVICES"] for number in range(2)] == ["5", "GPU-ab"]


@pytest.mark.parametrize("n", [0, 1])
def test_with_one_gpu_or_none_nothing_is_said(monkeypatch, n):
    monkeypatch.setattr(devices, "n_cuda_devices", lambda: n)
    assert devices.gpu_of_worker(0) == {}


def test_a_gpu_has_the_name_that_the_driver_gives_it(monkeypatch):
    monkeypatch.setattr(devices, "gpu_names", lambda: ("GPU-a", "GPU-b"))
    assert devices.n_cuda_devices() == 2
    assert [devices.gpu_name(number) for number in range(3)] == ["GPU-a", "GPU-b", "GPU-a"]
    monkeypatch.setattr(devices, "gpu_names", tuple)
    assert devices.gpu_name(0) is None


class Driver:
    """The part of the CUDA driver that is asked, with two devices of which the second does not tell its UUID."""

    def __init__(self, _name):
        self.cuInit = lambda _flags: 0

    def cuDeviceGetCount(self, count):  # noqa: N802 - the driver's own names
        count._obj.value = 2
        return 0

    def cuDeviceGet(self, device, ordinal):  # noqa: N802
        device._obj.value = ordinal
        return 0

    def cuDeviceGetUuid(self, raw, device):  # noqa: N802
        raw._obj[:] = range(16)
        return device.value


def test_gpus_are_named_by_their_uuid_where_the_driver_tells_it(monkeypatch):
    monkeypatch.setattr(devices.ctypes, "CDLL", Driver)
    assert devices.gpu_names.__wrapped__() == ("GPU-00010203-0405-0607-0809-0a0b0c0d0e0f", "1")
