"""The command that finds words."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from flows.cli_options import JsonFlag
from flows.cli_output import print_json, say, wants_json

if TYPE_CHECKING:
    from tasks.reading.search import Hit, Line

_DONE = 0
_NOT_TERMINAL_WIDTH = 10_000


def search(
    lake: str,
    query: str,
    *,
    limit: int = 20,
    speaker: str | None = None,
    collection: str | None = None,
    context: int = 0,
    json: JsonFlag = None,
) -> int:
    """Find utterances by their words, the best first: words, "phrases", -without, begin*.

    Args:
        lake: Folder or URL of the lake.
        query: What to find.
        limit: How many at most.
        speaker: Only what this person says, by speaker ID or name.
        collection: Only in recordings of this collection.
        context: How many utterances before and after each to show.
        json: Print JSON, or text; text on a terminal by default.
    """
    from tasks.reading.search import search_lake

    hits = search_lake(lake, query, limit=limit, speaker=speaker, collection=collection, n_around=context)
    if wants_json(json):
        print_json([asdict(hit) for hit in hits])
        return _DONE
    for hit in hits:
        _print_hit(hit)
    if not hits:
        say("nothing found")
    elif len(hits) == limit:
        say(f"the best {limit}; there may be more, see --limit")
    return _DONE


def _print_hit(hit: Hit) -> None:
    from rich.console import Console
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    console = Console(width=None if is_terminal else _NOT_TERMINAL_WIDTH, highlight=False, soft_wrap=True)
    for line in hit.before:
        console.print(Text(f"  {_said(line)}{line.text}", style="dim"))
    console.print(Text.assemble((hit.source, "cyan"), "  ", _said(hit), *_marked(hit, is_terminal=is_terminal)))
    for line in hit.after:
        console.print(Text(f"  {_said(line)}{line.text}", style="dim"))
    if hit.before or hit.after:
        console.print()


def _said(line: Line | Hit) -> str:
    minutes, seconds = divmod(line.start_ms // 1000, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}  {line.speaker or 'unknown'}: "


def _marked(hit: Hit, *, is_terminal: bool) -> list[tuple[str, str]]:
    """Return the text in pieces with their styles; what was looked for in bold, or between stars."""
    pieces, last = [], 0
    for start, end in hit.marks:
        found = hit.text[start:end]
        pieces += [(hit.text[last:start], ""), (found, "bold yellow") if is_terminal else (f"*{found}*", "")]
        last = end
    return [*pieces, (hit.text[last:], "")]
