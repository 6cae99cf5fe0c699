"""Fixtures of tests that share one page before a service without language: `pytest_plugins = ("web_stage",)` brings them."""

from collections.abc import AsyncIterator, Iterator

import pytest
from browser import chromium
from loopback import service
from playwright.async_api import Browser
from web_process import Web, web_process

from emotional_ai.aio import AsyncClient


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """A service without language."""
    with service() as address:
        yield address


@pytest.fixture(scope="module")
def web(target: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A page in front of it."""
    with web_process(target, tmp_path_factory.mktemp("web") / "log") as page:
        yield page
        assert page.complaints() == ""


@pytest.fixture
async def client(target: str) -> AsyncIterator[AsyncClient]:
    """Another client of the service."""
    async with AsyncClient(target) as one:
        yield one


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser."""
    async with chromium() as one:
        yield one
