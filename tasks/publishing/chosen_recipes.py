"""What people chose to see goes before what the latest run asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from storage.choices import RecipeChoice, standing
from storage.lake_records import LakeState
from storage.recipes import CHOSEN_STAGES, Stage
from tasks.planning.recipes import RecipeBook


def with_choices(
    recording_id: str,
    shown: Mapping[Stage, str],
    state: LakeState,
    choices: Sequence[RecipeChoice],
    recipes: RecipeBook,
) -> Mapping[Stage, str]:
    """Return the recipes by which a recording is shown, with those that were chosen, as far as it has their facts.

    A choice counts where it is about the same chunks. Turns come with the fingerprints that say whose they are, by the
    embedder of the run, for vectors of different models are never compared.

    Args:
        recording_id: The recording.
        shown: Recipes by stage, without choices.
        state: What is done.
        choices: All of them, oldest first.
        recipes: Of the run.
    """
    result = dict(shown)
    for stage in CHOSEN_STAGES:
        options = _options(stage, shown.get("probe"), choices, recipes)
        done = (one for one in options if all((recording_id, *key) in state.done for key in one.items()))
        result |= next(done, {})
    return result


def _options(
    stage: Stage, probe: str | None, choices: Sequence[RecipeChoice], recipes: RecipeBook
) -> Iterator[dict[Stage, str]]:
    """Yield what each choice would show, the latest first."""
    for choice in standing(choices, stage):
        if choice.recipe and choice.after == probe:
            option: dict[Stage, str] = {stage: choice.recipe}
            if stage == "diarize":
                option["fingerprint"] = recipes.fingerprint_after(choice.recipe)
            yield option
