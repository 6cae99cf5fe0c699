"""A worker process: streams, isolation of requests, cancellation, overload, death and restart, no orphans."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from emotional_ai_service.errors import SessionNotFound
from emotional_ai_service.workers import (
    Overloaded,
    Worker,
    WorkerFault,
    WorkerSpec,
    WorkerStartFailed,
    WorkerUnavailable,
)

SUPPORT = Path(__file__).parent.parent / "support"
Counter = Worker[object, object]


@pytest.fixture(autouse=True)
def _targets_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
async def worker(journal: Path) -> AsyncIterator[Counter]:
    async with Counter(WorkerSpec("counter", "worker_targets:counting", str(journal), capacity=6)) as worker:
        yield worker


async def answers(worker: Counter, request: object) -> list[object]:
    async with aclosing(worker.request(request)) as events:
        return [event async for event in events]


def size_of(path: Path) -> int:
    return path.stat().st_size


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # the state of other processes, which sets no event
            await asyncio.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_requests_under_way_together_each_get_their_own_answers_in_order(worker: Counter) -> None:
    assert worker.description == "counts"
    replies = await asyncio.gather(*(answers(worker, n) for n in (3, 50, 0, 7, 1, 20)))
    assert replies == [list(range(n)) for n in (3, 50, 0, 7, 1, 20)]


async def test_an_error_of_the_service_arrives_as_it_was_raised(worker: Counter) -> None:
    with pytest.raises(SessionNotFound, match="nobody"):
        await answers(worker, "refuse")


async def test_an_unexpected_exception_fails_its_request_alone(worker: Counter) -> None:
    with pytest.raises(WorkerFault, match="ZeroDivisionError: cannot do 'rubbish'"):
        await answers(worker, "rubbish")
    assert await answers(worker, 2) == [0, 1]


async def test_what_a_library_prints_does_not_disturb_the_replies(worker: Counter) -> None:
    assert await answers(worker, "print") == ["printed"]


async def test_the_child_gives_way_to_its_parent(worker: Counter) -> None:
    niceness, threads = (await answers(worker, "nice"))[0]  # type: ignore[misc]
    assert niceness == min(os.nice(0) + worker.spec.niceness, 19)
    assert threads == str(max(1, len(os.sched_getaffinity(0)) - 1))


async def test_leaving_a_request_stops_its_work_in_the_child(worker: Counter, journal: Path) -> None:
    async with aclosing(worker.request(-1)) as events:
        async for event in events:
            if event == 5:
                break
    await answers(worker, 1)  # the child reads in order: it knows of the cancellation before it begins this one
    size = size_of(journal)
    await answers(worker, 20)
    assert size_of(journal) == size


class News:
    """Updates of a request, told by the test; knows whether somebody still waits for them."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[object] = asyncio.Queue()
        self.closed = False

    def tell(self, value: object) -> None:
        self._told.put_nowait(value)

    async def stream(self) -> AsyncIterator[object]:
        try:
            while True:
                value = await self._told.get()
                if isinstance(value, Exception):
                    raise value
                yield value
        finally:
            self.closed = True


@pytest.fixture
async def echo() -> AsyncIterator[Counter]:
    async with Counter(WorkerSpec("echo", "worker_targets:echoing")) as worker:
        yield worker


async def test_updates_reach_their_own_request_in_order_while_it_is_under_way(echo: Counter) -> None:
    first, second = News(), News()
    async with aclosing(echo.request("a", first.stream())) as one, aclosing(echo.request("b", second.stream())) as two:
        assert [await anext(one), await anext(two)] == ["a", "b"]
        for number in range(50):
            first.tell(number)
            second.tell(-number)
        first.tell("end")
        second.tell("end")
        assert [event async for event in one] == list(range(50))
        assert [event async for event in two] == [-number for number in range(50)]
    assert first.closed
    assert second.closed


async def test_leaving_a_request_ends_its_updates(echo: Counter) -> None:
    news = News()
    async with aclosing(echo.request("a", news.stream())) as events:
        await anext(events)
    assert news.closed
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == [echo._supervisor]


async def test_updates_that_end_leave_the_request_under_way(worker: Counter) -> None:
    async def none() -> AsyncIterator[object]:
        return
        yield

    async with aclosing(worker.request(20, none())) as events:
        assert [event async for event in events] == list(range(20))


async def test_updates_that_fail_fail_their_request_alone(echo: Counter) -> None:
    broken, sound = News(), News()
    async with aclosing(echo.request("a", broken.stream())) as one, aclosing(echo.request("b", sound.stream())) as two:
        await anext(one)
        await anext(two)
        broken.tell(SessionNotFound("nobody"))
        with pytest.raises(SessionNotFound, match="nobody"):
            await anext(one)
        sound.tell("still here")
        assert await anext(two) == "still here"


