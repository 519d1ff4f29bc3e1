"""Commands about the people in a lake: who they are, and who is who."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from flows.cli_options import JsonFlag, Later, Several
from flows.cli_output import ask, print_json, print_pairs, print_rows, say, wants_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.decisions import Decision


speakers = App(name="speakers", help="List the speakers of a lake, name them, and correct who is who.")


@speakers.command(name="list")
def list_speakers(
    lake: str, *, everybody: Annotated[bool, Parameter(name="--all", negative="")] = False, json: JsonFlag = None
) -> int:
    """List who speaks, and where.

    Args:
        lake: Folder or URL of the lake.
        everybody: Also fragments, of which too little is heard, and IDs that nobody bears any more.
        json: Print JSON, or a table; a table on a terminal by default.
    """
    from tasks.people.lists import speaker_rows

    rows = speaker_rows(lake, is_all=everybody)
    if wants_json(json):
        print_json(rows)
    else:
        print_rows(rows, ("speaker_id", "name", "status", "recordings", "minutes", "heard_in"))
    return 0


@speakers.command(name="show")
def show(lake: str, speaker: str, *, json: JsonFlag = None) -> int:
    """Show one speaker: recordings, who sounds alike, decisions, enrolled clips.

    Args:
        lake: Folder or URL of the lake.
        speaker: Speaker ID, or a name that only one has.
        json: Print JSON, or tables; tables on a terminal by default.
    """
    from tasks.people.show import show_speaker

    shown = show_speaker(lake, speaker)
    if wants_json(json):
        print_json(shown)
        return 0
    print_pairs({**shown["speaker"], "formerly": ", ".join(shown["formerly"])})
    columns = {
        "recordings": ("source", "local_speaker", "seconds", "confidence", "margin"),
        "neighbours": ("speaker_id", "name", "score", "confidence"),
        "decisions": ("decision_id", "kind", "speaker_id", "other_id", "is_undone", "n_lost", "set_aside"),
        "enrolments": ("clip", "seconds", "model", "counts", "decision_id"),
    }
    for table, names in columns.items():
        print_rows(shown[table], names, title=table)
    return 0


@speakers.command(name="name")
def name_speaker(lake: str, speaker: str, name: str = "") -> int:
    """Name a speaker, at once and in all recordings; without a name, take it away.

    Args:
        lake: Folder or URL of the lake.
        speaker: Speaker ID, or a name that only one has.
        name: What to call them.
    """
    from tasks.people.lists import name_person

    speaker_id = name_person(lake, speaker, name or None)
    say(f"{speaker_id} is {name}" if name else f"{speaker_id} has no name")
    return 0


@speakers.command(name="merge")
def merge(lake: str, speaker: str, other: str, *, later: Later = False, json: JsonFlag = None) -> int:
    """Say that two speakers are one person; link and publish again.

    Args:
        lake: Folder or URL of the lake.
        speaker: Speaker ID, or a name that only one has; where both have a name, this one's stays.
        other: Speaker ID or name of the other.
        later: Only note it; it counts from the next run on.
        json: Print JSON, or text; text on a terminal by default.
    """
    from tasks.people.decide import merge_speakers

    return _make_count(lake, merge_speakers(lake, speaker, other), later=later, json=json)


@speakers.command(name="split")
def split(
    lake: str,
    speaker: str,
    *,
    source: Annotated[list[str], Parameter(negative="")],
    local_speaker: Several = None,
    later: Later = False,
    json: JsonFlag = None,
) -> int:
    """Say that a speaker's voices in some recordings are one other person's; link and publish again.

    Args:
        lake: Folder or URL of the lake.
        speaker: Speaker ID, or a name that only one has.
        source: Recording in which it is somebody else; may be given several times.
        local_speaker: Only this local speaker of the recordings, such as `S0`; may be given several times.
        later: Only note it; it counts from the next run on.
        json: Print JSON, or text; text on a terminal by default.
    """
    from tasks.people.decide import split_speaker

    return _make_count(lake, split_speaker(lake, speaker, source, local_speaker or ()), later=later, json=json)


@speakers.command(name="forbid")
def forbid(lake: str, speaker: str, other: str, *, later: Later = False, json: JsonFlag = None) -> int:
    """Say that two speakers are different people and stay so; link and publish again.

    Args:
        lake: Folder or URL of the lake.
        speaker: Speaker ID, or a name that only one has.
        other: Speaker ID or name of the other.
        later: Only note it; it counts from the next run on.
        json: Print JSON, or text; text on a terminal by default.
    """
    from tasks.people.decide import forbid_speakers

    return _make_count(lake, forbid_speakers(lake, speaker, other), later=later, json=json)


@speakers.command(name="enroll")
def enroll(
    lake: str, name: str, *clips: str, speaker: str | None = None, later: Later = False, json: JsonFlag = None
) -> int:
    """Bring clips of a known person, so that they are recognised by name; link and publish again.

    Args:
        lake: Folder or URL of the lake.
        name: What the person is called.
        clips: Files or URLs of audio in which only this person speaks, two seconds or more each.
        speaker: Speaker ID or name of somebody in the lake whom the clips belong to; a new speaker by default.
        later: Only note it; it counts from the next run on.
        json: Print JSON, or text; text on a terminal by default.
    """
    from tasks.people.enroll import enroll_speaker, outdated_enrolments

    enrolment = enroll_speaker(lake, name, clips, speaker=speaker)
    for problem in enrolment.problems:
        say(f"left out: {problem}")
    say(f"{enrolment.decision.speaker_id} is {name}, by {len(enrolment.clips)} of {len(clips)} clips")
    for row in outdated_enrolments(lake):
        say(f"{row['speaker_id']}: {row['clip']} is of another model and does not count; enroll it again")
    told = {"speaker_id": enrolment.decision.speaker_id, "left_out": enrolment.problems}
    return _make_count(lake, enrolment.decision, later=later, json=json, told=told)


@speakers.command(name="forget")
def forget(
    lake: str,
    speaker: str,
    *,
    yes: Annotated[bool, Parameter(negative="")] = False,
    later: Later = False,
    json: JsonFlag = None,
) -> int:
    """Remove somebody's fingerprints and name everywhere; the text stays. Then link and publish again.

    Args:
        lake: Folder or URL of the lake.
        speaker: Speaker ID, or a name that only one has.
        yes: Do not ask.
        later: Remove at once, but show transcripts without them only from the next run on.
        json: Print JSON, or text; text on a terminal by default.
    """
    from dataclasses import asdict

    from tasks.people.forget import forget_speaker
    from tasks.wording import counted

    ask(f"Forget {speaker}? Fingerprints and name are removed for good.", is_sure=yes, flag="--yes")

    forgotten = forget_speaker(lake, speaker)
    erased = forgotten.erased
    say(
        f"removed {counted(erased.n_fingerprints, 'fingerprint')} in {counted(erased.n_files, 'file')}, "
        f"{counted(erased.n_names, 'name')}, {counted(erased.n_enrolments, 'enrolment')}"
    )
    for other in forgotten.namesakes:
        say(f"{other} has the same name and is still there")
    told = {"removed": asdict(erased), "namesakes": forgotten.namesakes}
    return _make_count(lake, forgotten.decision, later=later, json=json, told=told)


@speakers.command(name="decisions")
def decisions(lake: str, *, json: JsonFlag = None) -> int:
    """List what was decided about speakers, and what became of it.

    Args:
        lake: Folder or URL of the lake.
        json: Print JSON, or a table; a table on a terminal by default.
    """
    from tasks.people.lists import decision_rows

    rows = decision_rows(lake)
    if wants_json(json):
        print_json(rows)
    else:
        columns = ("decision_id", "at", "kind", "speaker_id", "other_id", "name", "is_undone", "n_lost", "set_aside")
        print_rows(rows, columns)
    return 0


@speakers.command(name="undo")
def undo(lake: str, decision_id: str, *, later: Later = False, json: JsonFlag = None) -> int:
    """Take a decision back; link and publish again.

    Args:
        lake: Folder or URL of the lake.
        decision_id: As `voxlake speakers decisions` shows it.
        later: Only note it; it counts from the next run on.
        json: Print JSON, or text; text on a terminal by default.
    """
    from tasks.people.decide import undo_decision

    undone = undo_decision(lake, decision_id)
    say(f"{undone}: taken back")
    return _make_count(lake, undone, later=later, json=json)


def _make_count(
    lake: str, decision: Decision, *, later: bool, json: bool | None, told: Mapping[str, Any] | None = None
) -> int:
    """Make a decision count, or its being taken back, and say what changed."""
    from tasks.people.changes import changed_speakers, published_speakers

    answer = {"decision_id": decision.decision_id, "kind": decision.kind, "is_published": not later, **(told or {})}
    if later:
        say("this counts from the next run on")
        answer["changes"] = []
    else:
        before = published_speakers(lake)
        answer |= _relink(lake, decision)
        answer["changes"] = changed_speakers(before, published_speakers(lake))
    if wants_json(json):
        print_json(answer)
    elif not later:
        columns = ("speaker_id", "name", "recordings_before", "recordings", "minutes_before", "minutes", "merged_into")
        print_rows(answer["changes"], columns, title="changed")
    return 0


def _relink(lake: str, decision: Decision) -> dict[str, Any]:
    """Link and publish; return what became of the decision."""
    from flows.local import relink
    from storage.errors import VoxlakeError
    from tasks.people.lists import decision_rows
    from tasks.wording import counted

    try:
        relink(lake)
    except VoxlakeError:
        say("what was decided is kept, and counts from the next run on")
        raise
    (row,) = [row for row in decision_rows(lake) if row["decision_id"] == decision.decision_id]
    if row["set_aside"]:
        say(f"it does not count: {row['set_aside']}")
    if row["n_lost"]:
        say(f"not heard any more where they were: {counted(row['n_lost'], 'voice')} that it is about")
    return {"n_lost": row["n_lost"], "set_aside": row["set_aside"]}
