"""What people decided, as constraints on clustering: who is one person, who is not, whose voice nobody may use.

Decisions may contradict each other: a merge says that two voices are one person, a later one that they are not. The
earlier decision then counts, and the later is set aside with a reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from storage.decisions import Decision
from tasks.linking.voices import IntArray

_Rows = frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Constraints:
    """What people decided, in rows of ``LocalSpeakers``; it contradicts itself nowhere."""

    together: tuple[IntArray, ...] = ()
    """Each is one person: disjoint, sorted, two rows or more."""
    apart: tuple[tuple[IntArray, IntArray], ...] = ()
    """No row of the first is ever one person with any row of the second."""
    forgotten: IntArray
    """Rows whose voice nobody may use, sorted; they are in nothing else."""


NO_CONSTRAINTS = Constraints(forgotten=np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecidedRows:
    """A decision and the rows that its voices are today."""

    decision: Decision
    ours: IntArray
    theirs: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A decision that cannot count beside earlier ones."""

    decision: Decision
    against: Decision | None
    """An earlier decision that it contradicts; None where it contradicts itself, since voices on both of its sides
    have become one."""

    says_one_person: bool = False
    """Whether the earlier decision says that they are one person; else, that they are not."""

    @property
    def reason(self) -> str:
        """What stands against it, in words."""
        if self.against is None:
            return "voices on both of its sides are one local speaker now"
        says = "one person" if self.says_one_person else "different people"
        return f"the {self.against} says that some of these voices are {says}"


def constrain(
    decided: Sequence[DecidedRows], forgotten: IntArray | None = None
) -> tuple[Constraints, tuple[SetAside, ...]]:
    """Return the constraints of decisions, and the decisions that were set aside.

    Whether a decision counts depends on the earlier ones alone.

    Args:
        decided: Decisions, oldest first.
        forgotten: Rows whose voice nobody may use; decisions say nothing of them.
    """
    gone: _Rows = frozenset() if forgotten is None else frozenset(forgotten.tolist())
    known, set_aside = _Known(), []
    for one in decided:
        claim = _claim(one, gone)
        if claim.ours & claim.theirs:
            set_aside.append(SetAside(decision=one.decision, against=None))
        elif (denying := known.denying(claim)) is not None:
            set_aside.append(SetAside(decision=one.decision, against=denying))
        elif (joining := known.joining(claim)) is not None:
            set_aside.append(SetAside(decision=one.decision, against=joining, says_one_person=True))
        else:
            known.add(one.decision, claim)
    constraints = Constraints(
        together=tuple(_array(group) for group in known.groups()),
        apart=tuple((_array(ours), _array(theirs)) for ours, theirs in known.apart()),
        forgotten=_array(gone),
    )
    return constraints, tuple(set_aside)


@dataclass(frozen=True, slots=True)
class _Claim:
    """What one decision says."""

    together: _Rows = frozenset()
    ours: _Rows = frozenset()
    theirs: _Rows = frozenset()
    """Not one of these is one person with any of ours."""


def _claim(one: DecidedRows, gone: _Rows) -> _Claim:
    ours, theirs = (frozenset(rows.tolist()) - gone for rows in (one.ours, one.theirs))
    if one.decision.kind == "merge":
        return _Claim(together=ours | theirs)
    if one.decision.kind == "split":
        return _Claim(together=theirs, ours=ours, theirs=theirs)
    return _Claim(ours=ours, theirs=theirs) if one.decision.kind == "forbid" else _Claim()


class _Known:
    """Claims that go together.

    Rows that are one person are a tree, as in union-find. Claim ``k`` leaves mark ``2k`` on the people of ours and
    ``2k + 1`` on those of theirs, so that two people are different if one bears a mark and the other its counterpart.
    """

    def __init__(self) -> None:
        self._claims: list[tuple[Decision, _Claim]] = []
        self._parent: dict[int, int] = {}
        self._marks: dict[int, set[int]] = defaultdict(set)

    def denying(self, claim: _Claim) -> Decision | None:
        """Return the first decision by which those whom the claim makes one person are not."""
        marks = {mark for person in self._people(claim.together) for mark in self._marks[person]}
        denied = [mark // 2 for mark in marks if mark ^ 1 in marks]
        return self._claims[min(denied)][0] if denied else None

    def joining(self, claim: _Claim) -> Decision | None:
        """Return the decision by which somebody of the claim's first side became somebody of its other."""
        if not self._meet(claim):
            return None
        so_far = _Known()
        for decision, earlier in self._claims:
            so_far.add(decision, earlier)
            if so_far._meet(claim):
                return decision
        return None

    def add(self, decision: Decision, claim: _Claim) -> None:
        """Take a claim in that nothing is against."""
        number = len(self._claims)
        self._claims.append((decision, claim))
        self._join(claim.together)
        for rows, mark in ((claim.ours, 2 * number), (claim.theirs, 2 * number + 1)):
            for person in self._people(rows):
                self._marks[person].add(mark)

    def groups(self) -> list[list[int]]:
        """Return the rows of each person who has several, in order."""
        members: dict[int, list[int]] = defaultdict(list)
        for row in sorted(self._parent):
            members[self._person(row)].append(row)
        return sorted(rows for rows in members.values() if len(rows) > 1)

    def apart(self) -> list[tuple[_Rows, _Rows]]:
        """Return the two sides of each claim that has two."""
        return [(claim.ours, claim.theirs) for _, claim in self._claims if claim.ours and claim.theirs]

    def _meet(self, claim: _Claim) -> bool:
        return not self._people(claim.ours).isdisjoint(self._people(claim.theirs))

    def _join(self, rows: _Rows) -> None:
        people = sorted(self._people(rows))
        for person in people[1:]:
            self._parent[person] = people[0]
            self._marks[people[0]] |= self._marks.pop(person, set())

    def _people(self, rows: Iterable[int]) -> set[int]:
        return {self._person(row) for row in rows}

    def _person(self, row: int) -> int:
        root = row
        while (parent := self._parent.setdefault(root, root)) != root:
            root = parent
        while row != root:  # so that the next search is short
            row, self._parent[row] = self._parent[row], root
        return root


def _array(rows: Iterable[int]) -> IntArray:
    return np.array(sorted(rows), dtype=np.int64)
