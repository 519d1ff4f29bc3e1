"""Addresses of archives and lakes: paths and URLs as people give them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


def public_url(url: str) -> str:
    """Return the URL without user, password and query, for messages and the lake itself."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return url
    return urlunsplit((parts.scheme, parts.netloc.rsplit("@", 1)[-1], parts.path, "", ""))


def absolute_url(url: str) -> str:
    """Return a URL that means the same in every process: local paths made absolute, no trailing slash."""
    if "://" in url or "::" in url:
        return url if url.endswith("://") else url.rstrip("/")
    return str(Path(url).expanduser().absolute())
