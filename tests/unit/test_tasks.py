import subprocess
import sys

SCRIPT = """
import celery, ck3parse.tasks
from ck3parse.messaging.app import TASK_NAME
host = celery.Celery("host")
host.finalize()
print(TASK_NAME in ck3parse.tasks.app.tasks, TASK_NAME in host.tasks)
"""


def test_other_applications_of_a_program_do_not_get_the_task() -> None:
    # In a process of its own: Celery keeps what applications share for as long as a process lives.
    assert subprocess.check_output([sys.executable, "-c", SCRIPT], text=True) == "True False\n"


LIMITS = """
import itertools
import billiard, ck3parse.tasks as tasks
from ck3parse.config import Settings
from ck3parse.messages import ParseResult
for index in range(5):
    billiard.current_process().index = index
    state, left = tasks.ProcessState(Settings(max_files_per_child=800)), []
    tasks.leave_after_task = lambda: left.append(True)
    for files in itertools.count(1):
        state.count([ParseResult("1", "a")])
        if left:
            print(files)
            break
"""


def test_processes_that_start_together_are_not_replaced_together() -> None:
    """Issue 19, line 24: no CPU works while all of them are replaced."""
    printed = subprocess.check_output([sys.executable, "-c", LIMITS], text=True)
    assert printed.split() == ["800", "700", "600", "500", "800"]
