"""Which files of a plan have no rows in the index, and under which rule each file is read."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from ck3parse.extractors import CK3, LOCALIZATION
from ck3parse.extractors.ck3 import rule_of
from ck3parse.files.mod_root import ModRoots, relative_to
from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.pipeline.plan import Plan
from ck3parse.plurals import counted
from ck3parse.store import IndexTarget, Store


class _Folder(msgspec.Struct, frozen=True):
    """What the files of a folder have in common.

    Attributes:
        mod: the absolute path of the root of their mod.
        above: what their paths relative to the mod have before their names.
        cut: how many characters at the start of their names those paths do not have.
        rule: the name of their rule.
    """

    mod: str
    above: str
    cut: int
    rule: str


class Indexing:
    """Knows the place of each file in its mod, and which files the index lacks.

    Args:
        store: has the index.

    Attributes:
        target: what `Store.record` needs. Files that are missing there must be read for the index
            alone.
        found_unindexed: whether unchanged files were not in the index.
        is_shared: whether another process writes the index, or was killed while it did.
    """

    extract: ClassVar = [CK3]
    """The extractors whose rows make the index."""

    want_ast: ClassVar = True
    """Whether files have a syntax tree."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._roots = ModRoots()
        self._folders: dict[tuple[str, str], _Folder] = {}
        """By root and name: a run has far fewer folders than files."""
        self._rule_ids: dict[str, int] = {}
        self.target = IndexTarget(self.rule_of, [])
        self.found_unindexed = self.is_shared = False
        self._lacking: dict[str, None] = {}
        """Names of workers without the extractor."""
        self._unread: list[tuple[str, str]] = []

    def place_of(self, found: Found) -> tuple[str, str]:
        """Return where a file is.

        Args:
            found: the file.

        Returns:
            The absolute path of the root of its mod, and its path relative to that, with `/`.
        """
        folder = self._folder_of(found)
        return folder.mod, folder.above + found.name[folder.cut :]

    def relpath_of(self, found: Found) -> str:
        """Return the path of a file relative to the root of its mod, with `/`."""
        return self.place_of(found)[1]

    def rule_of(self, found: Found) -> int:
        """Return the key of the rule under which a file is read. `begin` makes them known."""
        return self._rule_ids[self._folder_of(found).rule]

    def _folder_of(self, found: Found) -> _Folder:
        key = found.root, found.name.rpartition("/")[0]
        folder = self._folders.get(key)
        if folder is None:
            mod = self._roots.of(found.path, found.root)
            relpath = relative_to(mod, found.path)
            more = len(relpath) - len(found.name)  # one of the two ends in the other
            folder = self._folders[key] = _Folder(
                mod, relpath[: max(more, 0)], max(-more, 0), rule_of(relpath).id
            )
        return folder

    def note(self, results: Sequence[ParseResult], *, is_known: bool) -> None:
        """Note why files of an answer are not in the index, for `sentences`.

        Args:
            results: the results of the answer.
            is_known: whether the files were read for the index alone.
        """
        if results and (origin := results[0].origin) and CK3 not in origin.extractors:
            self._lacking[origin.worker] = None
        if is_known:
            for result in results:
                if not result.of_the_content:
                    self._unread.append((result.path, result.error or ""))

    def sentences(self) -> list[str]:
        """Return why files that workers answered for are not in the index, a sentence each."""
        found = [
            f"the worker {worker!a} does not have the extractor {CK3}: the trees of its files are"
            " stored, but what they define and use is not in the index; upgrade ck3parse there,"
            " restart the worker, and run again"
            for worker in self._lacking
        ]
        if self._unread:
            path, error = self._unread[0]
            found.append(
                f"{counted(len(self._unread), 'file')} could not be read for the index,"
                f" such as {path}: {error}"
            )
        return found

    def begin(self, plan: Plan) -> None:
        """Find the files of a plan that must be read for the index alone.

        Args:
            plan: the plan, before anything of it was recorded.

        Raises:
            StoreError: the store cannot be written.
        """
        self.is_shared = self._store.drop_unwritten()
        unchanged = [found for found, _ in plan.unchanged]
        known = [found for found, _ in plan.known]
        # Before a thread records results.
        self._rule_ids = self._store.rule_ids(
            {self._folder_of(found).rule for found in (*unchanged, *known, *plan.to_parse)}
        )
        indexed = self._store.indexed_rules()
        missing = [
            (found, before.file_id)
            for found, before in plan.unchanged
            if indexed.get(before.file_id) != self.rule_of(found)
        ]
        self.found_unindexed = bool(missing)
        if missing or known or plan.to_parse:
            self._store.begin_index(len(missing) + len(plan.to_parse))
        self.target.missing.extend(self._store.index_known(missing, self.rule_of))
        if plan.texts and (count := len(plan.texts.to_parse)):
            self._store.texts.begin_texts(count)


class TextIndexing:
    """Has the rows of localization files made, which are recorded with their outcomes."""

    extract: ClassVar = [LOCALIZATION]
    """The extractor that reads them."""

    want_ast: ClassVar = False
    """They have no syntax tree."""

    target: ClassVar = None
    """None of them is without its rows."""

    def relpath_of(self, found: Found) -> str:
        """Return nothing: the rows of a content do not depend on its place."""
        del found
        return ""

    def note(self, results: Sequence[ParseResult], *, is_known: bool) -> None:
        """Do nothing: a file that is not in the index is a failure of the run."""
        del results, is_known
