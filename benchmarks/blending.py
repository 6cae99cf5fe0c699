"""Blended decoding against what else there is: tokens per second, switching a blend, first tokens, memory.

    python benchmarks/blending.py [--quick] [--json] [--dtype float32|bfloat16] [--threads N]
        [--rounds N] [--picture FILE]

Every contender is a process of its own with the same threads and number format, stopped while others have their turn. In
every round each scene has one; a ratio is that of one round, and the median of the rounds is told with its quartiles. Tokens
per second are end to end: from the request to the last token of greedy replies of a fixed length, prompts included, of which
no cache has seen one before. Five adapters are active, the random ones of rank 16 on all linear layers unless "shipped" says
that they are those of loras/. Whoever serves different blends one after the other serves a few of the sessions in a turn.
The last line is one JSON object.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from apparatus import machine, outcome, summary
from apparatus.adapters import LORAS, publish_wide
from apparatus.contenders import Contender, ContenderFailed
from apparatus.course import Course, Plan, tell
from apparatus.dialogues import Dialogues
from apparatus.picture import draw
from apparatus.roster import Entry, roster
from apparatus.scenes import RATIOS, SCENES, Adapters

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.models import (
    cache_dir,
    cpu_description,
    default_model_dir,
    model_digest,
    multiplies_bf16,
    pull,
)

SEED: Final = 20_26
FULL: Final = Plan(rounds=5, tokens=64, switches=50)
QUICK: Final = Plan(rounds=2, tokens=16, switches=20)


def main() -> None:
    """Measures and prints."""
    arguments = _arguments()
    cache = cache_dir(os.environ)
    pull(cache)
    model = default_model_dir(cache)
    dtype = arguments.dtype or ("bfloat16" if multiplies_bf16(cpu_description()) else "float32")
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        scratch = Path(directory)
        sets = published(model, cache, scratch / "loras")
        listed = roster(model, list(sets.values()), dtype, arguments.threads, quick=arguments.quick)
        contenders, left_out = stack.enter_context(started(listed.entries, scratch))
        plan = QUICK if arguments.quick else FULL
        plan = replace(plan, rounds=arguments.rounds or plan.rounds)
        scenes = [scene for scene in SCENES if not (arguments.quick and scene.whole)]
        before = machine.load_average()
        peers = {entry.name for entry in listed.entries if entry.peer}
        course = Course(plan, contenders, Dialogues(model, SEED), sets, peers)
        rounds = course.run(scenes)
        memory = {name: contender.resident_bytes() >> 20 for name, contender in contenders.items()}
    speeds = summary.speeds(rounds)
    result: outcome.Result = {
        "machine": machine.description(),
        "load_before_and_after": f"{before} {machine.load_average()}",
        "share_of_others": summary.disturbance(rounds),
        "dtype": dtype,
        "threads": arguments.threads,
        "rounds": plan.rounds,
        "tokens": plan.tokens,
        "left_out": "; ".join(
            f"{name}: {why}" for name, why in (*listed.left_out, *left_out, *course.failures.items())
        ),
        "tokens_per_second": speeds,
        "ratios": summary.ratios(rounds, RATIOS),
        "switching": summary.switching(rounds),
        "waiting": summary.waiting(rounds),
        "resident_mb": memory,
    }
    if arguments.picture is not None:
        draw(speeds, f"{model.name}, {dtype}, {arguments.threads} threads", arguments.picture)
    outcome.show(result, only_json=arguments.json)


def published(model: Path, cache: Path, loras_dir: Path) -> Mapping[Adapters, Sequence[Path]]:
    """Both sets of adapters in one directory."""
    wide = publish_wide(model, model_digest(model, cache), loras_dir, seed=SEED)
    for name in ADAPTERS:
        shutil.copytree(LORAS / name, loras_dir / name)
    return {Adapters.WIDE: wide, Adapters.SHIPPED: [loras_dir / name for name in ADAPTERS]}


@contextmanager
def started(
    entries: Sequence[Entry], logs: Path
) -> Iterator[tuple[Mapping[str, Contender], Sequence[tuple[str, str]]]]:
    """Those that start, and those that do not with the reason."""
    contenders: dict[str, Contender] = {}
    failed: list[tuple[str, str]] = []
    with ExitStack() as stack:
        for entry in entries:
            tell(f"starting {entry.name}")
            try:
                contender = Contender(entry.command, entry.setting, logs / f"{entry.name}.log")
            except ContenderFailed as error:
                if not entry.peer:
                    raise
                failed.append((entry.name, str(error)))
                continue
            contenders[entry.name] = stack.enter_context(contender)
        yield contenders, failed


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ours, transformers and PEFT alone, in two minutes")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16"), help="for everyone; else what the processor does best"
    )
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))), help="of every contender")
    parser.add_argument("--rounds", type=int, help=f"{FULL.rounds} unless given, {QUICK.rounds} with --quick")
    parser.add_argument("--picture", type=Path, help="where to draw the result as PNG")
    return parser.parse_args()


if __name__ == "__main__":
    main()
