"""Text formats: each renders a ``Document`` and parses back what it keeps of one.

    for people     srt vtt txt textgrid   an uncertain speaker is shown as "S1?", an unknown one as "unknown"
    for machines   rttm ctm stm seglst    plain names, blanks escaped as in URLs; an unknown speaker is "<NA>"
    lossless       json
    only read      uem                    what of a recording is scored; no document

Adding a format is one module with ``render`` and ``parse``, and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from storage.formats import ctm, json_document, rttm, seglst, srt, stm, textgrid, txt, vtt
from storage.formats.document import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a document is written as a file, and read."""

    suffix: str
    """Of files, with the dot."""
    render: Callable[[Document], str]
    parse: Callable[[str], Document]
    """Raises ``MalformedText`` for anything that is not the format."""


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "srt": Format(suffix=".srt", render=srt.render, parse=srt.parse),
        "vtt": Format(suffix=".vtt", render=vtt.render, parse=vtt.parse),
        "rttm": Format(suffix=".rttm", render=rttm.render, parse=rttm.parse),
        "ctm": Format(suffix=".ctm", render=ctm.render, parse=ctm.parse),
        "stm": Format(suffix=".stm", render=stm.render, parse=stm.parse),
        "seglst": Format(suffix=".seglst.json", render=seglst.render, parse=seglst.parse),
        "textgrid": Format(suffix=".TextGrid", render=textgrid.render, parse=textgrid.parse),
        "json": Format(suffix=".json", render=json_document.render, parse=json_document.parse),
        "txt": Format(suffix=".txt", render=txt.render, parse=txt.parse),
    }
)
"""All formats by the name that ``voxlake export`` takes; files are UTF-8."""
