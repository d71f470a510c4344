"""Sending batches and receiving their results: a bounded window of batches in flight.

A batch in flight is a lease. The first answer ends it. If the batch is lost, the lease is renewed:
the batch is sent again as a new task. A batch is lost if its process died, if neither a queue nor a
worker has it any more, or if it was in flight when the broker went. Parsing depends only on a
file's bytes, so parsing a batch twice does no harm.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from celery import Celery, uuid
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult

from ck3parse.celery_compat.results import detach, wait_for_result
from ck3parse.celery_compat.unwaited import TaskSender
from ck3parse.config import COMPRESSION, QUEUE_BULK, SERIALIZER, Settings
from ck3parse.errors import BrokerError
from ck3parse.messages import ParseResult
from ck3parse.messaging.acceptance import ANY, Acceptance, NotAcceptedError, OtherOriginError
from ck3parse.messaging.app import DROP_COMMAND, TASK_NAME, headers
from ck3parse.messaging.result_files import ResultFileError
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.broker_calls import BrokerCallError, calling_broker
from ck3parse.pipeline.broker_memory import LEAST
from ck3parse.pipeline.census import Census
from ck3parse.pipeline.lease import Lease, forget
from ck3parse.pipeline.loss_detection import LostBatches
from ck3parse.pipeline.mailbox import Mailbox
from ck3parse.pipeline.outage import Patience, give_up
from ck3parse.pipeline.retries import (
    PIECE_FILES,
    Step,
    after_failure,
    after_loss,
    after_other_origin,
    failed,
)
from ck3parse.pipeline.task_lookup import Roster
from ck3parse.pipeline.time_limit import task_limit_s
from ck3parse.plurals import counted

BATCHES_PER_WORKER = 4
"""Batches in flight for each worker process: one being parsed, the others keep it from idling."""
_BATCH_S = 0.1
"""A process needs another batch in flight for each such time that an answer is on its way."""
_MOST_ON_THE_WAY = 8
_AT_ONCE = 16
"""Batches to send before looking for answers."""
_MAX_DROPPED = 1000
_POLL_S = 0.05


class Answer(NamedTuple):
    """The answer to a task.

    Attributes:
        task_id: the task's id.
        results: one for each of its requests.
    """

    task_id: str
    results: list[ParseResult]


def batches_on_the_way(processes: int, reply_s: float) -> int:
    """Return how many batches more to have in flight, as they are on their way for so long.

    Args:
        processes: the worker processes.
        reply_s: seconds that a worker's reply takes: a round trip of the client and one of the
            worker.
    """
    return processes * min(round(reply_s / _BATCH_S), _MOST_ON_THE_WAY)


class Window:
    """Sends batches as tasks and returns their results; each request is answered exactly once.

    Use it from one thread, and `close` it.

    Args:
        app: the Celery application to send with.
        workers: number of worker processes; it bounds how many batches are in flight.
        census: counts the processes again; default: their number does not change.
        max_bytes: how many bytes of source may be in flight.
        may_come: whether to wait for the first worker for as long as it takes.
        roster: the workers that are known; default: none yet.
        mailbox: a mailbox of the application, which the window closes.
        sender: a sender of the application, which the window closes.
        queue: the queue to send to.
        check: called whenever no answer has come for a while; raises to end the run.
        reconnect: returns a new application once the broker serves again, and raises `BrokerError`
            if it does not; without it, the broker's first error ends the run.
        patience_s: seconds that broker or workers may be gone.
        outlast: called with what is wrong once they have been gone for longer; returns to keep
            waiting. Default: it raises the error.
        say: called with what is being waited for, in a few words, and with `None` afterwards.
        sleep: waits for a number of seconds while the broker is gone.
        acceptance: decides which answers to accept.

    Attributes:
        app: the Celery application to send with; a new one after each reconnection.
        roster: the workers that are known.
        limit: how many batches are in flight at once, apart from those on a long way; it follows
            the number of processes.
        max_bytes: as above.
        dropped: number of answers that did not match their requests and were dropped.
        other_origins: a sentence about each worker whose parser or limits differ from this
            process's.
    """

    def __init__(
        self,
        app: Celery,
        *,
        workers: int,
        census: Census | None = None,
        max_bytes: int = LEAST,
        may_come: bool = False,
        roster: Roster | None = None,
        mailbox: Mailbox | None = None,
        sender: TaskSender | None = None,
        queue: str = QUEUE_BULK,
        check: Callable[[], None] = lambda: None,
        reconnect: Callable[[], Celery] | None = None,
        patience_s: float = Settings().patience_s,
        outlast: Callable[[BrokerError], None] = give_up,
        say: Callable[[str | None], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
        acceptance: Acceptance = ANY,
    ) -> None:
        self.app = app
        self.roster = roster or Roster()
        self.limit = max(2, workers * BATCHES_PER_WORKER)
        self._on_the_way = batches_on_the_way(workers, census.reply_s if census else 0.0)
        self.max_bytes = max_bytes
        self._census = census
        self._awaits_first = may_come and not (census and census.processes)
        self.dropped = 0
        self.other_origins: set[str] = set()
        self._acceptance = acceptance
        self._queue = queue
        self._check = check
        self._reconnect = reconnect
        self._patience = Patience(patience_s, check=check, outlast=outlast, say=say, sleep=sleep)
        self._lost_batches = LostBatches(self.roster, self.limit + self._on_the_way)
        self._in_flight: dict[str, Lease] = {}
        """By `Lease.task_id`, in order of publishing."""
        self._by_task: dict[str, Lease] = {}
        """By the id of each task that a lease was sent as."""
        self._bytes = 0
        self._usable = False
        """Whether an answer was accepted: some worker's results can be used."""
        self._came: deque[AsyncResult] = deque()
        self._answers: list[Answer] = []
        self._dropped: deque[str] = deque(maxlen=_MAX_DROPPED)
        """Tasks that may still be answered although nobody needs their results."""
        self._workers_mailbox = mailbox
        self._task_sender = sender
        """Made on first use if none was given, as is the mailbox."""

    @property
    def in_flight(self) -> int:
        """How many batches are in flight."""
        return len(self._in_flight)

    def has_room(self) -> bool:
        """Return whether more batches should be in flight, to keep all workers busy."""
        return len(self._in_flight) < self.limit + self._on_the_way and (
            not self._in_flight or self._bytes < self.max_bytes
        )

    def results(self, batches: Iterable[Batch]) -> Iterator[list[ParseResult]]:
        """Send batches, and yield a list of results for each as it comes.

        A batch that was split after a loss comes back as several lists. While no results come, an
        empty list is yielded now and then.

        Args:
            batches: taken one by one, when there is room for the next.

        Raises:
            BrokerError: what `check` raises, or broker or workers are gone for too long.
        """
        coming = iter(batches)
        more = True
        while more or self._in_flight:
            for _ in range(_AT_ONCE):
                if not (more and self.has_room()):
                    break
                batch = next(coming, None)
                if batch is None:
                    more = False
                else:
                    self.submit(batch)
            answers = self.poll(0.0 if more and self.has_room() else _POLL_S)
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
        """Publish a batch at once; `poll` returns its answer.

        Args:
            batch: what to send. It is sent even if `has_room` is false.
            queue: the queue to send to; default: the window's.
            task_id: the task's id; default: a new one.
            keep: leave the task and its result on the broker, for others who know its id.

        Raises:
            BrokerError: the broker is gone for too long.
            Exception: what the serializer raises; the batch was not sent then.
        """
        if not self._in_flight:
            self._lost_batches.note_life()
        lease = Lease(task_id or uuid(), batch, queue or self._queue, keep)
        self._enter(lease)
        try:
            self._send(lease)
        except BrokerCallError as error:
            self._start_over(error)
        except BaseException:  # it cannot be serialized
            self._leave(lease)
            raise

    def poll(self, timeout_s: float) -> list[Answer]:
        """Return the answers that have come for submitted batches.

        A batch that was split after a loss comes back as several answers.

        Args:
            timeout_s: seconds to wait if nothing has come yet.

        Raises:
            BrokerError: what `check` raises, or broker or workers are gone for too long.
        """
        try:
            if self._in_flight and not self._came:
                with calling_broker():
                    wait_for_result(self.app, timeout_s)
            if self._task_sender:
                with calling_broker():
                    self._task_sender.settle()
            while self._came:
                self._take(self._came.popleft())
            if self._in_flight:
                self._count_processes()
            if self._in_flight and not self._answers:
                self._check()
                self._look_for_losses()
        except BrokerCallError as error:
            self._start_over(error)
        answers, self._answers = self._answers, []
        return answers

    def discard(self, is_wanted: Callable[[str], bool]) -> None:
        """Withdraw the submitted batches of which no request is wanted any more.

        Args:
            is_wanted: returns whether the request with this id is still wanted.

        Raises:
            BrokerError: the broker is gone for too long.
        """
        try:
            for lease in list(self._in_flight.values()):
                if not any(is_wanted(request.id) for request in lease.batch.requests):
                    self._leave(lease)
                    try:
                        self._drop([reply.id for reply in lease.replies])
                    finally:
                        forget(self._sender(), lease.replies)
        except BrokerCallError as error:
            self._start_over(error)

    def close(self) -> None:
        """Withdraw what is in flight, and close all connections."""
        leases = list(self._in_flight.values())
        unwanted = [reply for lease in leases if not lease.keep for reply in lease.replies]
        if unwanted or self._dropped:
            with contextlib.suppress(Exception):  # the broker may be what ended the run
                task_ids = [*self._dropped, *(reply.id for reply in unwanted)]
                self._mailbox().tell(DROP_COMMAND, {"task_ids": task_ids})
                forget(self._sender(), unwanted)
                # A worker that was away when its task was dropped may have answered.
                forget(self._sender(), [AsyncResult(each, app=self.app) for each in self._dropped])
        detach(reply for lease in leases for reply in lease.replies)
        self._disconnect()
        self._in_flight.clear()
        self._by_task.clear()
        # A connection that is still open when the interpreter ends logs an error.
        self.app.close()

    def _enter(self, lease: Lease) -> None:
        self._in_flight[lease.task_id] = lease
        self._bytes += lease.batch.size

    def _leave(self, lease: Lease) -> None:
        del self._in_flight[lease.task_id]
        self._bytes -= lease.batch.size
        for reply in lease.replies:
            self._by_task.pop(reply.id, None)

    def _send(self, lease: Lease) -> None:
        first = lease.batch.requests[0]
        self._lost_batches.note_sent(lease)
        count = len(lease.batch.requests)
        with calling_broker():
            reply = self.app.send_task(
                TASK_NAME,
                args=(lease.batch.requests,),
                queue=lease.queue,
                producer=self._sender().producer,
                task_id=uuid() if lease.replies else lease.task_id,
                # The window sends it again itself: kombu would retry on a channel that it closed.
                retry=False,
                time_limit=task_limit_s(lease.batch.requests),
                serializer=SERIALIZER,
                compression=None if first.content is None else COMPRESSION,
                headers=headers(transient=not lease.keep, again=lease.was_sent),
                argsrepr=f"({counted(count, 'file')}, {first.path or first.name!r})",
            )
        lease.replies.append(reply)
        self._await(lease, reply)

    def _await(self, lease: Lease, reply: AsyncResult) -> None:
        self._by_task[reply.id] = lease
        with calling_broker():
            reply.then(self._came.append)

    def _take(self, reply: AsyncResult) -> None:
        """End the lease of a task that is done, or renew it if the task failed."""
        lease = self._by_task.get(reply.id)
        if lease is None:
            return  # another task for the same batch was first
        with calling_broker():
            answer = reply.result
        if isinstance(answer, TaskRevokedError):
            self._renew(lease, after_loss(lease), "its task was revoked")
        elif isinstance(answer, BaseException) and not isinstance(answer, NotAcceptedError):
            self._renew(lease, after_failure(lease, answer), answer)
        else:
            self._accept(lease, reply, answer)

    def _accept(self, lease: Lease, reply: AsyncResult, answer: object) -> None:
        """End a lease with its answer, or renew it if the answer cannot be used."""
        try:
            if isinstance(answer, NotAcceptedError):
                raise answer
            results = self._acceptance.results(lease.batch.requests, answer)
        except NotAcceptedError as reason:
            if not isinstance(reason, ResultFileError):  # a file is lost, not an answer wrong
                self.dropped += 1
            self._by_task.pop(reply.id)
            self._renew(lease, after_loss(lease), f"the answer was dropped: {reason}")
        except OtherOriginError as reason:
            self.other_origins.add(str(reason))
            self._by_task.pop(reply.id)
            self._renew(lease, after_other_origin(lease, usable=self._usable), reason)
        else:
            self._usable = True
            self._finish(lease, reply.id, results)
            return
        if lease.task_id in self._in_flight:
            # Otherwise a look would take it for an answer that is still to be handled.
            lease.replies.remove(reply)
            forget(self._sender(), [reply], keep=lease.keep)

    def _finish(self, lease: Lease, task_id: str, results: list[ParseResult]) -> None:
        self._leave(lease)
        self._note_worker()
        self._lost_batches.note_answer(lease)
        self._answers.append(Answer(task_id, results))
        self._release(lease)

    def _release(self, lease: Lease) -> None:
        spare = lease.spare_ids()
        forget(self._sender(), lease.replies, keep=lease.keep)
        self._drop(spare)

    def _renew(self, lease: Lease, step: Step, reason: BaseException | str) -> None:
        self._lost_batches.note_life()
        if step is Step.AGAIN:
            self._send(lease)
        elif step in (Step.PIECES, Step.ALONE):
            self._leave(lease)
            pieces = [
                Lease(uuid(), batch, lease.queue, lease.keep, tries=lease.tries)
                for batch in lease.batch.pieces(PIECE_FILES if step is Step.PIECES else 1)
            ]
            # Enter all before sending one: the broker may go in between.
            for piece in pieces:
                self._enter(piece)
            self._release(lease)
            for piece in pieces:
                self._send(piece)
        else:
            results = [failed(request, reason) for request in lease.batch.requests]
            self._finish(lease, lease.replies[-1].id, results)

    def _count_processes(self) -> None:
        """Have the limit follow the number of processes, if it is time to count them."""
        census = self._census
        if census is None or self._lost_batches.is_looking:
            return
        if census.count(self._mailbox) and census.processes:
            self._note_worker()
            self.limit = max(2, census.processes * BATCHES_PER_WORKER)
            self._on_the_way = batches_on_the_way(census.processes, census.reply_s)
            self._lost_batches.limit = self.limit + self._on_the_way

    def _note_worker(self) -> None:
        if self._awaits_first:
            self._awaits_first = False
            self._lost_batches.note_life()
            self._patience.say(None)

    def _look_for_losses(self) -> None:
        """Renew the leases that are lost, if it is time to look for them."""
        if self._census and self._census.is_asking:
            return
        evidence = self._lost_batches.look(self._in_flight, self._mailbox)
        if evidence is None:
            return
        if not evidence.replied and self._awaits_first:
            self._patience.say("there is no worker yet; waiting")
            return
        if not evidence.replied:
            self._patience.workers_are_silent(self._lost_batches.silent_s)
            return
        self._note_worker()
        self._patience.say(None)
        for lease in self._lost_batches.lost(evidence, self._in_flight):
            if done := self._ready(lease):
                self._came.extend(done)  # it was answered, but the notice was lost
            else:
                seen = "neither the queue nor any worker had it"
                self._renew(lease, after_loss(lease), seen)

    def _ready(self, lease: Lease) -> list[AsyncResult]:
        with calling_broker():
            return [reply for reply in lease.replies if reply.ready()]

    def _mailbox(self) -> Mailbox:
        if self._workers_mailbox is None:
            self._workers_mailbox = Mailbox(self.app)
        return self._workers_mailbox

    def _sender(self) -> TaskSender:
        if self._task_sender is None:
            with calling_broker():
                self._task_sender = TaskSender(self.app, self._queue)
        return self._task_sender

    def _disconnect(self) -> None:
        self._lost_batches.stop_looking()
        if self._census:
            self._census.stop()
        mailbox, self._workers_mailbox = self._workers_mailbox, None
        sender, self._task_sender = self._task_sender, None
        for each in (mailbox, sender):
            if each:
                with contextlib.suppress(BrokerCallError), calling_broker():
                    each.close()

    def _drop(self, task_ids: list[str]) -> None:
        """Have workers drop tasks, and the results of those that are done."""
        if task_ids:
            self._dropped.extend(task_ids)
            self._mailbox().tell(DROP_COMMAND, {"task_ids": task_ids})

    def _start_over(self, error: BrokerCallError) -> None:
        """Wait until the broker serves again, and send what was in flight again."""
        reconnect = self._reconnect
        if reconnect is None:
            raise error
        self._patience.until_served(error, lambda: self._resume(reconnect()))
        self._lost_batches.note_life()

    def _resume(self, app: Celery) -> None:
        self._disconnect()
        self.app.close()
        self.app = app
        self._came.clear()
        self._by_task.clear()
        for lease in self._in_flight.values():
            lease.resumed = True
            detach(lease.replies)
            # Each task may have been answered before the broker went.
            lease.replies = [AsyncResult(reply.id, app=app) for reply in lease.replies]
            for reply in lease.replies:
                self._await(lease, reply)
            if not self._ready(lease):
                self._send(lease)
