"""Take secrets out of texts of others before they become ours: storage libraries quote signed URLs when they fail.

Two ways, because each has a gap. What the environment holds under a name such as ``HF_TOKEN`` is known to be secret
wherever it stands. What stands where secrets stand, in a URL, a header or an assignment, is taken for one.
"""

from __future__ import annotations

import logging
import os
import re
import traceback
from collections.abc import Callable
from typing import Any, Final

HIDDEN: Final = "***"
_SHORTEST: Final = 8
"""A shorter value of a variable is no secret, and may be part of any word."""
_SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH_STRING", re.IGNORECASE)
_SECRET_SETTINGS = re.compile(
    r"passw|secret|credential|(?:api|access|auth)_?(?:key|token)|(?:\A|_)token\Z", re.IGNORECASE
)
_LOCATIONS = re.compile(r"_(?:FILE|PATH|DIR|FOLDER|PROFILE)\Z", re.IGNORECASE)
"""Names that end so say where a secret is."""
_PARAMETER = (
    r"[\w.-]*(?:sign(?:ature)?|\bsig|token|secret|passw(?:or)?d|pwd|credential|auth|code|access_?key(?:_?id)?"
    r"|api[-_]?key)"
)
_ASSIGNED = r"\w*(?:secret|passw(?:or)?d|api_?key|access_?key|(?<![a-z])token|_token)\w*"
_RULES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"(?<=://)[^/\s@\"']+@", f"{HIDDEN}@"),
        (rf"([?&;](?:{_PARAMETER})=)[^&\s\"'<>#)\]}}]+", rf"\1{HIDDEN}"),
        (r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", rf"\1 {HIDDEN}"),
        (r"\b((?:proxy-)?authorization|x-[\w-]*(?:token|key))(['\"]?\s*[:=]\s*+)(?!\*)[^\r\n,}]+", rf"\1\2{HIDDEN}"),
        (
            rf"\b({_ASSIGNED}['\"]?\s*(?:=|:(?=\s*['\"]))\s*['\"]?)(?!\*)[^\s'\"&,;)}}\]]+",
            rf"\1{HIDDEN}",
        ),
        (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", HIDDEN),
        (r"\b(?:hf_|pnu_|pnb_|ghp_|github_pat_)\w{16,}", HIDDEN),
        (r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}", HIDDEN),
    )
)


def without_secrets(text: str) -> str:
    """Return the text with ``***`` wherever a secret stood; doing it again changes nothing.

    >>> without_secrets("403 for https://me:pw@host/a?X-Amz-Signature=abc&part=1")
    '403 for https://***@host/a?X-Amz-Signature=***&part=1'
    """
    for value in _known_secrets():
        text = text.replace(value, HIDDEN)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def _known_secrets() -> list[str]:
    """Return the secret values of the environment, longest first: one may be part of another."""
    found = {
        value
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST and _SECRET_NAMES.search(name) and not _LOCATIONS.search(name)
    }
    return sorted(found, key=len, reverse=True)


def names_a_secret(name: str) -> bool:
    """Return whether a setting of this name would hold a secret.

    >>> names_a_secret("api_key"), names_a_secret("key_frames"), names_a_secret("max_tokens")
    (True, False, False)
    """
    return bool(_SECRET_SETTINGS.search(name))


def hide_secrets_in_logs() -> None:
    """Have every log record of this process, with its traceback, pass ``without_secrets`` before a handler sees it."""
    make = logging.getLogRecordFactory()
    if getattr(make, "hides_secrets", False):
        return
    logging.setLogRecordFactory(_hiding(make))


def _hiding(make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    def make_without_secrets(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = make(*arguments, **named)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # wrong arguments are said by whoever writes the record
            return record
        hidden = without_secrets(message)
        if hidden != message:
            record.msg, record.args = hidden, ()
        if record.exc_info and record.exc_info[0]:
            # A formatter takes this text where it is there, and would otherwise make its own.
            record.exc_text = without_secrets("".join(traceback.format_exception(*record.exc_info)).rstrip())
        return record

    make_without_secrets.hides_secrets = True  # type: ignore[attr-defined]
    return make_without_secrets
