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
