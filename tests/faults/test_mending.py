"""Damage of every kind: the next run leaves a whole lake, or says what is lost."""

import re
from collections.abc import Callable

import pytest

from data.breweries.flow import FLOW
from data.medallion.lake.errors import LakeError
from data.medallion.read import check
from data.medallion.read.errors import ReadError
from tests.conftest import empty
from tests.story import SILVER, Story, publish, rows
from tests.world import World, restore, stored


def flipped(content: bytes) -> bytes:
    """Some content with another bit."""
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


WAYS: dict[str, Callable[[bytes], bytes | None]] = {
    "a byte flipped": flipped,
    "cut": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "removed": lambda content: None,
}
OLD_ENTRY = "an older log entry"
TOLD = re.compile(r"is damaged, and|is missing, and|is missing: what|is lost: remove")


@pytest.fixture(scope="module")
def ten(lasting_world):
    """The objects of a lake of ten versions, and its story."""
    story = Story(lasting_world)
    story.tell(drawn=True)
    return stored(lasting_world.lake), story


def kind_of(world: World, layer: str, key: str) -> str:
    """What an object is, for the table."""
    versions = {d: world.lake.version(d) for d in FLOW.datasets if d.layer == layer}
    for dataset, version in versions.items():
        if number := dataset.number(key):
            return "the newest log entry" if number == version.version else OLD_ENTRY
        if key == dataset.manifest:
            return "a manifest"
        for copy in version.copies:
            what = {FLOW.rejected: "the rejects", FLOW.changes: "the change report",
                    FLOW.report: "the page"}.get(copy.key, f"{dataset.path}'s object")  # fmt: skip
            if key in {copy.key, copy.object.key}:
                return what if key == copy.object.key else f"the copy of {what}"
        if key in version.named:
            return "a silver file"
    return "an earlier snapshot"


def one_of_each(kinds: dict[tuple[str, str], str]) -> list[list[tuple[str, str]]]:
    """One object of each kind; a copy and its original are in different groups."""
    first = {kind: name for name, kind in reversed(kinds.items())}
    copies = [name for kind, name in first.items() if "copy" in kind or "manifest" in kind]
    return [[name for name in first.values() if name not in copies], copies]


@pytest.mark.parametrize(
    "way",
    [pytest.param(way, marks=[pytest.mark.slow] * (way in {"cut", "emptied"})) for way in WAYS],
)
def test_the_next_run_mends_it_or_says_what_is_lost(ten, way, capsys, tell, every):
    objects, story = ten
    world = story.world
    kinds = {(o.layer, o.key): kind_of(world, o.layer, o.key) for o in objects}
    assert len(set(kinds.values())) >= 15
    unmendable = {n for n, kind in kinds.items() if kind in {"an earlier snapshot", OLD_ENTRY}}
    injected = all_lost = 0
    for group in [[name] for name in kinds] if every else one_of_each(kinds):
        empty(world.lake)
        restore(world.lake, objects)
        for layer, key in group:
            content = WAYS[way](world.lake.store.get(layer, key))
            world.lake.store.remove(layer, [key])
            if content is not None:
                world.lake.store.put(layer, key, content)
        capsys.readouterr()
        publish()
        told = [line for line in capsys.readouterr().out.splitlines() if TOLD.search(line)]
        lost = {name for name in group if any("/".join(name) in line for line in told)}
        assert lost <= unmendable
        removed = [name for name in lost if any("remove" in line for line in told)]
        assert findings(world, but=removed) == []
        for layer, key in removed:
            world.lake.store.remove(layer, [key])
        if removed:
            publish()
        assert findings(world) == []
        assert wrong_moments(story, len(lost), step=1 if every else 4) == []
        injected, all_lost = injected + len(group), all_lost + len(lost)
    tell(
        f"objects of a lake of ten versions: {way}",
        injected,
        f"the next run mends {injected - all_lost:,}, and says that {all_lost:,} are lost "
        "(the only copy of an old snapshot; an old log entry)",
    )


def findings(world: World, but: list[tuple[str, str]] = ()) -> list[str]:
    """What `make check` finds, but for what a person was told to remove."""
    checked, others = check.check(world.lake, [FLOW])
    every = [*(problem for *_, found in checked for problem in found), *others]
    return [one for one in every if not any("/".join(name) in one for name in but)]


def wrong_moments(story: Story, lost: int, step: int = 4) -> list[str]:
    """The moments for which a reader gets something else than it got at once.

    What cannot be answered any more is an error: after a lost entry, from the publish before it to
    the one after it, which are four moments at most.
    """
    wrong, unknown = [], []
    for number, told in [*enumerate(story.told)][::step]:
        try:
            if rows(SILVER, told.moment) != told.silver:
                wrong.append(f"moment {number} is answered otherwise")
        except (ReadError, LakeError) as error:
            unknown.append(f"moment {number}: {error}")
    return [*wrong, *(unknown if len(unknown) > 4 * lost else [])]


def test_what_lacks_its_metadata_and_times_is_the_same_lake(ten):
    """Nothing stands only in what a copy between stores may lose."""
    objects, story = ten
    empty(story.world.lake)
    restore(story.world.lake, objects)
    assert findings(story.world) == []
    assert wrong_moments(story, 0) == []
    publish(snapshot=story.runs[0])
    assert findings(story.world) == []
    assert not [key for key in story.world.keys("bronze") if key.endswith("/.json")]


def test_both_copies_of_everything_may_be_damaged(ten):
    """But for old snapshots and the log, all is made again from the API."""
    objects, story = ten
    world = story.world
    empty(world.lake)
    restore(world.lake, objects)
    for dataset in FLOW.datasets:
        version = world.lake.version(dataset)
        for key in (*(copy.key for copy in version.copies), *version.named):
            world.lake.store.put(dataset.layer, key, b"x")
    publish()
    assert findings(world) == []
