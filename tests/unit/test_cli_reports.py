"""Jobs as the command line writes them."""

import io
import math

import pytest
from rich.console import Console

from emotional_ai.cli import progress, reports
from emotional_ai.cli.output import compact
from emotional_ai.v1 import training_pb2 as pb


def news(sequence: int, status: pb.JobStatus.ValueType = pb.JOB_STATUS_RUNNING, **more: object) -> pb.WatchJobResponse:
    given = {"stage": f"stage{sequence}", "step": sequence, "total_steps": 3} | more
    report = pb.JobProgress(sequence=sequence, **given) if sequence else None  # type: ignore[arg-type]
    return pb.WatchJobResponse(progress=report, status=status)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, ""), (-1, ""), (math.inf, ""), (math.nan, ""), (5, "0:05 left"), (125.4, "2:05 left"), (3725, "1:02:05 left")],
)
def test_the_time_left_is_said_where_it_is_known(seconds: float, said: str) -> None:
    assert reports.left(pb.JobProgress(remaining_seconds=seconds)) == said


def test_a_loss_that_is_not_a_number_is_null_in_json_and_nan_in_text() -> None:
    piece = news(1, metrics=[pb.Metric(name="loss", value=math.nan)])
    assert '"metrics": {"loss": null}' in compact(reports.news(piece))
    assert reports.line(piece.progress) == "stage1 1/3  loss nan"
    assert reports.news(news(0, pb.JOB_STATUS_QUEUED)) == {"status": "queued"}


def test_a_name_that_would_steer_the_terminal_is_cleaned() -> None:
    assert reports.line(news(1, stage="\x1b[2Jhigh").progress) == "[2Jhigh 1/3"


def test_at_a_terminal_each_stage_has_its_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120)
    monkeypatch.setattr(progress, "Console", lambda **_: console)
    progress.follow([news(0, pb.JOB_STATUS_QUEUED), news(1), news(2), news(3, pb.JOB_STATUS_SUCCEEDED)], json=False)
    last = shown.getvalue().rsplit("stage1", 1)[1]
    assert all(name in last for name in ("stage2", "stage3", "3/3"))


def test_elsewhere_each_report_is_a_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    ended = news(2, pb.JOB_STATUS_SUCCEEDED)
    progress.follow([news(0, pb.JOB_STATUS_QUEUED), news(0, pb.JOB_STATUS_QUEUED), news(1), news(2), ended], json=False)
    out, err = capsys.readouterr()
    assert out.splitlines() == ["stage1 1/3", "stage2 2/3"]
    assert err == "the job waits for its turn\n"
