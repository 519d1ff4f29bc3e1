"""What phones home by itself is told not to before it is imported, and calls nobody while it is."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

_WATCHED = """
import importlib, json, sys, time
called = []

def watch(event, arguments):
    if event == "socket.getaddrinfo" and arguments[0] not in (None, "localhost", "127.0.0.1", "::1", b"localhost"):
        called.append(str(arguments[0]))
    if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        if not str(arguments[1][0]).startswith(("127.", "::1", "localhost")):
            called.append(str(arguments[1]))

sys.addaudithook(watch)
import flows
for name in sys.argv[1:]:
    importlib.import_module(name)
time.sleep(1)
import os
print(json.dumps([called, dict(os.environ)]))
"""
QUICK = ("prefect", "prefect.flows", "huggingface_hub", "wandb", "dask.distributed", "duckdb", "cyclopts", "s3fs")
SLOW = (
    "torch",
    "transformers",
    "datasets",
    "optuna",
    "lhotse",
    "lightning.pytorch",
    "pyannote.audio",
    "faster_whisper",
    "nemo.collections.asr.models",
)
"""What comes with the engines; NeMo's own ``nv_one_logger`` sends where somebody has configured an exporter."""


def watched(*modules):
    """Import modules in a fresh process of a clean environment; return whom they called, and the environment then."""
    installed = [name for name in modules if find_spec(name.partition(".")[0])]
    clean = {
        name: os.environ[name] for name in ("PATH", "HOME", "PREFECT_HOME", "HF_HUB_OFFLINE") if name in os.environ
    }
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, *installed], env=clean, capture_output=True, text=True, check=True, timeout=500
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_watch_sees_a_call():
    code = _WATCHED.replace(
        "import flows", "import socket\ntry: socket.getaddrinfo('host.invalid', 80)\nexcept OSError: pass"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)[0] == ["host.invalid"]


def test_importing_the_libraries_of_the_lake_calls_nobody():
    called, environment = watched(*QUICK)
    assert called == []
    assert environment["DO_NOT_TRACK"] == "1"


@pytest.mark.slow
def test_importing_the_libraries_of_the_engines_calls_nobody():
    called, environment = watched(*SLOW)
    assert called == []
    assert environment["PYANNOTE_METRICS_ENABLED"] == "0"


def test_the_libraries_say_themselves_that_they_are_told():
    code = (
        "import flows, json\n"
        "from prefect._internal.analytics.enabled import is_telemetry_enabled\n"
        "from prefect.settings import get_current_settings\n"
        "from huggingface_hub.constants import HF_HUB_DISABLE_TELEMETRY\n"
        "print(json.dumps([is_telemetry_enabled(), get_current_settings().server.analytics_enabled, "
        "not HF_HUB_DISABLE_TELEMETRY]))"
    )
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "PREFECT_HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True, timeout=200
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [False, False, False]


def test_who_turns_it_on_keeps_it():
    code = "import os, flows; print(os.environ['PREFECT_SERVER_ANALYTICS_ENABLED'])"
    environment = {**os.environ, "PREFECT_SERVER_ANALYTICS_ENABLED": "true"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "true"
