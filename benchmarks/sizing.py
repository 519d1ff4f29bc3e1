"""What an archive of so many hours takes: machines, time, storage, memory and money, from rates that are stated.

    python -m benchmarks.sizing [--hours N …] [--speed X] [--machines N] [--price P]

Without ``--speed`` it prints the table of ``docs/sizing.md``. With the speed that you measured on one of your machines
(hours of audio an hour, ``python -m benchmarks.stages`` says it), how many you have and what one costs an hour, it says
what your archive takes. Nothing is measured here: every rate has its source beside it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from benchmarks.output import Row, markdown_table

_COLUMNS = (
    "hours of audio", "machines", "days", "machine hours", "cost", "lake", "fingerprints", "linking",
    "memory of linking",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What an hour of audio costs."""

    lake_mb: float = 2.5
    """Measured on `samples/` (docs/operations.md): facts and what is published of them."""
    fingerprints: float = 15.0
    """Six chunks, each with two or three voices that are heard long enough."""
    link_s: float = 79e-6
    """For a fingerprint: a million took 79 s on two cores (docs/performance.md)."""
    link_kib: float = 3.1
    """For a fingerprint: the same million had 3.1 GiB at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """What the work is spread over."""

    name: str
    speed: float
    """Hours of audio that one of them takes in an hour."""
    count: int = 1
    price: float = 0.0
    """Of an hour of one of them: an assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What an archive takes."""

    hours: float
    machine_hours: float
    days: float
    cost: float
    lake_gb: float
    fingerprints: float
    link_minutes: float
    link_gib: float


def per_core(seconds: float) -> float:
    """Return the speed of a core, told what ten minutes of audio took of its time.

    >>> round(per_core(87), 1)
    6.9
    """
    return 600 / seconds


def one_after_the_other(*speeds: float) -> float:
    """Return the speed of engines that take turns on a device.

    >>> round(one_after_the_other(1003, 500))
    334
    """
    return 1 / sum(1 / speed for speed in speeds)


def size_of(hours: float, machines: Machines, rates: Rates | None = None) -> Size:
    """Return what so many hours take on those machines; linking is one process, whatever their number."""
    rates = rates or Rates()
    machine_hours, fingerprints = hours / machines.speed, hours * rates.fingerprints
    return Size(
        hours=hours,
        machine_hours=machine_hours,
        days=machine_hours / machines.count / 24,
        cost=machine_hours * machines.price,
        lake_gb=hours * rates.lake_mb / 1000,
        fingerprints=fingerprints,
        link_minutes=fingerprints * rates.link_s / 60,
        link_gib=fingerprints * rates.link_kib / 1024**2,
    )


_CORE = per_core(87)
_PARAKEET = 0.9 * one_after_the_other(1003, 500)
_WHISPER = 0.9 * one_after_the_other(148, 500)
EXAMPLES = (
    (1_000, Machines(name="1 server, 8 cores, `embedded`", speed=8 * _CORE, price=0.4)),
    (1_000, Machines(name="1 GPU, `whisper`", speed=_WHISPER, price=2.5)),
    (1_000, Machines(name="1 GPU, `nemo`", speed=_PARAKEET, price=2.5)),
    (100_000, Machines(name="8 servers, 64 cores, `embedded`", speed=64 * _CORE, count=8, price=3.2)),
    (100_000, Machines(name="8 GPUs, `whisper`", speed=_WHISPER, count=8, price=2.5)),
    (100_000, Machines(name="8 GPUs, `nemo`", speed=_PARAKEET, count=8, price=2.5)),
    (10_000_000, Machines(name="64 GPUs, `whisper`", speed=_WHISPER, count=64, price=2.5)),
    (10_000_000, Machines(name="64 GPUs, `nemo`", speed=_PARAKEET, count=64, price=2.5)),
)
"""Ten minutes of `samples/` took 87 s of a core with the embedded engines (docs/performance.md). Of GPUs nothing was
measured here: long recordings by Parakeet v3 at 1,003 times real time and by Whisper large-v3-turbo at 148 (Open ASR
leaderboard, long form), turns by streaming Sortformer at 500 (its model card), one after the other, and nine tenths of
that for everything else. Prices of an hour are examples."""


def main(argv: list[str] | None = None) -> None:
    """Print the table of the docs, or one for other machines."""
    options = parse_arguments(argv)
    chosen = EXAMPLES
    if options.speed:
        name = f"{options.machines} of yours"
        machines = Machines(name=name, speed=options.speed, count=options.machines, price=options.price)
        chosen = tuple((hours, machines) for hours in options.hours)
    print(markdown_table([row_of(machines, size_of(hours, machines)) for hours, machines in chosen], _COLUMNS))


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("sizing", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hours", type=float, nargs="+", default=[1_000, 100_000, 10_000_000])
    parser.add_argument("--speed", type=float, help="hours of audio that one machine takes in an hour")
    parser.add_argument("--machines", type=int, default=1)
    parser.add_argument("--price", type=float, default=0.0, help="of an hour of one machine")
    return parser.parse_args(argv)


def row_of(machines: Machines, size: Size) -> Row:
    """Return a line of the table."""
    return {
        "hours of audio": f"{size.hours:,.0f}",
        "machines": machines.name,
        "days": f"{size.days:.1f}",
        "machine hours": f"{size.machine_hours:,.0f}",
        "cost": f"{size.cost:,.0f}",
        "lake": f"{size.lake_gb:,.1f} GB" if size.lake_gb < 1000 else f"{size.lake_gb / 1000:,.0f} TB",
        "fingerprints": f"{size.fingerprints / 1e6:,.2f} million",
        "linking": f"{size.link_minutes:,.0f} min" if size.link_minutes >= 1 else "seconds",
        "memory of linking": f"{max(size.link_gib, 0.3):,.1f} GiB",
    }


if __name__ == "__main__":
    main()
