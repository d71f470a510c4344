"""Programs that fork at any moment while they use the bridge."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bridging import output_of
from ck3parse.bridge.engine import SWITCH
from command import FAULTY
from reliability import Case
from servers import Server, Worker

ON = {SWITCH: "1", "CK3PARSE_WORKERS": "1"}
OURS = {"CK3PARSE_PARSER": ""}
DELAYS_MS = [0, 2, 5, 10, 15, 20, 30, 50]
ROUNDS = 3
"""Rounds of each program. Only the first round imports modules."""
FORKING = """
import logging, os, signal, sys, threading, time, warnings
logging.disable()  # a late answer on a busy machine is logged
from ck3parse.qbuilder_bridge import enqueue_parse_text, parse_text, shutdown_pool
warnings.simplefilter("ignore", DeprecationWarning)  # forks beside threads are what this is about
how, delay_s, rounds = sys.argv[1], float(sys.argv[2]) / 1000, int(sys.argv[3])

def child():
    signal.alarm(40)  # so that it cannot wait forever
    done = enqueue_parse_text("a = 1").result().success and parse_text("b = 1").success
    os._exit(0 if done else 1)

def call():
    answers.append(enqueue_parse_text("c = 1"))

for number in range(rounds):
    answers = []
    if how == "after the call":
        call()
        time.sleep(delay_s)
        pid = os.fork() or child()
    else:
        caller = threading.Thread(target=call)
        caller.start()
        time.sleep(delay_s)
        pid = os.fork() or child()
        caller.join()
    _, status = os.waitpid(pid, 0)
    assert status == 0, (number, status)
    assert answers[0].result(30).success
    shutdown_pool()
print("all")
"""
PROCESSES = """
import multiprocessing, warnings
from ck3parse.qbuilder_bridge import enqueue_parse_text, gather, parse_text
warnings.simplefilter("ignore", DeprecationWarning)

def work(number):
    return parse_text(f"a = {number}").success

first = enqueue_parse_text("a = 1")
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert all(pool.map_async(work, range(6)).get(60))
assert first.result(30).success
print("all")
"""
COPIES = """
import logging, os, signal, threading, warnings
logging.disable()
from ck3parse.errors import BrokerError
from ck3parse.qbuilder_bridge import enqueue_parse_text, gather, parse_text
warnings.simplefilter("ignore", DeprecationWarning)
done, undone = enqueue_parse_text("a = 1"), enqueue_parse_text("fault = hang", timeout_ms=1500)
assert done.result(30).success
undone.flush()

def in_child():
    signal.alarm(40)
    assert done.result().success and gather([done])[0].success
    for ask in (undone.result, undone.flush, undone.exception):
        try:
            ask()
        except BrokerError:
            continue
        raise AssertionError(ask)
    undone.cancel()
    assert parse_text("a = 1").success
    os._exit(0)

assert os.waitpid(os.fork() or in_child(), 0)[1] == 0

# A callback that forks, in the thread that brings results.
pids, forked = [], threading.Event()
def fork(_):
    pid = os.fork()
    if not pid:
        signal.alarm(40)
        os._exit(0 if parse_text("a = 1").success else 1)
    pids.append(pid)
    forked.set()

enqueue_parse_text("b = 1").add_done_callback(fork)
assert parse_text("c = 1").success
assert forked.wait(60)
assert os.waitpid(pids[0], 0)[1] == 0
assert undone.result(60).error_type == "ParseTimeoutError"
print("all")
"""
IMPORTS = """
import logging, sys
logging.disable()
from ck3parse.bridge.dispatcher import Dispatcher
from ck3parse.qbuilder_bridge import ParseFuture, enqueue_parse_text, gather, parse_text
known = set()
run = Dispatcher._run

def noting(self):
    known.update(sys.modules)
    run(self)

Dispatcher._run = noting
assert all(result.success for result in gather([enqueue_parse_text("a = 1") for _ in range(9)]))
assert ParseFuture.from_id(enqueue_parse_text("b = 1").id).result(30).success
print(sorted(set(sys.modules) - known))
"""


@pytest.mark.thorough
@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", ["after the call", "amid the call"])
def test_a_child_parses_whenever_it_was_forked(how: str, tmp_path: Path, case: Case) -> None:
    """Issue 19, line 16."""
    case.of("program", f"forks 0 to 50 ms {how.replace('the', 'its first')}")
    with Server(tmp_path) as server, Worker(server.url, tmp_path, env=OURS) as worker:
        worker.wait_ready()
        env = {**ON, "CK3PARSE_BROKER_URL": server.url}

        def forked_after(delay_ms: int) -> str:
            return output_of(FORKING, how, str(delay_ms), str(ROUNDS), env=env)

        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(forked_after, DELAYS_MS)) == ["all\n"] * len(DELAYS_MS)
    forks = len(DELAYS_MS) * ROUNDS
    case.saw(3 * forks, 3 * forks, 0.0, f"{forks} children, each parses by itself")


@pytest.mark.parametrize("delay_ms", [0, 15, 200])
@pytest.mark.parametrize("how", ["after the call", "amid the call"])
def test_a_child_has_an_embedded_broker_of_its_own(how: str, delay_ms: int) -> None:
    """Issue 19, line 16."""
    assert output_of(FORKING, how, str(delay_ms), "1", env=ON) == "all\n"


def test_processes_of_multiprocessing_parse() -> None:
    """Issue 19, line 16."""
    assert output_of(PROCESSES, env=ON) == "all\n"


def test_copies_of_futures_and_forks_in_callbacks(tmp_path: Path) -> None:
    """Issue 19, line 16."""
    with Server(tmp_path) as server, Worker(server.url, tmp_path) as worker:
        worker.wait_ready()
        assert output_of(COPIES, env={**ON, **FAULTY, "CK3PARSE_BROKER_URL": server.url}) == "all\n"


@pytest.mark.parametrize("broker", ["outside", "embedded"])
def test_the_thread_imports_nothing(broker: str, tmp_path: Path) -> None:
    """Issue 19, line 16: a module that is being imported during a fork is broken in the child."""
    if broker == "embedded":
        assert output_of(IMPORTS, env=ON) == "[]\n"
        return
    with Server(tmp_path) as server, Worker(server.url, tmp_path, env=OURS) as worker:
        worker.wait_ready()
        assert output_of(IMPORTS, env={**ON, "CK3PARSE_BROKER_URL": server.url}) == "[]\n"
