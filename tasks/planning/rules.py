"""Versions of what is made of facts: a lake that was made by others is linked, or published, anew by its next run."""

from __future__ import annotations

LINK_RULES = 5
"""Raised when the same fingerprints and options are to be linked otherwise."""
PUBLISH_RULES = 4
"""Raised when the same facts, links and options are to be published otherwise."""
