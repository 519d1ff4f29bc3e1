"""The scorers that others score with as well, which an extra brings."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from storage.errors import ConfigError

_REMEDY = 'pip install "voxlake[evaluate]"'


def require_scorers() -> None:
    """Refuse to begin without them.

    Raises:
        ConfigError: MeetEval or pyannote.metrics is not installed; says what to do.
    """
    for package, module in (("MeetEval", "meeteval"), ("pyannote.metrics", "pyannote.metrics")):
        if not _is_installed(module):
            raise ConfigError(f"library {package}", "is not installed", _REMEDY)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is not there
        return False


@contextmanager
def quiet() -> Iterator[None]:
    """Keep libraries from warning of what is meant: words without times, self-overlap, fonts of plots."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