async def test_an_update_the_target_refuses_ends_its_request_alone(echo: Counter) -> None:
    loud, quiet = News(), News()
    async with aclosing(echo.request("a", loud.stream())) as one, aclosing(echo.request("b", quiet.stream())) as two:
        await anext(one)
        await anext(two)
        loud.tell("knock")
        with pytest.raises(WorkerFault, match="nobody is in"):
            await anext(one)
        quiet.tell("still here")
        assert await anext(two) == "still here"


async def test_a_target_of_generators_takes_no_updates(worker: Counter) -> None:
    news = News()
    news.tell("anything")
    async with aclosing(worker.request(-1, news.stream())) as events:
        with pytest.raises(WorkerFault, match="take no updates"):
            async for _ in events:
                pass
    assert await answers(worker, 2) == [0, 1]


async def test_a_request_beyond_the_capacity_is_refused_and_taken_once_there_is_room(worker: Counter) -> None:
    running = [worker.request(-1) for _ in range(6)]
    for events in running:
        await anext(events)
    assert not worker.ready
    with pytest.raises(Overloaded, match="holds 6 requests") as refusal:
        await answers(worker, 1)
    assert refusal.value.retry_seconds > 0
    for events in running:
        await events.aclose()
    assert await answers(worker, 1) == [0]


async def test_a_killed_process_fails_what_is_under_way_within_a_second_and_is_replaced(worker: Counter) -> None:
    first = worker.pid
    assert first is not None
    running = [worker.request(-1) for _ in range(3)]
    for events in running:
        await anext(events)

    async def drain(events: AsyncIterator[object]) -> None:
        async for _ in events:
            pass

    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(10):  # far less than they would take: they do not end
        endings = await asyncio.gather(*(drain(events) for events in running), return_exceptions=True)
    assert [type(ending) for ending in endings] == [WorkerUnavailable] * 3
    with pytest.raises(WorkerUnavailable) as refusal:
        await answers(worker, 1)
    assert 0 < refusal.value.retry_seconds <= 30
    await until(lambda: worker.ready)
    assert worker.restarts == 1
    assert (await answers(worker, "pid"))[0] != first
    assert not is_running(first)


async def test_a_target_that_cannot_be_built_fails_the_start_with_its_reason() -> None:
    worker = Counter(WorkerSpec("counter", "worker_targets:failing", "no such model"))
    with pytest.raises(WorkerStartFailed, match="ValueError: no such model"):
        await worker.start()
    assert worker.pid is None


async def test_a_process_that_dies_while_starting_fails_the_start(tmp_path: Path) -> None:
    worker = Counter(WorkerSpec("counter", "worker_targets:dying_unless", str(tmp_path / "absent")))
    with pytest.raises(WorkerStartFailed, match=r"died while starting \(exit status 3\)"):
        await worker.start()


async def test_a_replacement_that_does_not_come_up_is_tried_again(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    marker.touch()
    async with Counter(WorkerSpec("counter", "worker_targets:dying_unless", str(marker))) as worker:
        first = worker.pid
        assert first is not None
        marker.unlink()
        os.kill(first, signal.SIGKILL)
        await until(lambda: worker.pid not in (first, None))
        second = worker.pid
        await until(lambda: worker.pid != second)
        assert not worker.ready
        marker.touch()
        await until(lambda: worker.ready)
        assert await answers(worker, 1) == [0]


async def test_closing_ends_the_process_and_what_is_under_way(journal: Path) -> None:
    worker = Counter(WorkerSpec("counter", "worker_targets:counting", str(journal)))
    await worker.start()
    pid = worker.pid
    assert pid is not None
    events = worker.request(-1)
    await anext(events)
    await worker.close()
    with pytest.raises(WorkerUnavailable, match="was closed"):
        async for _ in events:
            pass
    assert not is_running(pid)
    with pytest.raises(WorkerUnavailable, match="is not running"):
        await answers(worker, 1)


async def test_no_child_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio\n"
        "from emotional_ai_service.workers import Worker, WorkerSpec\n"
        "async def main():\n"
        f"    async with Worker(WorkerSpec('counter', 'worker_targets:counting', {str(tmp_path / 'journal')!r})) as worker:\n"
        "        events = worker.request(-1)\n"
        "        await anext(events)\n"
        "        print(worker.pid, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    async with asyncio.timeout(30):
        child = int(await parent.stdout.readline())
    assert is_running(child)
    parent.kill()
    await parent.wait()
    await until(lambda: not is_running(child))


@pytest.mark.parametrize(
    "wrong", [{"target": "nowhere"}, {"capacity": 0}, {"niceness": 20}, {"niceness": -1}, {"threads": -1}]
)
def test_a_spec_outside_its_ranges_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must"):
        WorkerSpec(**({"name": "counter", "target": "worker_targets:counting"} | wrong))  # type: ignore[arg-type]
