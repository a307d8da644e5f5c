"""Whatever two runs do, in whatever order, a reader of the log is right.

Runs publish by the real writer, on a real store whose requests a machine lets through one by one.
There are no leases, since no promise depends on them. Runs die with a request under way, which
arrives later; every request may come again, at any time.
"""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from data.medallion.context import FlowContext
from data.medallion.lake.errors import ManifestMissing, VersionTaken
from data.medallion.lake.folder import FolderStore
from data.medallion.lake.lake import Lake
from data.medallion.lake.manifest import Manifest, Source, StoredObject
from data.medallion.lake.runs import new_run
from data.medallion.layers.silver.plan import content_of
from data.medallion.writer import Provenance, Writer
from tests.stations import STATIONS

SILVER, PLACES = STATIONS.silver, ("A", "B", "C")
Data = tuple[int, ...]
"""What a version holds: a number for each place."""


class Killed(BaseException):
    """The end of a run that is killed."""


class Run:
    """A run in a thread of its own, which waits before each request until it may go on."""

    def __init__(
        self, store: FolderStore, run: str, data: Data, made_from: str, bronze: list[int]
    ) -> None:
        self.run, self.data, self.error = run, data, None
        self._made_from, self._bronze = made_from, bronze
        self.sent: list[Callable[[], Any]] = []
        """Its requests that change the store; each may come again."""
        self._store = store
        self._may_go_on, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        self._killed, self.request = False, None
        self.ended = False
        threading.Thread(target=self._live, daemon=True).start()
        self._waits.acquire()

    def __getattr__(self, name: str) -> Any:
        """A method of the store, as this run calls it."""
        method = getattr(self._store, name)
        if not callable(method):
            return method

        def requested(*told: Any) -> Any:
            changes = name in {"put", "create", "copy", "remove"}
            told = tuple([*one] if not isinstance(one, (str, bytes)) else one for one in told)
            self.request = lambda: method(*told)
            self._waits.release()
            self._may_go_on.acquire()
            if self._killed:
                raise Killed
            found = method(*told)
            if changes:
                self.sent.append(self.request)
            return found

        return requested

    def step(self) -> None:
        """Let its next request through, until it waits again or ends."""
        self._may_go_on.release()
        assert self._waits.acquire(timeout=10), self.request

    def kill(self) -> Callable[[], Any]:
        """End it before its next request; returns that request, which may arrive later."""
        request = self.request
        self._killed = True
        self.step()
        return request

    def _live(self) -> None:
        try:
            publish(Lake(self), self.run, self.data, self._made_from, self._bronze)
        except (VersionTaken, Killed):
            pass
        except BaseException as error:
            self.error = error
        self.ended = True
        self._waits.release()


def publish(lake: Lake, run: str, data: Data, made_from: str, bronze: list[int]) -> None:
    """What the block of silver does: the objects, then the log, then what tidies up."""
    writer = Writer.of(FlowContext(lake, None, STATIONS), SILVER, run, None, made_from)
    source = Source(key=STATIONS.bronze.entry(bronze[-1]), sha256="")
    before = {content_of(e): e for e in (writer.previous.objects if writer.previous else ())}
    objects = []
    for place, number in zip(PLACES, data, strict=True):
        content = f"{place} {number}".encode()
        entry = StoredObject.of("", 1, content)
        folder = f"{SILVER.folder}country={place}"
        key = f"{folder}/{entry.sha256[:32]}-{writer.writer_id}.parquet"
        entry = entry.model_copy(update={"key": key})
        objects.append(writer.store(entry, content, "x", before.get((folder, entry.sha256))))
    copy = writer.store_copied(STATIONS.rejected, repr(data).encode(), 1, "x")
    version = writer.manifest(
        Provenance(run, source, len(data)),
        objects=tuple(objects),
        copies=(copy,),
        checks=(),
        rows_out=len(data),
    )
    try:
        writer.publish(version, lambda entry: entry.version < writer.number - 3)
    except VersionTaken:
        writer.withdraw()
        raise


