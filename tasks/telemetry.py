"""Third-party telemetry is off unless somebody turns it on: an archive may be confidential."""

from __future__ import annotations

import os

_OFF = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PYANNOTE_METRICS_ENABLED": "0",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_MODE": "disabled",
}
"""Prefect and Hugging Face heed the first; wandb, which NeMo brings along, reports its errors unless told not to."""


def turn_off_telemetry() -> None:
    """Set the variables that libraries read when they load; values that are set already stay."""
    for name, value in _OFF.items():
        os.environ.setdefault(name, value)
