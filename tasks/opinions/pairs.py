"""Which two recipes are compared in which recording. Pure, but for what is read to know it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from storage.addresses import public_url
from storage.comparisons import ComparedKey
from storage.errors import ConfigError
from storage.lake import Lake
from storage.lake_records import LakeState
from storage.recipe_cards import RecipeCard, read_cards
from storage.recipes import CHOSEN_STAGES, Stage

SEE_LIST = "see: voxlake recipes list LAKE"


def read_opinions(lake_url: str) -> tuple[Lake, LakeState]:
    """Return a lake and what is done in it.

    Raises:
        ConfigError: nothing has been published there.
    """
    lake = Lake(lake_url)
    state = lake.state()
    if state.publication is None:
        raise ConfigError(
            f"lake {public_url(lake_url)!r}",
            "nothing has been published there",
            "fill it with: voxlake run ARCHIVE LAKE",
        )
    return lake, state


def find_recipe(state: LakeState, said: str) -> tuple[Stage, str]:
    """Return the stage and the recipe that the beginning of a recipe means, of those that recordings have.

    Raises:
        ConfigError: nothing is meant, or several, or a stage of which there is no second opinion.
    """
    known = sorted({(recipe, stage) for _, stage, recipe in state.done if said and recipe.startswith(said)})
    meant = [(stage, recipe) for recipe, stage in known if stage in CHOSEN_STAGES]
    if not meant:
        problem = f"is one of {known[0][1]}, of which there is no second opinion" if known else "is not in the lake"
        raise ConfigError(f"recipe {said!r}", problem, SEE_LIST)
    if len(meant) > 1:
        raise ConfigError(f"recipe {said!r}", f"may be {' or '.join(recipe for _, recipe in meant)}", "say more of it")
    stage, recipe = meant[0]
    return _stage(stage), recipe


def pairs_to_compare(
    lake: Lake, state: LakeState, stages: Collection[Stage], recipes: Sequence[str] | None
) -> list[ComparedKey]:
    """Return each recording's pairs: what is published of a stage with each other recipe that is done of the recording.

    Both are about the same chunks: the detector, the lengths of chunks and the channel mode were the same.

    Args:
        lake: The lake.
        state: What is done.
        stages: Only these.
        recipes: Two recipes to compare instead, wherever both are done.
    """
    published = lake.whole(state.publication, "selected").to_pydict()
    columns = (published[name] for name in ("recording_id", "stage", "recipe"))
    shown = {(recording_id, stage): recipe for recording_id, stage, recipe in zip(*columns, strict=True)}
    done, cards = _done(state), read_cards(lake)
    return sorted(
        ComparedKey(recording_id, _stage(stage), *pair, *(state.done[recording_id, stage, recipe] for recipe in pair))
        for (recording_id, stage), found in done.items()
        if stage in stages
        for pair in _pairs(found, shown.get((recording_id, stage)), recipes)
        if _same_chunks(pair, done[recording_id, "probe"], cards)
    )


def _done(state: LakeState) -> Mapping[tuple[str, str], set[str]]:
    done: dict[tuple[str, str], set[str]] = defaultdict(set)
    for recording_id, stage, recipe in state.done:
        done[recording_id, stage].add(recipe)
    return done


def _pairs(found: Collection[str], shown: str | None, recipes: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    pairs: list[Sequence[str]] = []
    if recipes is not None:
        pairs = [recipes] if set(recipes) <= set(found) else []
    elif shown is not None:
        pairs = [(shown, other) for other in found if other != shown]
    for pair in pairs:
        yield min(pair), max(pair)


def _same_chunks(pair: Sequence[str], probes: Collection[str], cards: Mapping[str, RecipeCard]) -> bool:
    """Return whether both recipes are about the same chunks, without which turns say nothing of each other."""
    if len(probes) == 1:
        return True
    after = {cards[recipe].after if recipe in cards else recipe for recipe in pair}
    return len(after) == 1


def _stage(name: str) -> Stage:
    return next(stage for stage in CHOSEN_STAGES if stage == name)
