"""A run's files: what a kill or a full disk leaves behind is read again as far as it is whole."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_disk import room_for

from emotional_ai_training.recipes.errors import RunUnwritable
from emotional_ai_training.recipes.journal import append_line, read_lines, replace_text
from emotional_ai_training.recipes.run_directory import RunDirectory

ROWS = [{"step": step, "says": "ein schöner Tag " * step} for step in range(4)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1))
def test_a_file_cut_anywhere_holds_its_whole_lines_and_can_be_written_on(tmp_path: Path, share: float) -> None:
    file = tmp_path / "lines.jsonl"
    replace_text(file, "")
    for row in ROWS:
        append_line(file, row)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    left = read_lines(file)
    assert left == ROWS[: len(left)]
    assert len(left) == whole[: int(len(whole) * share)].count(b"\n")
    append_line(file, {"step": 9})
    assert read_lines(file) == [*left, {"step": 9}]


def test_a_full_disk_is_named_and_what_was_noted_stays(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", {"seed": 0})
    run.metrics(0, {"loss": 1.0})
    run.checkpoint(1, "tinker://run/weights/1")
    with room_for(20):
        with pytest.raises(RunUnwritable, match=f"cannot write to {tmp_path}/run: File too large"):
            run.metrics(1, {"loss": 0.5})
        with pytest.raises(RunUnwritable, match="cannot write to"):
            run.checkpoint(2, "tinker://run/weights/2")
    again = RunDirectory(tmp_path / "run", {"seed": 0})
    assert (again.next_step, again.state) == (1, "tinker://run/weights/1")
    assert [row["loss"] for row in again.history()] == [1.0]
