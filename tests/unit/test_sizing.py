"""What archives of many sizes take, and the archive of tones that large runs are measured with."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import sizing
from benchmarks.sized_archive import write_archive
from benchmarks.sizing import Machines, Rates, size_of
from benchmarks.watching import growth
from storage.records import ClipContext
from tasks.audio.decode import open_recording
from tasks.engines.fake import FakeDiarizer, FakeEmbedder
from tests.tones import all_speech, spoken, tone_clip

PAGE = Path(__file__).parents[2] / "docs" / "sizing.md"


def cells(table):
    return [[cell.strip() for cell in line.strip("| \n").split("|")] for line in table.splitlines() if "|" in line]


def test_the_page_has_the_table_that_the_rates_give(capsys):
    sizing.main([])
    printed = [row for row in cells(capsys.readouterr().out) if not row[0].startswith("---")]
    shown = cells(PAGE.read_text())
    assert all(row in shown for row in printed)
    assert len(printed) == len(sizing.EXAMPLES) + 1


def test_what_the_page_tells_to_type_works(capsys):
    (command,) = re.findall(r"python -m benchmarks\.sizing (--.*)", PAGE.read_text())
    sizing.main(command.split())
    assert "of yours" in capsys.readouterr().out


@given(st.floats(1, 1e7), st.floats(0.1, 1e4), st.integers(1, 1000), st.floats(0, 100))
def test_more_machines_take_less_time_for_the_same_money(hours, speed, count, price):
    one, many = (size_of(hours, Machines(name="", speed=speed, count=some, price=price)) for some in (1, count))
    assert many.days == pytest.approx(one.days / count)
    assert (many.cost, many.lake_gb, many.link_gib) == (one.cost, one.lake_gb, one.link_gib)


def test_sizes_by_hand():
    rates = Rates(lake_mb=2, fingerprints=10, link_s=1e-3, link_kib=2)
    size = size_of(4_800, Machines(name="", speed=100, count=2, price=3), rates)
    assert (size.machine_hours, size.days, size.cost, size.lake_gb) == (48, 1, 144, 9.6)
    assert (size.fingerprints, size.link_minutes) == (48_000, 0.8)
    assert size.link_gib == pytest.approx(0.0916, rel=1e-3)


# ---- archives of tones


def test_recordings_of_the_archive_differ_and_have_two_people_each(tmp_path):
    write_archive(tmp_path, 40, broken_every=20)
    files = sorted(tmp_path.rglob("*.wav"))
    assert len({path.read_bytes() for path in files}) == 40
    for path in (files[1], files[37]):
        with open_recording(str(tmp_path), path.relative_to(tmp_path).as_posix()) as reader:
            clip = np.concatenate([block.mean(axis=0) for block in reader.blocks()])
        (found,) = FakeDiarizer.from_options({}, device="cpu").diarize([clip], [ClipContext(speech=all_speech(clip))])
        assert len({turn.speaker for turn in found.turns}) == 2


def test_people_of_a_crowd_are_told_apart_by_loudness():
    crowd = FakeEmbedder.from_options({"crowd": True}, device="cpu")
    quiet, again, loud = (
        tone_clip(2_000 + number * 10, spoken(100, 400, 5), amplitude=amplitude)
        for number, amplitude in enumerate((0.2, 0.2, 0.3))
    )
    one, same, other = crowd.embed([quiet, again, loud])
    assert one @ same > 0.6
    assert one @ other < 0.4
    assert crowd.dim == len(one)
    assert np.isnan(crowd.embed([np.zeros(16_000, np.float32)])).all()


def test_growth_is_from_warm_to_end():
    assert growth([1.0] * 5 + [10.0] * 40 + [12.0] * 5) == pytest.approx(1.2)
    assert growth([3.0]) == 1.0
