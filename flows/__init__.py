"""ORDER: Prefect flows, settings and the command line. Reads as prose; no arithmetic, no SQL.

Imports point one way, flows → tasks → storage.
"""

from tasks.telemetry import turn_off_telemetry

turn_off_telemetry()