class TwoRuns(RuleBasedStateMachine):
    """Two runs at a time, and a reader after each request."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.store = FolderStore(Path(self._folder.name))
        self.lake = Lake(self.store)
        self.runs: list[Run] = []
        self.dead: list[Run] = []
        self.late: list[Callable[[], Any]] = []
        self.data: dict[str, Data] = {}
        self.entries: dict[int, bytes] = {}
        self.bronze: list[int] = []
        """The versions of the layer before, each published by the run that starts then."""

    @precondition(lambda self: len(self.runs) < 2)
    @rule(data=st.tuples(*[st.integers(0, 1)] * len(PLACES)))
    def start(self, data: Data) -> None:
        self._start(new_run(), data, self._next_bronze())

    def _next_bronze(self) -> str:
        self.bronze.append(len(self.bronze) + 1)
        return STATIONS.bronze.entry(self.bronze[-1])

    @precondition(lambda self: self.dead and len(self.runs) < 2)
    @rule(which=st.integers(0, 9))
    def retry(self, which: int) -> None:
        """Mage starts a block again, in the same run; Mage's count, a log or the lease tells so."""
        dead = self.dead[which % len(self.dead)]
        self._start(dead.run, dead.data, "")

    def _start(self, run: str, data: Data, made_from: str) -> None:
        self.data[run] = data
        self.runs.append(Run(self.store, run, data, made_from, self.bronze))

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, 1), requests=st.sampled_from([1, 2, 3, 5, 8, 50]))
    def go_on(self, which: int, requests: int) -> None:
        run = self.runs[which % len(self.runs)]
        for _ in range(requests):
            if not run.ended:
                run.step()
        self._bury(run)

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, 1))
    def kill(self, which: int) -> None:
        run = self.runs[which % len(self.runs)]
        self.late.append(run.kill())
        self._bury(run)

    def _bury(self, run: Run) -> None:
        assert run.error is None, run.error
        if run.ended:
            self.runs.remove(run)
            self.dead.append(run)
            self.late += run.sent

    @precondition(lambda self: self.late)
    @rule(which=st.integers(0, 99))
    def arrive(self, which: int) -> None:
        """A request arrives late, or once more."""
        try:
            self.late[which % len(self.late)]()
        except Exception as error:  # it copies what is gone
            assert type(error).__name__ == "ObjectMissing"

    @invariant()
    def a_reader_is_right(self) -> None:
        try:
            version = self.lake.version(SILVER)
        except ManifestMissing:
            assert not self.entries
            return
        assert version.version >= max(self.entries, default=0)
        for entry in version.named.values():
            assert self.lake.problem("silver", entry) is None
        wanted = self.data[version.run]
        contents = [self.lake.read("silver", entry) for entry in version.objects]
        assert contents == [f"{p} {n}".encode() for p, n in zip(PLACES, wanted, strict=True)]

    @invariant()
    def no_entry_ever_changes(self) -> None:
        log = self.lake.log(SILVER)
        oldest = log.newest().oldest if self.entries else 0
        for number in (number for number in log.numbers() if number >= oldest):
            content = self.store.get("silver", SILVER.entry(number)) or b""
            assert self.entries.setdefault(number, content) == content

    def teardown(self) -> None:
        for run in self.runs:
            if not run.ended:
                run.kill()
        publish(self.lake, new_run(), (7, 7, 7), self._next_bronze(), self.bronze)
        version = self.lake.version(SILVER)
        self._is_tidy(version)
        self._folder.cleanup()

    def _is_tidy(self, version: Manifest) -> None:
        """An undisturbed run leaves what its version names, and nothing else."""
        stored = {*self.store.listed("silver", "data/"), *self.store.listed("silver", "objects/")}
        log = {key for key in stored if SILVER.number(key)}
        fixed = {SILVER.manifest, *(copy.key for copy in version.copies)}
        assert stored - log - fixed == set(version.named)
        for copy in version.copies:
            assert self.lake.problem("silver", copy.as_stored) is None
        numbers = self.lake.log(SILVER).numbers()
        assert numbers == list(range(version.oldest, version.version + 1))


TestTwoRuns = TwoRuns.TestCase
TestTwoRuns.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
