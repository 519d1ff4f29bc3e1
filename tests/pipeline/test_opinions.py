"""Two transcribers and two diarizers over the same recordings: both stay, they are compared, one is published."""

import json
import shutil
from dataclasses import replace

import pytest

from flows.cli import app
from storage.errors import ConfigError
from storage.lake import Lake
from tasks.audio.chunking import ChunkOptions
from tasks.opinions.choose import choose_recipes, recipe_rows, take_choices_back
from tasks.opinions.compare import compare_lake, totals
from tasks.planning.plan import plan_run
from tasks.planning.spec import EngineChoice
from tests.lakes import conversation, fake_spec, query, run_whole, write_wav

BRITISH = EngineChoice(name="fake", options={"accent": "ish"})
PATIENT = EngineChoice(name="fake", options={"max_gap_ms": 8_000})
"""Takes pauses for speech."""
BOTH = ("transcribe", "diarize")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with an archive and a lake of two transcribers and two diarizers."""
    folder = tmp_path_factory.mktemp("opinions")
    write_wav(folder / "archive" / "one.wav", conversation(300, 900, 300))
    write_wav(folder / "archive" / "two.wav", conversation(900, 1500, 900))
    for changes in ({"diarizer": PATIENT, "transcriber": BRITISH}, {}):
        run_whole(fake_spec(folder / "archive", folder / "lake", **changes))
    return folder


@pytest.fixture
def lake(made, tmp_path):
    shutil.copytree(made / "lake", tmp_path / "lake")
    return str(tmp_path / "lake")


def recipe(lake, stage, **options):
    """Return the one recipe of a stage with those options."""
    rows = [row for row in recipe_rows(lake) if row["stage"] == stage]
    (found,) = [row["recipe"] for row in rows if options.items() <= json.loads(row["options"]).items()]
    return found


def words(lake, source="one.wav"):
    return [text for (text,) in query(lake, f"SELECT text FROM words WHERE source = '{source}' ORDER BY word_index")]


def spoken_ms(lake):
    ((total_ms,),) = query(lake, "SELECT sum(end_ms - start_ms) FROM turns WHERE NOT is_exclusive")
    return total_ms


def command(capsys, *arguments):
    assert app([*arguments, "--json"], exit_on_error=False) == 0
    return json.loads(capsys.readouterr().out)


def published(made, lake, **changes):
    """Publish again by link and publish, of a run that finds everything done."""
    ran = run_whole(fake_spec(made / "archive", lake, **changes))
    assert ran.shards.n_recordings == 0
    return ran


def test_recipes_say_what_they_stand_for_and_what_is_published(lake):
    rows = recipe_rows(lake)
    assert [row["stage"] for row in rows] == [
        "probe", "transcribe", "transcribe", "diarize", "diarize", "fingerprint", "fingerprint",
    ]  # fmt: skip
    heard = [row for row in rows if row["stage"] == "transcribe"]
    shown = {json.loads(row["options"])["accent"]: (row["n_recordings"], row["n_published"]) for row in heard}
    assert shown == {"": (2, 2), "ish": (2, 0)}
    assert {(row["engine"], row["version"], row["chosen_at"]) for row in rows} == {("fake", "1", None)}
    probe = rows[0]["recipe"]
    assert all(row["after"] == probe for row in rows[1:5])
    assert all(row["first_done"] <= row["last_done"] for row in rows)


def test_what_was_not_written_down_is_not_made_up(made, lake, monkeypatch):
    store = Lake(lake).store
    for name in store.list("recipes"):
        store.delete(f"recipes/{name}")
    monkeypatch.setattr("tasks.planning.plan_files.write_cards", lambda lake, cards: None)
    published(made, lake, collection="again")
    assert {(row["engine"], row["options"], row["given"]) for row in recipe_rows(lake)} == {(None, None, None)}
    assert len(compare_lake(lake, BOTH)) == 4, "there is but one way to cut these recordings"
    with pytest.raises(ConfigError, match="run once more"):
        choose_recipes(lake, [recipe_rows(lake)[1]["recipe"]])


def test_a_run_over_a_lake_of_an_earlier_version_writes_down_what_recipes_stand_for(made, lake):
    opened = Lake(lake)
    before = opened.latest_publication()
    wholes = {table: key for table, key in before.wholes.items() if table not in {"cards", "choices"}}
    opened.publish(replace(before, number=before.number + 1, wholes=wholes))
    assert {row["engine"] for row in recipe_rows(lake)} == {None}
    published(made, lake)
    assert {row["engine"] for row in recipe_rows(lake)} == {"fake"}
    assert plan_run(fake_spec(made / "archive", lake)).is_current


def test_opinions_are_compared_once_and_kept(lake, capsys):
    rows = command(capsys, "compare", lake)
    by_stage = {(row["stage"], row["source"]): row for row in rows}
    assert len(by_stage) == len(rows) == 4
    for (stage, source), row in by_stage.items():
        if stage == "transcribe":
            assert row["n_compared"] >= row["n_differing"] == len(words(lake, source))
        else:
            assert 0 < row["rate"] < 1
    files = Lake(lake).store.list("comparisons")
    assert command(capsys, "compare", lake) == rows
    assert Lake(lake).store.list("comparisons") == files
    in_all = {total["stage"]: (total["recordings"], total["n_compared"]) for total in totals(rows)}
    assert in_all["diarize"] == (2, sum(row["n_compared"] for row in rows if row["stage"] == "diarize"))


def test_disagreements_say_where_and_what_each_has(lake):
    compare_lake(lake, BOTH)
    found = query(
        lake,
        """SELECT start_ms, end_ms, one_recipe, other_recipe, one_text, other_text FROM disagreements
           WHERE source = 'two.wav' AND stage = 'transcribe' ORDER BY start_ms""",
    )
    plain, accented = (recipe(lake, "transcribe", accent=accent) for accent in ("", "ish"))
    assert {one[2:4] for one in found} == {tuple(sorted((plain, accented)))}
    said = [dict(zip(one[2:4], one[4:], strict=True)) for one in found]
    assert " ".join(texts[plain] for texts in said).split() == words(lake, "two.wav")
    assert all(texts[accented] == " ".join(f"{word}ish" for word in texts[plain].split()) for texts in said)
    heard = query(lake, "SELECT one_text, other_text FROM disagreements WHERE stage = 'diarize'")
    assert heard
    for both in heard:
        fewer, more = sorted((set(filter(None, text.split(", "))) for text in both), key=len)
        assert fewer < more, "the patient one hears somebody on in his pauses"


def test_two_recipes_may_be_named_by_their_beginnings(lake, capsys):
    pair = [recipe(lake, "transcribe", accent=accent) for accent in ("", "ish")]
    rows = command(capsys, "compare", lake, "--recipes", pair[1][:9], pair[0][:9])
    assert [(row["stage"], row["one_recipe"], row["other_recipe"]) for row in rows] == [
        ("transcribe", *sorted(pair))
    ] * 2
    assert [row["stage"] for row in command(capsys, "compare", lake, "--stage", "diarize")] == ["diarize"] * 2


@pytest.mark.parametrize(
    ("said", "problem"),
    [("none", "is not in the lake"), ("", "is not in the lake"), ("{probe}", "no second opinion")],
)
def test_what_is_no_recipe_is_said(lake, said, problem):
    probe = recipe(lake, "probe")
    with pytest.raises(ConfigError, match=problem):
        choose_recipes(lake, [said.format(probe=probe)])


def test_recipes_of_two_stages_are_no_pair(lake):
    one, other = recipe(lake, "transcribe", accent="ish"), recipe(lake, "diarize", max_gap_ms=8_000)
    for pair in ((one, other), (one, one)):
        with pytest.raises(ConfigError, match="two of one stage"):
            compare_lake(lake, BOTH, pair)


def test_the_run_with_the_engine_wanted_decides_and_does_nothing_again(made, lake):
    published(made, lake, transcriber=BRITISH)
    assert all(word.endswith("ish") for word in words(lake))
    assert plan_run(fake_spec(made / "archive", lake, transcriber=BRITISH)).is_current
    published(made, lake)
    assert not any(word.endswith("ish") for word in words(lake))


def test_what_was_chosen_is_published_whatever_runs_later(made, lake, tmp_path, capsys):
    chosen = recipe(lake, "transcribe", accent="ish")
    rows = command(capsys, "recipes", "choose", lake, chosen[:8])
    assert [row["recipe"] for row in rows if row["chosen_at"]] == [chosen]
    assert all(word.endswith("ish") for word in words(lake))
    assert plan_run(fake_spec(made / "archive", lake)).is_current, "it is as the run before it would make it"
    shutil.copytree(made / "archive", tmp_path / "archive")
    write_wav(tmp_path / "archive" / "three.wav", conversation(2100))
    run_whole(fake_spec(tmp_path / "archive", lake))
    assert all(word.endswith("ish") for word in words(lake))
    assert words(lake, "three.wav")
    assert not any(word.endswith("ish") for word in words(lake, "three.wav")), "nobody has heard it so"


def test_a_choice_that_counts_later_makes_the_next_run_publish(made, lake, capsys):
    command(capsys, "recipes", "choose", lake, recipe(lake, "transcribe", accent="ish"), "--later")
    assert not any(word.endswith("ish") for word in words(lake))
    assert not plan_run(fake_spec(made / "archive", lake)).is_current
    published(made, lake)
    assert all(word.endswith("ish") for word in words(lake))


def test_the_last_choice_counts_and_all_can_be_taken_back(made, lake, capsys):
    choose_recipes(lake, [recipe(lake, "transcribe", accent=""), recipe(lake, "transcribe", accent="ish")])
    choose_recipes(lake, [recipe(lake, "diarize", max_gap_ms=8_000)])
    published(made, lake)
    assert all(word.endswith("ish") for word in words(lake))
    patient = spoken_ms(lake)
    take_choices_back(lake, ["transcribe"])
    published(made, lake)
    assert not any(word.endswith("ish") for word in words(lake))
    assert spoken_ms(lake) == patient
    rows = command(capsys, "recipes", "reset", lake)
    assert spoken_ms(lake) < patient
    assert all(row["chosen_at"] is None for row in rows)


def test_turns_that_were_chosen_come_with_their_speakers(made, lake):
    choose_recipes(lake, [recipe(lake, "diarize", max_gap_ms=8_000)])
    published(made, lake)
    shown = {row["recipe"] for row in recipe_rows(lake) if row["n_published"] and row["stage"] == "fingerprint"}
    after = {row["recipe"]: row["after"] for row in recipe_rows(lake)}
    assert {after[one] for one in shown} == {recipe(lake, "diarize", max_gap_ms=8_000)}
    assert query(lake, "SELECT count(*) > 2 FROM turns WHERE speaker_id IS NOT NULL") == [(True,)]


def test_opinions_about_other_chunks_are_not_compared_nor_mixed(made, lake):
    choose_recipes(lake, [recipe(lake, "transcribe", accent="ish")])
    short = ChunkOptions(target_ms=4_000, max_ms=6_000, min_ms=2_000)
    run_whole(fake_spec(made / "archive", lake, chunking=short))
    assert not any(word.endswith("ish") for word in words(lake))
    assert compare_lake(lake, BOTH) == []
    with pytest.raises(ConfigError, match="is not in the lake"):
        choose_recipes(lake, [""])


def test_a_lake_of_one_opinion_has_nothing_to_compare(tmp_path, capsys):
    write_wav(tmp_path / "archive" / "one.wav", conversation(300))
    run_whole(fake_spec(tmp_path / "archive", tmp_path / "lake"))
    assert app(["compare", str(tmp_path / "lake"), "--no-json"], exit_on_error=False) == 0
    told = capsys.readouterr()
    assert "in all: none" in told.out
    assert "two opinions" in told.err
    with pytest.raises(ConfigError, match="nothing has been published"):
        compare_lake(str(tmp_path / "nowhere"), BOTH)
