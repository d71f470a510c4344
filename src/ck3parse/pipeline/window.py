"""The client's side of the broker: a bounded window of batches in flight, each answered once.

A batch in flight is a lease. It ends with the first answer; it is renewed, under a new task id,
when the batch is lost. Lost is what its process took along, what neither the queues nor any worker
has any more, and what was in flight when the broker went. Files are parsed by a pure function of
their bytes, so that a batch which was not lost after all does no harm by being parsed twice.
"""

import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import NamedTuple

from celery import Celery
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult

from ck3parse.celery_compat.results import detach, wait_for_result
from ck3parse.config import COMPRESSION, QUEUE_BULK, SERIALIZER, Settings
from ck3parse.errors import BrokerError
from ck3parse.messages import ParseResult
from ck3parse.messaging.acceptance import ANY, Acceptance, NotAcceptedError, OtherOriginError
from ck3parse.messaging.app import DROP_COMMAND, TASK_NAME, TRANSIENT_HEADER
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.broker_calls import BrokerCallError, calling_broker
from ck3parse.pipeline.lease import PIECE_FILES, Lease, Step, end, failed
from ck3parse.pipeline.mailbox import Mailbox
from ck3parse.pipeline.task_lookup import Evidence, Look, Roster

BATCHES_PER_WORKER = 4
"""In flight for each worker process: one in hand, the rest so that it never waits for the next."""
MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024
"""Of source. What the broker holds until it is taken is about half of that: compressed ASTs."""
FIRST_LOOK_S = 1.0
"""After so long without an answer workers and queues are asked where the batches are."""
LAST_LOOK_S = 8.0
"""As long as nothing is wrong the next look is twice as far away, up to this."""
_MAX_DROPPED = 1000
_POLL_S = 0.05
_RETRY_FIRST_S = 0.2
_RETRY_LAST_S = 2.0


class Answer(NamedTuple):
    """What came of a task: its id, and a result for each of its requests."""

    task_id: str
    results: list[ParseResult]


def _end(error: BrokerError) -> None:
    raise error


