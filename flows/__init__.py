"""ORDER: Prefect flows, settings and the command line. Reads as prose; no arithmetic, no SQL.

Imports point one way, flows → tasks → storage.
"""

import os

from tasks.telemetry import turn_off_telemetry

turn_off_telemetry()
# Prefect reads these when it is imported; values that are set already stay.
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "flows,tasks,storage")
os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")  # the same functions run without a flow
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")  # a busy machine needs more than 20
