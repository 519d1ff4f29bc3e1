"""Media files, and what becomes of them in the hands of chance and of strangers. Deterministic by seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.media import CODECS, noise, write_media

Change = Callable[[bytes, bytes, random.Random], bytes]
"""Makes another file of a file, with a second one at hand."""

_HEAD_BYTES = 512
_EXTREMES = (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
_TAG = re.compile(rb"[A-Za-z0-9 ]{4}")
_RATES_HZ = {".amr": 8_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenFile:
    """One changed file, and how it came about."""

    name: str
    change: str
    content: bytes


def whole_files(folder: Path, more: Path | None = None, seconds: float = 4.0) -> dict[str, bytes]:
    """Return files of every container and codec that can be written here, and those of a folder beside them."""
    files: dict[str, bytes] = {}
    for number, suffix in enumerate(sorted(CODECS)):
        rate_hz = _RATES_HZ.get(suffix, 24_000)
        sound = noise(seconds, rate_hz, 1 if suffix in _RATES_HZ else 1 + number % 2, seed=number)
        path = write_media(folder / f"whole{suffix}", sound, rate_hz, with_video=suffix in {".mkv", ".mp4"})
        files[path.name] = path.read_bytes()
    for path in sorted(more.iterdir()) if more and more.is_dir() else ():
        if path.is_file() and path.stat().st_size:
            files[path.name] = path.read_bytes()
    return files


def broken_files(files: Mapping[str, bytes], n: int, seed: int) -> Iterator[BrokenFile]:
    """Yield so many changed files: all files and all kinds of change take turns."""
    names, kinds = sorted(files), sorted(CHANGES)
    for number in range(n):
        chance = random.Random(f"{seed} {number}")
        name, kind = names[number % len(names)], kinds[number // len(names) % len(kinds)]
        content = CHANGES[kind](files[name], files[chance.choice(names)], chance)
        yield BrokenFile(name=f"{number:04}-{name}", change=kind, content=content)


def _flip_bits(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    return _flipped(content, 0, len(content), chance.choice((1, 8, 64, 1 + len(content) // 500)), chance)


def _flip_bits_of_the_head(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    return _flipped(content, 0, min(_HEAD_BYTES, len(content)), chance.choice((1, 4, 16)), chance)


def _flip_bits_of_the_tail(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    return _flipped(content, max(0, len(content) - 2 * _HEAD_BYTES), len(content), chance.choice((1, 4, 16)), chance)


def _flipped(content: bytes, start: int, end: int, n: int, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(n):
        changed[chance.randrange(start, end)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _noise_in_the_head(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(min(_HEAD_BYTES, len(content)))
    n = chance.choice((1, 4, 32))
    return content[:start] + chance.randbytes(n) + content[start + n :]


def _swap_blocks(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    size = chance.choice((16, 512, 4_096))
    first, second = (chance.randrange(len(content)) for _ in range(2))
    changed = bytearray(content)
    one, two = content[first : first + size], content[second : second + size]
    n = min(len(one), len(two))
    changed[first : first + n], changed[second : second + n] = two[:n], one[:n]
    return bytes(changed)


def _cut_off(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(1, len(content))]


def _take_out(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    return content[:start] + content[start + chance.choice((1, 100, 10_000)) :]


def _repeat(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    end = start + chance.choice((1, 200, 5_000))
    return content[:end] + content[start:end] * chance.choice((1, 20, 200)) + content[end:]


def _zero(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    n = min(chance.choice((4, 400, 20_000)), len(content) - start)
    return content[:start] + b"\0" * n + content[start + n :]


def _extreme_sizes(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    """Put extreme numbers beside four-letter names, where containers say how long things are."""
    changed = bytearray(content)
    tags = [match.start() for match in _TAG.finditer(content[: 16 * _HEAD_BYTES])] or [0]
    for at in (chance.choice(tags) for _ in range(chance.choice((1, 2, 6)))):
        value = chance.choice(_EXTREMES).to_bytes(4, chance.choice(("big", "little")))
        start = max(0, at + chance.choice((-4, 4, 8, 12, 16)))
        changed[start : start + 4] = value
    return bytes(changed)


def _extreme_numbers_in_the_head(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 3))):
        width = chance.choice((2, 4, 8))
        start = chance.randrange(min(_HEAD_BYTES, len(content)))
        value = chance.choice((b"\0", b"\xff", b"\x7f")) + chance.choice((b"\0", b"\xff")) * (width - 1)
        changed[start : start + width] = value
    return bytes(changed)


def _splice(content: bytes, other: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(1, len(content))] + other[chance.randrange(len(other)) :]


def _other_inside(content: bytes, other: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    return content[:start] + other[: chance.choice((64, 4_096, len(other)))] + content[start:]


def _head_of_another(content: bytes, other: bytes, chance: random.Random) -> bytes:
    n = chance.choice((16, 64, _HEAD_BYTES))
    return other[:n] + content[n:]


CHANGES: Mapping[str, Change] = {
    "bits flipped": _flip_bits,
    "bits of the head flipped": _flip_bits_of_the_head,
    "bits of the tail flipped": _flip_bits_of_the_tail,
    "noise in the head": _noise_in_the_head,
    "blocks swapped": _swap_blocks,
    "cut off": _cut_off,
    "a piece taken out": _take_out,
    "a piece repeated": _repeat,
    "a piece zeroed": _zero,
    "extreme sizes": _extreme_sizes,
    "extreme numbers in the head": _extreme_numbers_in_the_head,
    "spliced with another": _splice,
    "another inside": _other_inside,
    "the head of another": _head_of_another,
}