class Window:
    """Sends batches as tasks and gives back their results, each request answered exactly once.

    One thread may use it, and has to `close` it.

    Args:
        app: the Celery application to send with.
        workers: worker processes there are, which bounds what is in flight.
        roster: workers that are known; default: none yet.
        queue: the queue to send to.
        check: called whenever nothing has come for a while; raises to end the run.
        reconnect: makes an application anew once the broker can be reached again, and raises
            `BrokerError` while it cannot; without it the broker's first error ends the run.
        patience_s: seconds that broker or workers may be gone.
        outlast: called now and then once they have been gone for longer, with what is wrong; it
            returns to go on waiting. Default: it raises that.
        say: told what is being waited for, in a few words, and `None` when it is over.
        sleep: waits for so many seconds while the broker is gone.
        acceptance: what answers must be like.

    Attributes:
        limit: batches that are in flight at once.
        dropped: answers that were not to what was asked, and were dropped.
        other_origins: a sentence on each worker that parses otherwise than is wanted.
    """

    def __init__(
        self,
        app: Celery,
        *,
        workers: int,
        roster: Roster | None = None,
        queue: str = QUEUE_BULK,
        check: Callable[[], None] = lambda: None,
        reconnect: Callable[[], Celery] | None = None,
        patience_s: float = Settings().patience_s,
        outlast: Callable[[BrokerError], None] = _end,
        say: Callable[[str | None], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
        acceptance: Acceptance = ANY,
    ) -> None:
        self.dropped = 0
        self.other_origins: set[str] = set()
        self._acceptance = acceptance
        self._app = app
        self.limit = max(2, workers * BATCHES_PER_WORKER)
        self._roster = roster or Roster()
        self._queue = queue
        self._check = check
        self._reconnect = reconnect
        self._patience_s = patience_s
        self._outlast = outlast
        self._sleep = sleep
        self._say = say
        self._in_flight: dict[int, Lease] = {}
        """By `id` of the lease, in order of publishing."""
        self._by_task: dict[str, Lease] = {}
        self._bytes = 0
        self._usable = False
        """Whether an answer was accepted: there is a worker whose answers can be used."""
        self._came: deque[AsyncResult] = deque()
        self._answers: list[Answer] = []
        self._answer_counts: Counter[str] = Counter()
        self._heard = self._looked = self._last_look = monotonic()
        self._look_interval_s = FIRST_LOOK_S
        self._dropped: deque[str] = deque(maxlen=_MAX_DROPPED)
        """Tasks that may be answered although their batch was."""
        self._workers_mailbox: Mailbox | None = None
        """To ask and tell workers with, once that is needed."""
        self._look: Look | None = None
        self._looked_for: list[tuple[Lease, str]] = []
        """What the look under way is for: leases, and the last task of each when it began."""

    @property
    def in_flight(self) -> int:
        """How many batches are in flight."""
        return len(self._in_flight)

    def has_room(self) -> bool:
        """Return whether workers can use more batches than are in flight."""
        return len(self._in_flight) < self.limit and (
            not self._in_flight or self._bytes < MAX_BYTES_IN_FLIGHT
        )

    def results(self, batches: Iterable[Batch]) -> Iterator[list[ParseResult]]:
        """Yield the results of each batch as one list, as they come, and an empty one for a pause.

        A batch that was lost comes back as several lists.

        Raises:
            BrokerError: what `check` raises, or broker or workers are gone for too long.
        """
        coming = iter(batches)
        more = True
        while more or self._in_flight:
            while more and self.has_room():
                batch = next(coming, None)
                if batch is None:
                    more = False
                else:
                    self.submit(batch)
            answers = self.poll(_POLL_S)
            if not answers:
                yield []
            for answer in answers:
                yield answer.results

    def submit(
        self,
        batch: Batch,
        *,
        queue: str | None = None,
        task_id: str | None = None,
        keep: bool = False,
    ) -> None:
        """Publish a batch at once, for its answer to come from `poll`.

        Args:
            batch: what to send, whether or not there `has_room` for it.
            queue: where to; default: the window's.
            task_id: the task's id; default: a new one.
            keep: leave the task and its result on the broker, for others who know its id.

        Raises:
            BrokerError: the broker is gone for too long.
            Exception: what packing raises; the batch was not sent then.
        """
        if not self._in_flight:
            self._heard_something()
        which = self._enter(batch, queue or self._queue, keep=keep)
        try:
            self._send(which, task_id)
        except BrokerCallError as error:
            self._start_over(error)
        except BaseException:  # it cannot be packed
            self._leave(which)
            raise

    def poll(self, timeout_s: float) -> list[Answer]:
        """Return what has come of the batches submitted.

        A batch that was lost comes back as several answers.

        Args:
            timeout_s: seconds to wait if nothing has come yet.

        Raises:
            BrokerError: what `check` raises, or broker or workers are gone for too long.
        """
        try:
            if self._in_flight and not self._came:
                with calling_broker():
                    wait_for_result(self._app, timeout_s)
            while self._came:
                self._take(self._came.popleft())
            if self._in_flight and not self._answers:
                self._check()
                self._look_around()
        except BrokerCallError as error:
            self._start_over(error)
        answers, self._answers = self._answers, []
        return answers

    def discard(self, is_wanted: Callable[[str], bool]) -> None:
        """Withdraw the batches submitted of which no request is wanted any more, by its id."""
        try:
            for which in list(self._in_flight.values()):
                if not any(is_wanted(request.id) for request in which.batch.requests):
                    self._leave(which)
                    try:
                        self._drop([reply.id for reply in which.replies])
                    finally:
                        end(which.replies)
        except BrokerCallError as error:
            self._start_over(error)

    def close(self) -> None:
        """Withdraw what is in flight, as nobody waits for it any more, and hang up."""
        leases = list(self._in_flight.values())
        unwanted = [reply for which in leases if not which.keep for reply in which.replies]
        if unwanted or self._dropped:
            with (
                contextlib.suppress(Exception),  # the broker may be what ended the run
                self._app.connection_for_write() as connection,
            ):
                # A connection that Celery makes itself it tries for minutes.
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
                self._app.control.broadcast(
                    DROP_COMMAND,
                    {"task_ids": [*self._dropped, *(reply.id for reply in unwanted)]},
                    connection=connection,
                )
                end(unwanted)
                # A worker that was not there to be told may have answered.
                for task_id in self._dropped:
                    AsyncResult(task_id, app=self._app).forget()
        detach(reply for which in leases for reply in which.replies)
        self._end_looks()
        self._in_flight.clear()
        self._by_task.clear()
        # Before the interpreter ends: a connection closed later than that complains.
        self._app.close()

    def _enter(self, batch: Batch, queue: str, *, keep: bool, tries: int = 1) -> Lease:
        which = Lease(batch, queue, keep, tries=tries)
        self._in_flight[id(which)] = which
        self._bytes += batch.size
        return which

    def _leave(self, which: Lease) -> None:
        del self._in_flight[id(which)]
        self._bytes -= which.batch.size
        for reply in which.replies:
            self._by_task.pop(reply.id, None)

    def _send(self, which: Lease, task_id: str | None = None) -> None:
        first = which.batch.requests[0]
        which.missed = 0
        which.holder = None
        which.sent = monotonic()
        which.answers_before = self._answer_counts[which.queue]
        with calling_broker():
            reply = self._app.send_task(
                TASK_NAME,
                args=(which.batch.requests,),
                queue=which.queue,
                task_id=task_id,
                # It is sent again here. kombu goes on with a channel that its own retry has closed.
                retry=False,
                time_limit=first.timeout_ms / 1000,
                serializer=SERIALIZER,
                compression=None if first.content is None else COMPRESSION,
                headers=None if which.keep else {TRANSIENT_HEADER: True},
                argsrepr=f"({len(which.batch.requests)} files, {first.path or first.name!r})",
            )
        which.replies.append(reply)
        self._await(which, reply)

    def _await(self, which: Lease, reply: AsyncResult) -> None:
        self._by_task[reply.id] = which
        with calling_broker():
            reply.then(self._came.append)

    def _heard_something(self) -> None:
        self._heard = self._looked = monotonic()
        self._look_interval_s = FIRST_LOOK_S

    def _take(self, reply: AsyncResult) -> None:
        """End the lease that a task answers, or renew it as the answer is a failure."""
        which = self._by_task.get(reply.id)
        if which is None:
            return  # another task for the same batch was first
        with calling_broker():
            answer = reply.result
        if isinstance(answer, TaskRevokedError):
            self._renew(which, which.after_loss(), "its task was revoked")
        elif isinstance(answer, BaseException) and not isinstance(answer, NotAcceptedError):
            self._renew(which, which.after_failure(answer), answer)
        else:
            self._accept(which, reply, answer)

    def _accept(self, which: Lease, reply: AsyncResult, answer: object) -> None:
        """End a lease with its answer, or renew it as the answer cannot be used."""
        try:
            if isinstance(answer, NotAcceptedError):
                raise answer
            results = self._acceptance.results(which.batch.requests, answer)
        except NotAcceptedError as reason:
            self.dropped += answer is not None  # a result's file that is gone, which no one sent
            self._by_task.pop(reply.id)
            self._renew(which, which.after_loss(), f"the answer was dropped: {reason}")
        except OtherOriginError as reason:
            self.other_origins.add(str(reason))
            self._by_task.pop(reply.id)
            self._renew(which, which.after_other_origin(usable=self._usable), reason)
        else:
            self._usable = True
            self._answered(which, reply.id, results)
            return
        if id(which) in self._in_flight:  # a look must not take it for an answer yet to be taken
            which.replies.remove(reply)
            end([reply], keep=which.keep)

    def _answered(self, which: Lease, task_id: str, results: list[ParseResult]) -> None:
        self._leave(which)
        self._heard_something()
        self._answer_counts[which.queue] += 1
        self._answers.append(Answer(task_id, results))
        self._end(which)

    def _end(self, which: Lease) -> None:
        spare = which.spare_ids()
        end(which.replies, keep=which.keep)
        self._drop(spare)

    def _renew(self, which: Lease, step: Step, reason: BaseException | str) -> None:
        self._heard_something()
        if step is Step.AGAIN:
            self._send(which)
        elif step in (Step.PIECES, Step.ALONE):
            self._leave(which)
            # All are entered before one is sent: the broker may go in between.
            entered = [
                self._enter(piece, which.queue, keep=which.keep, tries=which.tries)
                for piece in which.batch.pieces(PIECE_FILES if step is Step.PIECES else 1)
            ]
            self._end(which)
            for piece in entered:
                self._send(piece)
        else:
            results = [failed(request, reason) for request in which.batch.requests]
            self._answered(which, which.replies[-1].id, results)

    def _is_time_to_look(self) -> bool:
        if (now := monotonic()) - self._looked >= self._look_interval_s:
            return True
        # Others being answered all the time must not hide that one is lost.
        oldest = next(iter(self._in_flight.values()))
        patience_s = FIRST_LOOK_S if oldest.missed else LAST_LOOK_S
        return now - max(oldest.sent, self._last_look) >= patience_s

    def _look_around(self) -> None:
        """Look for what is in flight, if it is time to, and renew what is nowhere.

        A look waits for replies and holds nothing up: each call goes on with the one under way.
        """
        if self._look is None:
            if not self._is_time_to_look():
                return
            leases = list(self._in_flight.values())
            self._looked = self._last_look = monotonic()
            mailbox = self._mailbox()
            self._looked_for = [(which, which.replies[-1].id) for which in leases]
            self._look = Look(
                mailbox,
                [[reply.id for reply in which.replies] for which in leases],
                {which.queue for which in leases},
                self._roster,
            )
        evidence = self._look.evidence()
        if evidence is None:
            return
        self._look = None
        if evidence.replied:
            self._say(None)
            self._judge(evidence)
        else:
            self._wait_for_workers()

    def _judge(self, evidence: Evidence) -> None:
        self._heard = monotonic()
        self._look_interval_s = min(2 * self._look_interval_s, LAST_LOOK_S)
        for which, last_id in self._looked_for:
            if id(which) not in self._in_flight or which.replies[-1].id != last_id:
                continue  # answered or sent again since
            # Of its own queue: those of one overtake nothing in another.
            answers_since = self._answer_counts[which.queue] - which.answers_before
            if which.is_lost(evidence, overtaken=answers_since > 2 * self.limit):
                if done := self._ready(which):
                    self._came.extend(done)  # it came, and nobody was told
                else:
                    seen = "neither the queue nor any worker had it"
                    self._renew(which, which.after_loss(), seen)
            elif which.missed:
                self._look_interval_s = FIRST_LOOK_S

    def _ready(self, which: Lease) -> list[AsyncResult]:
        with calling_broker():
            return [reply for reply in which.replies if reply.ready()]

    def _mailbox(self) -> Mailbox:
        if self._workers_mailbox is None:
            self._workers_mailbox = Mailbox(self._app)
        return self._workers_mailbox

    def _drop(self, task_ids: list[str]) -> None:
        """Have workers drop tasks, and the answers of those that they have done."""
        if task_ids:
            self._dropped.extend(task_ids)
            self._mailbox().tell(DROP_COMMAND, {"task_ids": task_ids})

    def _end_looks(self) -> None:
        self._look = None
        if self._workers_mailbox:
            with contextlib.suppress(BrokerCallError):
                self._workers_mailbox.close()
            self._workers_mailbox = None

    def _wait_for_workers(self) -> None:
        gone_s = monotonic() - self._heard
        left_s = self._patience_s - gone_s
        if left_s < 0:
            self._outlast(
                BrokerError(
                    f"no worker has answered for {gone_s:.0f} s: start one with"
                    " `celery -A ck3parse worker`, and run again to go on from here"
                )
            )
        self._say(f"no worker answers; waiting {max(0.0, left_s):.0f} s more")

    def _start_over(self, error: BrokerCallError) -> None:
        """Wait for the broker to serve again, and send what was in flight again."""
        if self._reconnect is None:
            raise error
        gone_since = monotonic()
        pause_s = _RETRY_FIRST_S
        while True:
            self._check()
            left_s = self._patience_s - (monotonic() - gone_since)
            who, state, remedy = error.trouble
            if left_s <= 0:
                self._outlast(
                    BrokerError(
                        f"{who} has been {state} for {self._patience_s:.0f} s ({error.reason}):"
                        f" {remedy}, and run again to go on from here"
                    )
                )
            self._say(f"{who} is {state}; trying {max(0.0, left_s):.0f} s more")
            self._sleep(min(pause_s, left_s) if left_s > 0 else pause_s)
            pause_s = min(2 * pause_s, _RETRY_LAST_S)
            try:
                self._resume(self._reconnect())
            except BrokerCallError as again:
                error = again
            else:
                break
        self._say(None)
        self._heard_something()

    def _resume(self, app: Celery) -> None:
        self._end_looks()
        self._app.close()
        self._app = app
        self._came.clear()
        self._by_task.clear()
        for which in self._in_flight.values():
            which.resumed = True
            detach(which.replies)
            # Each may have been answered before the broker went.
            which.replies = [AsyncResult(reply.id, app=app) for reply in which.replies]
            for reply in which.replies:
                self._await(which, reply)
            if not self._ready(which):
                self._send(which)
