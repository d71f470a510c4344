"""Extractors of other packages, in a real worker: the example of the docs, and bad ones."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ck3parse.config import QUEUE_BULK, Settings
from ck3parse.extractors import ENTRY_POINTS
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.messaging.acceptance import Acceptance, OtherOriginError
from ck3parse.messaging.app import TASK_NAME
from ck3parse.parser import parser_in_use
from embedded import ANSWER_LIMIT_S, client
from extractor_packages import install
from servers import Server, Worker

PAGE = Path(__file__).parents[2] / "docs/extractors.md"
EVENT = """
harvest.1 = {
    title = harvest.1.t
    option = { name = harvest.1.a add_trait = diligent }
    option = { trigger = { has_trait = lazy } }
}
"""
BAD = """
import sys

from ck3parse.extractors import Extractor

OUTCOMES = {
    "raises": lambda: 1 / 0,
    "exits": sys.exit,
    "odd_error": lambda: open("/\\udcff"),
    "no_dict": lambda: [1],
    "no_json": lambda: {"rows": [[object()]]},
    "no_number": lambda: {"rows": [[float("nan")]]},
    "large": lambda: {"rows": [["a" * 200_000]]},
}


def extractor(name):
    return Extractor(name, 1, lambda tree, relpath: OUTCOMES[name]())


raises, exits, odd_error, no_dict, no_json, no_number, large = map(extractor, OUTCOMES)
no_extractor = 1
"""
BAD_NAMES = {
    "raises/1": "failed with ZeroDivisionError: division by zero",
    "exits/1": "failed with SystemExit",
    "odd_error/1": "failed with FileNotFoundError",
    "no_dict/1": "its rows are a list, and not a dict",
    "no_json/1": "Object of type object is not JSON serializable",
    "no_number/1": "Out of range float values",
    "large/1": "bytes of JSON: a file of this size may have",
    "event_options/2": "there is no extractor 'event_options/2', only ck3/1, event_options/1",
    "no_extractor/1": "bad:no_extractor is a int, and not an Extractor",
    "gone/1": "bad:gone cannot be imported: AttributeError",
}


def blocks(language: str) -> list[str]:
    """Return the code blocks of the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module", params=["native", "python"])
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a broker whose worker has the extractors."""
    if request.param == "native":
        pytest.importorskip("ck3parse.parser._native", reason="the native parser is not built")
    folder = tmp_path_factory.mktemp("extractors")
    (folder / "event_options.py").write_text(blocks("python")[0])
    (project,) = map(tomllib.loads, blocks("toml"))
    install(folder, "event_options", project["project"]["entry-points"][ENTRY_POINTS])
    (folder / "bad.py").write_text(BAD)
    names = [*re.findall(r'"(\w+)": ', BAD), "no_extractor", "gone"]
    install(folder, "bad", {name: f"bad:{name}" for name in names})
    env = {"PYTHONPATH": str(folder), "CK3PARSE_PARSER": request.param}
    with Server(folder) as server, Worker(server.url, folder, env=env) as worker:
        worker.wait_ready()
        yield server.url


def built(requests: list[ParseRequest]) -> object:
    return msgspec.to_builtins(requests, builtin_types=(bytes,))


def results(url: str, requests: list[ParseRequest]) -> list[ParseResult]:
    """Have a batch answered, and return what a client of ck3parse accepts."""
    acceptance = Acceptance(Settings().origin(parser_in_use().version))
    with client(url) as app:
        reply = app.send_task(TASK_NAME, args=[built(requests)], queue=QUEUE_BULK)
        answer = reply.get(ANSWER_LIMIT_S)
        reply.forget()
    return acceptance.results(requests, answer)


def test_the_example_of_the_page(broker: str, tmp_path: Path) -> None:
    (tmp_path / "mod/events").mkdir(parents=True)
    (tmp_path / "mod/events/harvest.txt").write_text(EVENT)
    done = subprocess.run(
        [sys.executable, "-c", blocks("python")[1]],
        cwd=tmp_path,
        env={**os.environ, "CK3PARSE_BROKER_URL": broker},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == (
        'b\'{"options":[["harvest.1",4,"harvest.1.a"],["harvest.1",5,""]]}\'\n'
    ), done.stderr


def test_extractors_that_fail_cost_their_own_rows_only(broker: str) -> None:
    names = ["qbuilder/1", "event_options/1", *BAD_NAMES]
    requests = [
        ParseRequest(
            str(number), content=EVENT.encode(), name="events/a.txt", extract=names[: number + 1]
        )
        for number in range(2)
    ]
    known = [*requests, ParseRequest("2", content=b"a = {", name="b.txt", extract=names[:2])]
    bad = ParseRequest("3", content=EVENT.encode(), name="events/a.txt", extract=names)
    first, second, broken = results(broker, known)
    with pytest.raises(OtherOriginError, match="does not have the extractor event_options/2, gone"):
        results(broker, [bad])
    with client(broker) as app:
        reply = app.send_task(TASK_NAME, args=[built([bad])], queue=QUEUE_BULK)
        (third,) = msgspec.convert(reply.get(ANSWER_LIMIT_S), list[ParseResult])

    assert list(first.rows) == ["qbuilder/1"]
    assert sorted(second.rows) == sorted(third.rows) == ["event_options/1", "qbuilder/1"]
    assert first.ast == second.ast == third.ast is not None
    assert second.extract_errors == {}
    assert (broken.ok, broken.rows, broken.extract_errors) == (False, {}, {})
    assert sorted(third.extract_errors) == sorted(BAD_NAMES)
    for name, words in BAD_NAMES.items():
        assert words in third.extract_errors[name]
    assert third.rows_json("qbuilder/1") == (
        b'{"symbols":[["harvest.1","event",2,1]],"refs":[["harvest.1.t","title",3,13],'
        b'["diligent","trait",4,47],["lazy","trait",5,40]]}'
    )
