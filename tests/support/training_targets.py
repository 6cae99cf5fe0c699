"""A training in a process of its own that does what a script says: the plan's `data_path` names a JSON file.

    {"steps": 5, "gates": [2], "fail_at": 3, "deaf": true, "publish": ["balanced"]}

At each gate, before that step, it waits until the file `pass-STEP` lies beside the script. After each step it keeps what it
takes to go on from there, and the numbers of all steps it ever made, in `checkpoints_dir`. Deaf, it never stops when asked.
"""

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from tiny_adapters import manifest, peft_dir

from emotional_ai_training.adapters import publish
from emotional_ai_training.jobs import JobCancelled, Plan, Reporter

PATIENCE = 60.0
"""Seconds after which a gate nobody opens is given up."""


def scripted(plan: Plan, reporter: Reporter) -> tuple[str, ...]:
    """Carries out the script, and publishes."""
    assert plan.data_path is not None
    script: dict[str, Any] = json.loads(plan.data_path.read_text())
    logging.info("the script begins")
    plan.checkpoints_dir.mkdir(parents=True, exist_ok=True)
    made = plan.checkpoints_dir / "made"
    begin = len(made.read_text().split()) if plan.resume and made.exists() else 0
    for step in range(begin, script["steps"]):
        _pass(plan.data_path, step, script, reporter)
        if reporter.cancelled and not script.get("deaf"):
            raise JobCancelled
        if step == script.get("fail_at") and not plan.resume:
            raise ValueError("the loss\nis not finite")
        with made.open("a") as file:
            file.write(f"{step}\n")
        reporter.report(
            "high_dopamine", step + 1, script["steps"], {"loss": 1 / (step + 1)}, script["steps"] - step - 1.0
        )
    for name in script.get("publish", ()):
        publish(peft_dir(plan.checkpoints_dir / name), manifest(name, seed=plan.seed), plan.loras_dir)
    return tuple(script.get("publish", ()))


def nameless(plan: Plan, reporter: Reporter) -> tuple[str, ...]:
    """Returns what no training may."""
    return [plan.base_model]  # type: ignore[return-value]


def spilling(plan: Plan, reporter: Reporter) -> tuple[str, ...]:
    """Fails as the SDK does at a server that repeats the request it refuses."""
    raise RuntimeError(f"refused: X-API-Key: {os.environ['TINKER_API_KEY']}")


def exiting(plan: Plan, reporter: Reporter) -> tuple[str, ...]:
    """Leaves without a word."""
    raise SystemExit(0)


def _pass(script_path: Path, step: int, script: dict[str, Any], reporter: Reporter) -> None:
    until = time.monotonic() + PATIENCE
    while step in script.get("gates", ()) and not (script_path.parent / f"pass-{step}").exists():
        if reporter.cancelled and not script.get("deaf"):
            return
        if time.monotonic() > until:
            raise TimeoutError(f"nobody opened gate {step}")
        time.sleep(0.01)
