"""A whole training, from a plan to adapters in place: on the tiny model, with the real judge."""

import os
from pathlib import Path

import pytest
from peft import PeftModel
from tiny_training import Told, cancel, roomy_model, told_row, without_telemetry
from transformers import AutoModelForCausalLM

from emotional_ai_training.adapters import Registry
from emotional_ai_training.dataset import Split, write_rows
from emotional_ai_training.evaluation.scale import SCALES
from emotional_ai_training.jobs import JobCancelled, Plan, Recipe
from emotional_ai_training.models import ENCODER, cache_dir, pull
from emotional_ai_training.recipes.plan import run_plan

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # the SDK leaves connections to the collector
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),  # PEFT asks a model for it
    pytest.mark.timeout(600),
]
STATES = ("balanced",)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The conditioning and one state, on a few rows."""
    pull(cache_dir(os.environ), sources=[ENCODER])
    for name in ("TINKER_API_KEY", "TINKER_BASE_URL", "MODEL_NAME", "LORA_RANK", "LEARNING_RATE", "MODEL_TOKENIZER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EMOTIONAL_AI_MODEL", str(roomy_model(tmp_path / "tiny")))
    rows = tmp_path / "rows.jsonl"
    splits = [Split.TRAIN] * 6 + [Split.DEV]
    write_rows(rows, [told_row(state, number, split) for state in STATES for number, split in enumerate(splits)])
    return Plan(
        recipe=Recipe.STATE_ADAPTERS,
        checkpoints_dir=tmp_path / "checkpoints",
        loras_dir=tmp_path / "loras",
        lora_rank=4,
        learning_rate=1e-2,
        batch_size=2,
        states=STATES,
        data_path=rows,
    )


def test_a_plan_ends_in_adapters_that_are_listed_and_that_peft_loads(plan: Plan, tmp_path: Path) -> None:
    with without_telemetry():
        reporter = Told(1, cancel)
        with pytest.raises(JobCancelled, match="it can go on from there"):
            run_plan(plan, reporter)
        assert not Registry(plan.loras_dir).list().adapters
        assert run_plan(plan, Told()) == STATES
    listed = Registry(plan.loras_dir).list()
    assert not listed.damaged
    assert {adapter.name: (adapter.rank, adapter.base_model, adapter.recipe) for adapter in listed.adapters} == {
        "balanced": (4, "tiny", "conditioning > balanced"),
    }
    for adapter in listed.adapters:
        assert adapter.scale in SCALES
        assert adapter.scale_calibrated
        assert {"recognised", "auc_at_scale", "perplexity_ratio_at_scale"} <= adapter.metrics.keys()
        assert 0 <= adapter.metrics["auc"] <= 1
        base = AutoModelForCausalLM.from_pretrained(tmp_path / "tiny")
        loaded = PeftModel.from_pretrained(base, str(plan.loras_dir / adapter.name))
        factors = [value for name, value in loaded.named_parameters() if "lora_B" in name]
        assert factors
        assert any(bool(value.any()) for value in factors)
    assert (plan.checkpoints_dir / "curves.png").read_bytes().startswith(b"\x89PNG")
