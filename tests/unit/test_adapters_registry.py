"""Adapters are replaced whole, appear by themselves, and a damaged one hides no other."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tiny_adapters import manifest, peft_dir, published
from tiny_disk import room_for

from emotional_ai_training.adapters import (
    AdapterDamaged,
    AdapterError,
    NotPublished,
    Registry,
    check_writable,
    load_manifest,
    publish,
    publishing,
)
from emotional_ai_training.adapters import registry as registry_module
from emotional_ai_training.conditioning import ADAPTERS

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def loras(tmp_path: Path) -> Path:
    return tmp_path / "loras"


def names(registry: Registry) -> list[str]:
    return [adapter.name for adapter in registry.list().adapters]


def test_adapters_come_in_the_fixed_order_of_blends_then_by_name(loras: Path) -> None:
    for name in ("zeal", "balanced", "awe", *reversed(ADAPTERS[:4])):
        published(loras, name)
    assert names(Registry(loras)) == [*ADAPTERS, "awe", "zeal"]


def test_a_directory_that_is_not_there_yet_holds_no_adapters(loras: Path) -> None:
    registry = Registry(loras)
    assert names(registry) == []
    published(loras, "balanced")
    assert names(registry) == ["balanced"]


def test_what_is_published_replaced_or_removed_is_seen_at_the_next_call(loras: Path) -> None:
    registry = Registry(loras)
    first = published(loras, "balanced")
    assert registry.list().named("balanced") == first
    second = published(loras, "balanced", fill=0.25)
    assert registry.list().named("balanced") == second
    assert second.digest != first.digest
    shutil.rmtree(loras / "balanced")
    assert registry.list().named("balanced") is None


def test_what_did_not_change_is_not_read_again(loras: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(loras, "balanced")
    registry = Registry(loras)
    before = registry.list()

    def never(directory: Path) -> object:
        raise AssertionError(f"{directory} was read again")

    monkeypatch.setattr(registry_module, "load_manifest", never)
    assert registry.list() == before


def test_a_damaged_adapter_is_shown_logged_once_and_hides_no_other(
    loras: Path, caplog: pytest.LogCaptureFixture
) -> None:
    published(loras, "balanced")
    published(loras, "joy")
    (loras / "joy" / "manifest.json").write_text("{")
    (loras / "half").mkdir()
    (loras / "README.md").write_text("not an adapter")
    registry = Registry(loras)
    for _ in range(3):
        listing = registry.list()
        assert [adapter.name for adapter in listing.adapters] == ["balanced"]
        assert [error.directory.name for error in listing.damaged] == ["half", "joy"]
    assert len(caplog.records) == 2
    published(loras, "joy")
    assert [adapter.name for adapter in registry.list().adapters] == ["balanced", "joy"]


def test_a_path_that_cannot_hold_adapters_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AdapterError, match="cannot be read"):
        Registry(tmp_path / "file").list()
    with pytest.raises(NotPublished, match="cannot be written"):
        check_writable(tmp_path / "file" / "loras")


def test_where_it_can_be_written_nothing_is_left_by_asking(loras: Path) -> None:
    check_writable(loras)
    assert list(loras.iterdir()) == []


@pytest.mark.skipif(AS_ROOT, reason="root may write anywhere")
def test_a_target_that_is_not_writable_is_refused_and_keeps_what_it_has(loras: Path, tmp_path: Path) -> None:
    first = published(loras, "balanced")
    loras.chmod(0o555)
    try:
        with pytest.raises(NotPublished, match="nothing was replaced"):
            published(loras, "balanced", fill=0.1)
        with pytest.raises(NotPublished, match="choose another place"):
            check_writable(loras)
    finally:
        loras.chmod(0o755)
    assert load_manifest(loras / "balanced") == first


def test_a_disk_that_fills_up_keeps_the_adapter_it_has(loras: Path) -> None:
    first = published(loras, "balanced")
    peft_dir(loras.parent / "peft", fill=0.1)
    with room_for(64), pytest.raises(NotPublished, match="nothing was replaced"):
        publish(loras.parent / "peft", manifest("balanced"), loras)
    assert [path.name for path in loras.iterdir()] == ["balanced"]
    assert load_manifest(loras / "balanced") == first


def test_a_refused_manifest_leaves_the_adapter_and_no_litter(loras: Path, tmp_path: Path) -> None:
    first = published(loras, "balanced")
    with pytest.raises(AdapterDamaged, match=r"peft-balanced/manifest\.json: scale must be"):
        published(loras, "balanced", fill=0.1, scale=float("nan"))
    with pytest.raises(AdapterDamaged, match="name must be"):
        publish(peft_dir(tmp_path / "peft"), manifest("../balanced"), loras)
    assert [path.name for path in loras.iterdir()] == ["balanced"]
    assert load_manifest(loras / "balanced") == first


@pytest.mark.parametrize("one_step", [True, False])
def test_a_replacement_leaves_one_directory(loras: Path, monkeypatch: pytest.MonkeyPatch, one_step: bool) -> None:
    if not one_step:
        monkeypatch.setattr(publishing.ctypes, "CDLL", lambda *_, **__: object())
    published(loras, "balanced")
    second = published(loras, "balanced", fill=0.1)
    assert [path.name for path in loras.iterdir()] == ["balanced"]
    assert load_manifest(loras / "balanced") == second


def test_a_reader_beside_a_publisher_never_sees_half(loras: Path) -> None:
    published(loras, "balanced", fill=0.0)
    known = {published(loras, "balanced", fill=float(number)).digest for number in range(4)}
    stop = threading.Event()

    def publish_on() -> None:
        number = 0
        while not stop.is_set():
            published(loras, "balanced", fill=float(number % 4))
            number += 1

    publisher = threading.Thread(target=publish_on)
    publisher.start()
    try:
        seen = {load_manifest(loras / "balanced").digest for _ in range(300)}
    finally:
        stop.set()
        publisher.join()
    assert seen <= known


def test_a_publisher_killed_at_any_moment_leaves_a_whole_adapter(loras: Path, tmp_path: Path) -> None:
    published(loras, "balanced")
    program = (
        "import sys\nfrom pathlib import Path\nfrom tiny_adapters import published\n"
        "while True:\n    published(Path(sys.argv[1]), 'balanced', fill=0.25)\n    print('published', flush=True)\n"
    )
    support = str(Path(__file__).parents[1] / "support")
    for rounds in range(1, 4):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(loras)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": support},
        ) as process:
            assert process.stdout is not None
            for _ in range(rounds):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        assert names(Registry(loras)) == ["balanced"]
        assert Registry(loras).list().damaged == ()
