"""ORDER: Prefect flows, settings and the command line. Reads as prose; no arithmetic, no SQL.

Imports point one way, flows → tasks → storage.
"""

import os

from tasks.telemetry import turn_off_telemetry

turn_off_telemetry()

os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "flows,tasks,storage")
