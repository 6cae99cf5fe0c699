"""The child process: `python -m emotional_ai_service.workers.child`, started by the handle alone.

One thread reads requests, the main thread works. The end of the request pipe is the only stop signal: it comes when the
parent closes the worker and just as well when the parent is killed, so no child outlives its parent.
"""

import importlib
import os
import queue
import signal
import threading
import traceback
from typing import Any, BinaryIO, Final, TypeAlias

from emotional_ai_service.observing.bare import log_bare
from emotional_ai_service.workers.load import Load
from emotional_ai_service.workers.messages import (
    Begin,
    Cancel,
    Outcome,
    Ready,
    StartFailed,
    ToTarget,
    Update,
    frame,
    read_from_parent,
)
from emotional_ai_service.workers.spec import WorkerSpec
from emotional_ai_service.workers.target import Target, failed

THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
QUIET: Final = {"TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "error"}
"""Keeps libraries from drawing progress bars among the lines of the service."""
LEAN: Final = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256"}
"""Kernels that oneDNN keeps, half a megabyte each: what the shapes in use take. Its own limit, 1024, lets a process grow on."""
Inbox: TypeAlias = "queue.SimpleQueue[ToTarget]"


def main() -> None:
    """Builds the target named by the first message and serves until the parent's end of the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when we stop
    requests, replies = os.fdopen(os.dup(0), "rb"), _private_output()
    spec = read_from_parent(requests)
    if not isinstance(spec, WorkerSpec):
        return
    _settle_in(spec)
    inbox: Inbox = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, inbox), daemon=True).start()
    try:
        target = _build(spec)
        ready = Ready(target.describe())
    except Exception as error:
        if not type(error).__module__.startswith("emotional_ai"):  # our own errors speak for themselves
            traceback.print_exc()
        _send(replies, frame(StartFailed(f"{type(error).__name__}: {error}")))
        return
    _send(replies, frame(ready))
    serve(target, inbox, replies)


def serve(target: Target[Any], inbox: Inbox, replies: BinaryIO) -> None:
    """Works for ever: takes what came in, advances one step, says what came of it, and how busy it is where that changed."""
    told = Load()
    while True:
        outcomes = _take_in(target, inbox)
        if target.busy():
            outcomes += target.step()
        load = target.load()
        said = [frame(load)] if load != told else []
        said += [frame(outcome) for outcome in outcomes]
        told = load
        if said:
            _send(replies, b"".join(said))


def _take_in(target: Target[Any], inbox: Inbox) -> list[Outcome]:
    """Takes messages until none is left, and waits for one where there is no work.

    Returns the ends of requests whose updates were refused.
    """
    refused: list[Outcome] = []
    idle = not target.busy()
    while idle or not inbox.empty():
        idle = False
        match inbox.get():
            case Begin(ticket, request):
                target.begin(ticket, request)
            case Update(ticket, value):
                try:
                    target.update(ticket, value)
                except Exception:
                    target.cancel(ticket)
                    refused.append(failed(ticket))
            case Cancel(ticket):
                target.cancel(ticket)
    return refused


def _private_output() -> BinaryIO:
    """The reply pipe under a descriptor of its own; whatever a library prints goes to standard error instead."""
    private = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(private, "wb")


def _settle_in(spec: WorkerSpec) -> None:
    os.nice(spec.niceness)
    if spec.log is None:
        log_bare()
    else:
        from emotional_ai_service.observing.logs import log_to_stderr

        log_to_stderr(spec.log, blind=True)
    threads = spec.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    os.environ.update(QUIET | LEAN)
    for variable in THREAD_VARIABLES:  # read by numerical libraries when they are imported, which is later
        os.environ[variable] = str(threads)


def _build(spec: WorkerSpec) -> Target[Any]:
    module, _, factory = spec.target.partition(":")
    target: Target[Any] = getattr(importlib.import_module(module), factory)(spec.arguments)
    return target


def _read(requests: BinaryIO, inbox: Inbox) -> None:
    while isinstance(message := read_from_parent(requests), ToTarget):
        inbox.put(message)
    os._exit(0)  # the main thread may be deep in a computation nobody waits for; the process holds nothing to save


def _send(replies: BinaryIO, data: bytes) -> None:
    try:
        replies.write(data)
        replies.flush()
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
