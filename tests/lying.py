"""A worker that gives wrong answers: `celery -A lying worker`.

It answers like any worker, except for a file whose name starts with `lie_`. The rest of the name
says in which way the answer is wrong.
"""

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import zstandard
from celery.exceptions import Ignore

from ck3parse.messaging.app import TASK_NAME
from ck3parse.tasks import ParseTask, app, parse_batch

Answer = Mapping[str, Any]
_OF_THE_PARSED = ("ok", "ast", "node_count")
Lie = Callable[[Answer], object]


def _changed(**fields: object) -> Lie:
    return lambda answer: {**answer, **fields}


def _without(*names: str) -> Lie:
    return lambda answer: {name: value for name, value in answer.items() if name not in names}


def _frame(change: Callable[[bytes], bytes]) -> Lie:
    return lambda answer: {**answer, "ast": change(answer["ast"])}


def _failed(error_type: object, **fields: object) -> Lie:
    return lambda answer: {
        **{name: value for name, value in answer.items() if name not in _OF_THE_PARSED},
        "error_type": error_type,
        "error": "a lie",
        **fields,
    }


def _damaged(frame: bytes) -> bytes:
    """Return a frame of the right length whose block holds nonsense."""
    head = zstandard.frame_header_size(frame) + 3
    return frame[:head] + b"\xff" * (len(frame) - head)


def _compressed(text: bytes) -> Lie:
    return _changed(ast=zstandard.compress(text))


def _rows(rows: bytes, extractor: str = "ck3/1") -> Lie:
    return _changed(rows={extractor: zstandard.compress(rows)})


def _definition(**fields: object) -> Lie:
    row = {"name": "a", "kind": "b", "start": 0, "end": 1, "line": 1, "hash": 1, "priority": None}
    row |= fields
    return _rows(json.dumps({"definitions": [list(row.values())], "words": []}).encode())


LIES: dict[str, Lie] = {
    "no_tree": _without("ast"),
    "empty_tree": _changed(ast=b""),
    "text_for_a_tree": _changed(ast="{}"),
    "no_frame": _changed(ast=b"no frame at all"),
    "json_for_a_frame": _frame(zstandard.decompress),
    "cut_off": _frame(lambda frame: frame[:-1]),
    "something_behind": _frame(lambda frame: frame + b"\0"),
    "damaged": _frame(_damaged),
    "bomb": _compressed(bytes(1 << 30)),
    "no_size": _frame(
        lambda frame: zstandard.ZstdCompressor(write_content_size=False).compress(
            zstandard.decompress(frame)
        )
    ),
    "a_list": _compressed(b"[]"),
    "no_json": _compressed(b"a = 1"),
    "no_hash": _without("content_hash"),
    "no_real_hash": _changed(content_hash="h"),
    "an_error_too": _changed(error_type="ParseError"),
    "unknown_type": _failed("Nonsense"),
    "no_type": _failed(None),
    "type_of_a_type": _failed(["ParseError"]),
    "failed_without_a_hash": _failed("ParseError", content_hash=None),
    "too_many_nodes": _changed(node_count=2**63),
    "fewer_than_no_nodes": _changed(node_count=-1),
    "a_line_too_far": _failed("ParseError", line=2**63),
    "a_size_of_less_than_nothing": _changed(size=-1),
    "no_number": _changed(duration_ms=float("nan")),
    "another_path": _changed(path="/etc/passwd"),
    "another_id": _changed(id="another"),
    "no_id": _without("id"),
    "no_rows": _without("rows"),
    "rows_of_another_extractor": _rows(b"{}", "qbuilder/1"),
    "rows_that_are_no_frame": _changed(rows={"ck3/1": b"no frame at all"}),
    "rows_of_none": _rows(b"{}"),
    "rows_that_are_no_list": _rows(b'{"definitions":{},"words":[]}'),
    "rows_without_their_fields": _rows(b'{"definitions":[["a"]],"words":[]}'),
    "rows_of_bytes": _rows(b'{"definitions":[],"words":["\xff"]}'),
    "a_place_too_far": _definition(start=2**63),
    "a_hash_too_large": _definition(hash=2**64),
    "a_name_that_is_no_text": _definition(name=5),
    "a_name_of_half_a_character": _definition(name="\ud800"),
    "a_priority_too_high": _definition(priority=10**30),
    "rows_and_why_there_are_none": _changed(extract_errors={"ck3/1": "a lie"}),
    "no_map": lambda answer: list(answer),
    "nothing": lambda _: None,
}
"""Changes to the answer of a file, by the name of the lie."""

METAS: dict[str, Callable[[str], object]] = {
    "failure_of_text": lambda task_id: {"task_id": task_id, "status": "FAILURE", "result": "boom"},
    "failure_of_a_list": lambda task_id: {"task_id": task_id, "status": "FAILURE", "result": [1]},
    "failure_of_a_program": lambda task_id: {
        "task_id": task_id,
        "status": "FAILURE",
        "result": {"exc_module": "os", "exc_type": "system", "exc_message": ["true"]},
    },
    "failure_of_no_type": lambda task_id: {
        "task_id": task_id,
        "status": "FAILURE",
        "result": {"exc_type": 5},
    },
    "children": lambda task_id: {
        "task_id": task_id,
        "status": "SUCCESS",
        "result": None,
        "children": 5,
    },
    "no_result": lambda task_id: {"task_id": task_id, "status": "SUCCESS"},
    "no_status": lambda task_id: {"task_id": task_id},
    "a_list_of_things": lambda task_id: [task_id],
    "a_pickle": lambda task_id: pickle.dumps(task_id),
}
"""Values in the result backend for the task of a file, by the name of the lie."""


def lie_of(request: dict[str, Any]) -> str:
    return PurePath(request.get("path") or request.get("name", "")).stem.partition("lie_")[2]


_honest = parse_batch.run
app.tasks.pop(TASK_NAME)


@app.task(name=TASK_NAME, base=ParseTask, bind=True, shared=False)
def lying(self: Any, requests: list[dict[str, Any]]) -> list[object]:
    answers = _honest(requests)
    told: list[object] = []
    for request, answer in zip(requests, answers, strict=True):
        name = lie_of(request)
        if name in METAS:
            meta = METAS[name](self.request.id)
            body = meta if isinstance(meta, bytes) else self.backend.encode(meta)
            key = self.backend.get_key_for_task(self.request.id)
            self.backend.client.set(key, body)
            self.backend.client.publish(key, body)
            raise Ignore
        told.append(LIES[name](answer) if name else answer)
    return told
