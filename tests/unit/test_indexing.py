"""What a run knows of the place of each file in its mod, and what it tells workers of it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from ck3parse.config import Settings
from ck3parse.index.refresh import InProcess
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.parser import parser_in_use
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.indexing import Indexing
from ck3parse.pipeline.plan import make_plan
from ck3parse.pipeline.run import Run
from ck3parse.store import Store

LIMIT = 1 << 20
FILES = ["mods/one/common/traits/a.txt", "mods/one/common/traits/b.txt", "mods/one/events/c.txt"]


class Listening(InProcess):
    """Answers requests in this process, and keeps them."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.requests: list[ParseRequest] = []

    def results(self, batches: Iterable[Batch]) -> Iterator[list[ParseResult]]:
        for batch in batches:
            self.requests += batch.requests
            yield from super().results([batch])


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        # A worker takes the name in place of what is left out.
        ("mods/one", {"common/traits/a.txt": "", "common/traits/b.txt": "", "events/c.txt": ""}),
        (
            "mods",
            {
                "one/common/traits/a.txt": "common/traits/a.txt",
                "one/common/traits/b.txt": "common/traits/b.txt",
                "one/events/c.txt": "events/c.txt",
            },
        ),
        ("mods/one/common/traits", {each: f"common/traits/{each}" for each in ("a.txt", "b.txt")}),
    ],
    ids=["a mod", "a folder around it", "a folder in it"],
)
def test_a_file_has_its_place_in_its_mod_whatever_was_given(
    tmp_path: Path, given: str, sent: dict[str, str]
) -> None:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("brave = { a = b }", "utf-8")
    with Store(tmp_path / "out.sqlite", parser_in_use().version) as store:
        plan = make_plan([str(tmp_path / given)], store, max_bytes=LIMIT)
        indexing = Indexing(store)
        indexing.begin(plan)
        places = {found.name: indexing.relpath_of(found) for found in plan.to_parse}
        assert places == {name: relpath or name for name, relpath in sent.items()}
        mods = {indexing.place_of(each)[0] for each in plan.to_parse}
        assert mods == {str(tmp_path / "mods" / "one")}

        window = Listening()
        run = Run(plan, store, timeout_ms=1000, max_bytes=LIMIT, indexing=indexing)
        recorded = [each for outcomes in run.outcomes(window) for each in outcomes]
    assert {request.name: request.relpath for request in window.requests} == sent
    assert all(result.ok and list(result.rows) == ["ck3/1"] for _, result in recorded)
