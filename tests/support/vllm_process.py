"""A real vLLM server for tests, in a process of its own, from the environment that `make vllm` makes."""

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from ports import nowhere

from emotional_ai_service.decoding.vllm import VllmSettings
from emotional_ai_service.decoding.vllm.launch import MODULE, server_arguments, server_environment
from emotional_ai_training.models import cache_dir

HOME = cache_dir(os.environ) / "peers" / "vllm"
PYTHON = HOME / "bin" / "python"
NOT_INSTALLED = f"vLLM is not installed; `make vllm` installs it into {HOME}"
PATIENCE = 400.0
"""Seconds a server may take to start."""
FOR_PROCESSORS = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}


@contextmanager
def vllm_server(settings: VllmSettings, *arguments: str) -> Iterator[VllmSettings]:
    """Serves as `settings` say, on a free port; yields the settings with its address."""
    placed = replace(settings, base_url=f"http://{nowhere()}")
    process = subprocess.Popen(
        [str(PYTHON), "-m", MODULE, *server_arguments(placed), "--enforce-eager", *arguments],
        env={**os.environ, **FOR_PROCESSORS, **server_environment()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    last_words: deque[str] = deque(maxlen=40)
    started, reader = threading.Event(), threading.Thread(target=lambda: _read(process, started, last_words))
    reader.start()
    try:
        assert started.wait(PATIENCE), "vLLM takes too long to start:\n" + "".join(last_words)
        assert process.poll() is None, "vLLM did not start:\n" + "".join(last_words)
        yield placed
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(30)
        assert process.stderr is not None
        process.stderr.close()


def _read(process: "subprocess.Popen[str]", started: threading.Event, last_words: deque[str]) -> None:
    """Reads to the end, so that the server never waits for a reader."""
    assert process.stderr is not None
    for line in process.stderr:
        last_words.append(line)
        if "Application startup complete" in line:
            started.set()
    started.set()  # it has ended, which the waiting side looks for
