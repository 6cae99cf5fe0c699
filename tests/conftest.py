"""What every test needs of the process it runs in."""

import os
import signal
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from emotional_ai_service.workers.child import LEAN

# Fixtures that several files share.
pytest_plugins = ["each_store", "training_service"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and what they start inherits that; some of it is
# tested to heed it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Models that run in the process of the tests are as lean as in a worker; libraries read this once, when they are first used.
# Threads that wait for each other let others run meanwhile: several files are tested at once.
os.environ.update(LEAN)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# How long an example takes says nothing on a machine that has other things to do.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

LONGEST: Final = (
    "test_evaluation.py",
    "test_decoding_local.py",
    "test_tinker_server_process.py",
    "test_recipes_resume.py",
    "test_web_touch_page.py",
    "test_web_browser_talk.py",
    "test_recipes_faults.py",
    "test_web_browser_frame.py",
)
"""Files that take a minute or more. They begin, so that where several run at once none of them is left alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files that take longest first."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long what takes its time takes, which `make faults` and `make soak` make long."""
    parser.addoption("--cut-seconds", type=float, default=2.0, help="how long tests cut a network off (default: 2)")
    parser.addoption(
        "--soak-minutes", type=float, default=0.0, help="how long the simulated week takes (default: 10 s)"
    )


@pytest.fixture
def cut_seconds(request: pytest.FixtureRequest) -> float:
    """Seconds for which a network is cut off."""
    seconds: float = request.config.getoption("--cut-seconds")
    return seconds
