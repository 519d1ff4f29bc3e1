"""Choices of recipes: kept as they were made, in the order in which they were made."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from storage.choices import RecipeChoice, choice_ids, choices_of, choices_table, read_choices, record_choice, standing
from storage.lake import Lake

AT = datetime(2026, 1, 2, tzinfo=UTC)


@st.composite
def histories(draw):
    made = draw(st.lists(st.tuples(st.sampled_from(["transcribe", "diarize"]), st.none() | st.sampled_from("abc"))))
    return tuple(
        RecipeChoice(choice_id=f"cho_{n:03d}", at=AT + timedelta(seconds=n), stage=stage, recipe=recipe, after="p")
        for n, (stage, recipe) in enumerate(made)
    )


@given(histories())
def test_those_count_that_came_after_all_were_taken_back(history):
    for stage in ("transcribe", "diarize"):
        mine = [choice for choice in history if choice.stage == stage]
        last_reset = max((n for n, choice in enumerate(mine) if choice.recipe is None), default=-1)
        assert list(standing(history, stage)) == mine[last_reset + 1 :][::-1]


@given(histories())
def test_a_table_keeps_them_in_any_order(history):
    assert choices_of(choices_table(history[::-1])) == history


def test_choices_are_read_as_they_were_made(tmp_path):
    lake = Lake(str(tmp_path))
    assert read_choices(lake) == ()
    made = [record_choice(lake, "transcribe", "r", "p"), record_choice(lake, "diarize", None, None)]
    assert read_choices(lake) == tuple(made)
    assert choice_ids(lake) == {choice.choice_id for choice in made}
