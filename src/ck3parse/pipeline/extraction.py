"""Which files of a plan lack rows of the extractors that a run was asked for."""

from collections.abc import Sequence

from ck3parse.files.mod_root import ModRoots
from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.pipeline.plan import Plan
from ck3parse.plurals import counted
from ck3parse.store import ExtractionTarget, Store


class Extraction:
    """Knows the place of each file in its mod, and which files lack rows in the store.

    Args:
        store: has the rows.
        extract: full names of the extractors.

    Attributes:
        extract: as given.
        target: what `Store.record` needs. Files that are missing there must be read again, for
            their rows alone.
    """

    def __init__(self, store: Store, extract: Sequence[str]) -> None:
        self.extract = extract
        self._store = store
        self._roots = ModRoots()
        self._unread: list[ParseResult] = []
        self.target = ExtractionTarget(extract, self.relpath_of, {})

    def relpath_of(self, found: Found) -> str:
        """Return the path of a file relative to the root of its mod, with `/`."""
        return self._roots.relative(found.path, found.root)

    def note(self, results: Sequence[ParseResult]) -> None:
        """Note which files could not be read again, for `sentences`."""
        self._unread += (result for result in results if not result.of_the_content)

    def sentences(self) -> list[str]:
        """Return why rows are missing in the store, a sentence each."""
        found = [
            f"{counted(files, 'file in the store has', 'files in the store have')} no rows of"
            f" {name}, the first because {error}"
            for name, files, error in self._store.extraction_errors()
        ]
        if self._unread:
            path, error = self._unread[0].path, self._unread[0].error
            found.append(
                f"{counted(len(self._unread), 'file')} could not be read again for rows, such as"
                f" {path}: {error}"
            )
        return found

    def begin(self, plan: Plan) -> None:
        """Find the unchanged files of a plan that lack rows.

        Args:
            plan: the plan, before anything of it was recorded.

        Raises:
            StoreError: the store cannot be written.
        """
        there = self._store.extracted()
        lacking = [
            (before.file_id, found)
            for found, before in plan.unchanged
            if before.ok
            and any(
                (before.file_id, name, self.relpath_of(found)) not in there for name in self.extract
            )
        ]
        if lacking:  # the store may have them of another file
            self._store.link_extractions(lacking, self.target)
