"""Three made-up archives and who was found in them: whatever changes linking shows here.

Where a change is meant, look at the difference that this leaves in ``golden/`` and commit it:

    RENEW_GOLDEN=1 .venv/bin/python -m pytest tests/unit/tasks/linking/test_golden.py
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from storage.enrolled import EnrolledVoice
from tasks.linking.constraints import Constraints
from tests.made_up import fingerprints, link_whole
from tests.voices import agreement, archive, heard, row

FOLDER = Path(__file__).parent / "golden"


def returning():
    """People who return in many rooms, some with little speech and some without a fingerprint."""
    rows, people = archive(11, n_recordings=16, n_people=9)
    more = [
        row("short", "A", heard(2, room=77), ms=1_200),
        row("short", "B", heard(30, room=77), ms=1_200),
        row("mute", "A", None, ms=400),
    ]
    return {"rows": rows + more}, [*people, 2, 30, 31]


def radio():
    """A jingle in every other recording, which leaks into others, an announcer, and guests who come once."""
    rng = np.random.default_rng(12)
    rows, people = [], []
    for number in range(24):
        guests = [*rng.choice(8, 2, replace=False).tolist(), 100 + number]
        for label, who in zip("ABC", guests, strict=True):
            vector = heard(who, room=number, noise=0.6) + 0.2 * heard(99) * (number % 2)
            rows.append(
                row(f"show {number:02d}", label, vector / np.linalg.norm(vector), ms=int(rng.integers(4e3, 4e4)))
            )
        people += guests
        if number % 2:
            rows.append(row(f"show {number:02d}", "J", heard(99, noise=0.02, take=number), ms=6_000))
            people.append(99)
        rows.append(row(f"show {number:02d}", "N", heard(50, room=number), chunk=1))
        people.append(50)
    return {"rows": rows}, people


def decided():
    """Twins whom people told apart, one person with two voices, a forgotten one, and one who was enrolled."""
    voices = [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    rows = [row(f"r{number:02d}", "A", heard(who, room=number, noise=0.5)) for number, who in enumerate(voices)]
    constraints = Constraints(
        together=(np.array([4, 6]), np.array([0, 1])),
        apart=((np.array([0, 1]), np.array([2, 3])),),
        forgotten=np.array([8]),
    )
    grace = EnrolledVoice(speaker_id="spk_grace", model="made-up", vector=heard(5, room=90), speech_ms=30_000)
    options = {"constraints": constraints, "enrolled": [grace]}
    return {"rows": rows, **options}, ["a", "a", "b", "b", *"ccccefgg"]


def found_in(*, rows, **options):
    """Return the speaker and the confidence of each local speaker, by recording and name."""
    links = link_whole(fingerprints(rows), **options).links.to_pylist()
    return {
        f"{one['recording_id']}/{one['local_speaker']}": [
            one["speaker_id"],
            None if one["confidence"] is None else round(one["confidence"], 2),
            one["basis"] or one["reason"],
        ]
        for one in links
    }


@pytest.mark.parametrize("made_up", [returning, radio, decided])
def test_who_is_found_is_who_was_found(made_up):
    path = FOLDER / f"{made_up.__name__}.json"
    found = found_in(**made_up()[0])
    if os.environ.get("RENEW_GOLDEN"):
        lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in found.items())
        path.write_text(f"{{\n{lines}\n}}\n")
    expected = json.loads(path.read_text())
    who, sure = ({key: value[at] for key, value in found.items()} for at in (0, 1))
    assert who == {key: value[0] for key, value in expected.items()}
    assert sure == pytest.approx({key: value[1] for key, value in expected.items()}, abs=0.02)
    assert [value[2] for value in found.values()] == [value[2] for value in expected.values()]


@pytest.mark.parametrize("made_up", [returning, radio, decided])
def test_what_was_found_is_right(made_up):
    arguments, people = made_up()
    links = link_whole(fingerprints(arguments["rows"]), **{k: v for k, v in arguments.items() if k != "rows"})
    name = {tuple(key.values())[:4]: key["local_speaker"] for key in links.local_speakers.to_pylist()}
    of_local = {(one["recording_id"], one["local_speaker"]): one["speaker_id"] for one in links.links.to_pylist()}
    speakers = [of_local[one[0], name[one[:4]]] for one in arguments["rows"]]
    known = [(speaker, who) for speaker, who in zip(speakers, people, strict=True) if speaker]
    assert agreement(*zip(*known, strict=True)) > 0.98
