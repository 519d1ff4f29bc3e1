"""What holds for every test: one thread per library, no telemetry, a Prefect home of its own, fixed chance."""

# ruff: noqa: E402 - libraries read these variables when they are imported, so the variables come first

import atexit
import logging
import os
import shutil
import tempfile

_HOME = tempfile.mkdtemp(prefix="voxlake-prefect-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

os.environ.update(
    {
        "CT2_VERBOSE": "-1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        "MKL_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PREFECT_HOME": _HOME,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PYANNOTE_METRICS_ENABLED": "0",
        "TOKENIZERS_PARALLELISM": "false",
    }
)

import pytest
from hypothesis import HealthCheck, settings

from storage.records import Clip
from tasks.workers import OUR_LOGGERS
from tests.tones import spoken, tone_clip

# The machines that run the tests are shared, so slowness is no failure.
_PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=50, **_PATIENT)
settings.register_profile("ci", max_examples=100, derandomize=True, **_PATIENT)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


_SHARED_FIXTURES = ("server",)
_HEAVY_FOLDERS = ("engines",)


@pytest.hookimpl(tryfirst=True)  # pytest-xdist looks for the marks before any conftest is asked otherwise
def pytest_collection_modifyitems(items):
    """Keep together, where tests run side by side, what shares something that takes long to start or to import."""
    for item in items:
        shared = [name for name in _SHARED_FIXTURES if name in getattr(item, "fixturenames", ())]
        shared += [folder for folder in _HEAVY_FOLDERS if item.path.parent.name == folder]
        if shared:
            item.add_marker(pytest.mark.xdist_group(shared[0]))


@pytest.fixture(scope="session", autouse=True)
def no_power_cut():
    """Wait for no disk: what the tests write in this process, tens of thousands of files, need not outlive them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _descriptor: None)
        yield


@pytest.fixture
def our_logs(caplog):
    """Our own log records, also after Prefect has taken our loggers and other libraries have silenced every handler."""
    loggers = [logging.getLogger(name) for name in OUR_LOGGERS]
    for logger in loggers:
        logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO):
        yield caplog
    for logger in loggers:
        logger.removeHandler(caplog.handler)


@pytest.fixture(scope="session")
def dialogue() -> Clip:
    """Two voices, 400 and 900 Hz, who take turns, speak over each other from 5.0 to 5.5 s, and fall silent at 6 s."""
    sounds = [*spoken(500, 400, 4), *spoken(2000, 900, 5), *spoken(4000, 400, 6), *spoken(5000, 900, 2)]
    return tone_clip(8000, sounds)
