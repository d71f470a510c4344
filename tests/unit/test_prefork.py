"""The pool of worker processes, as far as it can be tested in one process."""

import threading

import billiard

from ck3parse.celery_compat.prefork import Process


def test_a_process_that_leaves_takes_no_lock_of_its_worker() -> None:
    """Issue 19, line 34: a process that was killed with the lock blocked its worker forever."""
    process = Process.__new__(Process)
    process.on_ready_counter = billiard.Value("i", 3)
    answers: list[bool] = []

    def leave() -> None:
        answers.append(process._ensure_messages_consumed(completed=3))

    leaving = threading.Thread(target=leave, daemon=True)
    with process.on_ready_counter.get_lock():
        leaving.start()
        leaving.join(10)
        assert answers == [True]
