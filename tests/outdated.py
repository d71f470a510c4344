"""A worker of a version before the extractor `ck3/1`: `celery -A outdated worker`."""

from typing import Any

from ck3parse.messaging.app import TASK_NAME
from ck3parse.tasks import ParseTask, app, parse_batch

_present = parse_batch.run
app.tasks.pop(TASK_NAME)


@app.task(name=TASK_NAME, base=ParseTask, shared=False)  # type: ignore[untyped-decorator]
def outdated(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answer as that version: of each file that parses, it says that it knows no such extractor."""
    answers = _present([{**request, "extract": []} for request in requests])
    for request, answer in zip(requests, answers, strict=True):
        if answer.get("ok") and request.get("extract"):
            answer["extract_errors"] = dict.fromkeys(request["extract"], "no such extractor")
    return list(answers)
