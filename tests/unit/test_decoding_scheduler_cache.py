"""What earlier replies computed is used again by those who may: the same tokens, contents and blends, or one's own by policy.

On the runtime that shares its cache; every reply that reuses is compared with one that cannot.
"""

import shutil
from dataclasses import replace

import pytest
from tiny_decoding import Said, finished, logprobs_of, publish_tiny_adapter, spoken, text_of
from tiny_replies import BLENDS, GREEDY, Stage, ask, whole

from emotional_ai_service.decoding import (
    AdapterVersion,
    Blend,
    BlendMode,
    BlendWeight,
    GenerationRequest,
    KvPolicy,
    KvSpan,
    RuntimeKind,
    UnknownAdapter,
    Voice,
    VoiceChange,
)
from emotional_ai_service.decoding.batch import BLOCK
from emotional_ai_service.decoding.scheduler import Scheduler

REFRESH, KEEP, STRICT = KvPolicy.REFRESH_AT_TURN, KvPolicy.KEEP, KvPolicy.STRICT
PROMPT = "x" * 100
"""A little more than three blocks with what is around it."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def scheduler(stage: Stage) -> Scheduler:
    return stage.scheduler(RuntimeKind.OPENVINO)


def turn(weight: float, session: str = "", policy: KvPolicy = REFRESH, words: str = PROMPT) -> GenerationRequest:
    blend = (BlendWeight("alpha", weight),)
    return ask(words, 1, GREEDY, 10, logprobs=True, blend=blend, session=session, kv_policy=policy)


def reused(scheduler: Scheduler, *requests: GenerationRequest) -> list[int]:
    """Blocks that each of `requests`, asked one after the other, used again."""
    ends = [finished(spoken(scheduler, [request])[0]) for request in requests]
    assert whole(scheduler)
    return [end.reused_tokens // BLOCK for end in ends]


def test_an_equal_blend_is_used_again_by_whoever_asks(scheduler: Scheduler) -> None:
    assert reused(scheduler, turn(0.5), turn(0.5), turn(0.5, "one"), turn(0.5001, "two", KEEP)) == [0, 3, 3, 3]


def test_what_one_tenant_asked_is_found_again_by_no_other(scheduler: Scheduler) -> None:
    one, other = (replace(turn(0.5, "ada"), tenant=tenant) for tenant in ("acme", "zeta"))
    assert reused(scheduler, one, other, one, other, turn(0.5)) == [0, 0, 3, 3, 0]


@pytest.mark.parametrize("policy", list(KvPolicy))
def test_to_another_tenant_a_cache_that_holds_its_prompt_is_as_one_that_does_not(
    stage: Stage, policy: KvPolicy
) -> None:
    stranger = replace(turn(0.5, "ada", policy), tenant="zeta")
    ends = []
    for before in (turn(0.5, "ada", policy), turn(0.5, "ada", policy, words="y" + PROMPT)):
        scheduler = stage.scheduler(RuntimeKind.OPENVINO)
        spoken(scheduler, [replace(before, tenant="acme")])
        end = finished(spoken(scheduler, [stranger])[0])
        ends.append(replace(end, first_token_seconds=0, total_seconds=0))
    assert ends[0] == ends[1]


def test_what_is_used_again_gives_the_reply_that_is_computed_from_the_beginning(stage: Stage) -> None:
    scheduler = stage.scheduler(RuntimeKind.OPENVINO)
    first, again = (spoken(scheduler, [turn(0.5)])[0] for _ in range(2))
    (reference,) = spoken(stage.scheduler(), [turn(0.5)])
    assert finished(again).reused_tokens > finished(first).reused_tokens == 0
    assert text_of(again) == text_of(first) == text_of(reference)
    assert logprobs_of(again) == pytest.approx(logprobs_of(reference), abs=1e-3)
    assert finished(again).kv == finished(first).kv


def test_a_longer_conversation_finds_what_it_shares_and_another_begins_anew(scheduler: Scheduler) -> None:
    longer = turn(0.5, words=PROMPT + "y" * 60)
    assert reused(scheduler, turn(0.5), longer, longer, turn(0.5, words="y" + PROMPT)) == [0, 3, 5, 0]


@pytest.mark.parametrize(
    ("policy", "weight", "session", "blocks"),
    [
        (REFRESH, 0.52, "one", 3),
        (REFRESH, 0.52, "two", 0),
        (REFRESH, 0.54, "one", 0),
        (KEEP, 0.54, "one", 3),
        (KEEP, -1.0, "one", 3),
        (KEEP, 0.54, "two", 0),
        (KEEP, 0.54, "", 0),
        (STRICT, 0.5, "one", 0),
    ],
)
def test_a_turn_uses_what_its_policy_lets_it(
    scheduler: Scheduler, policy: KvPolicy, weight: float, session: str, blocks: int
) -> None:
    assert reused(scheduler, turn(0.5, "one"), turn(weight, session, policy)) == [0, blocks]


def test_nobodys_turns_are_not_those_of_one_session(scheduler: Scheduler) -> None:
    assert reused(scheduler, turn(0.5), turn(0.52), turn(0.54, "", KEEP)) == [0, 0, 0]


def test_a_strict_reply_leaves_nothing_to_others(scheduler: Scheduler) -> None:
    assert reused(scheduler, turn(0.5, "one", STRICT), turn(0.5, "one")) == [0, 0]


def test_what_was_kept_under_another_blend_is_recorded_as_such(stage: Stage, scheduler: Scheduler) -> None:
    spoken(scheduler, [turn(0.5, "one")])
    plain = replace(turn(0.5, "one", KEEP), blend=())
    (said,) = spoken(scheduler, [plain])
    end = finished(said)
    assert end.kv == (KvSpan(0, (BlendWeight("alpha", 0.5),)), KvSpan(3 * BLOCK, ()))
    assert [version.adapter for version in end.adapters] == ["alpha"]
    assert end.mode is BlendMode.EXACT
    (anew,) = spoken(stage.scheduler(RuntimeKind.OPENVINO), [plain])
    assert abs(logprobs_of(said)[0] - logprobs_of(anew)[0]) > 1e-3


def test_blocks_of_a_reply_whose_blend_moved_are_known_by_all_their_blends(scheduler: Scheduler) -> None:
    first: Blend = (BlendWeight("alpha", 0.5),)
    moves = (VoiceChange(20, Voice((BlendWeight("beta", 0.5),), 0, 1)),)
    spoken(scheduler, [replace(turn(0.5), schedule=moves, max_tokens=60)])
    kept = scheduler.pool.kept
    assert kept >= 4
    (again,) = spoken(scheduler, [replace(turn(0.5), schedule=moves, max_tokens=60)])
    assert scheduler.pool.kept == kept
    assert finished(again).kv[0] == KvSpan(0, first)


# Adapters that change


@pytest.mark.parametrize("policy", [REFRESH, KEEP])
@pytest.mark.parametrize("overlapping", [False, True])
def test_what_was_computed_with_replaced_content_is_never_used_again(
    tmp_path_factory: pytest.TempPathFactory, policy: KvPolicy, overlapping: bool
) -> None:
    stage = Stage(tmp_path_factory.mktemp("tiny"))
    scheduler = stage.scheduler(RuntimeKind.OPENVINO)
    old = publish_tiny_adapter(stage.directory, "alpha", rank=2, seed=1)
    long = replace(turn(0.5, "one", policy), max_tokens=60)
    again = replace(turn(0.5, "one", policy), max_tokens=9)
    new = []

    def swap(step: int, heard: list[list[Said]]) -> None:
        if step == (5 if overlapping else -1):
            new.append(publish_tiny_adapter(stage.directory, "alpha", rank=2, seed=77))
            scheduler.begin(1, again)

    first, *second = spoken(scheduler, [long], swap)
    if not overlapping:
        new.append(publish_tiny_adapter(stage.directory, "alpha", rank=2, seed=77))
        second = spoken(scheduler, [again])
    third = spoken(scheduler, [again])
    assert finished(first).adapters == (AdapterVersion("alpha", old.digest),)
    assert finished(second[0]).adapters == finished(third[0]).adapters == (AdapterVersion("alpha", new[0].digest),)
    assert finished(second[0]).reused_tokens == 0
    assert finished(third[0]).reused_tokens == 3 * BLOCK
    (reference,) = spoken(stage.scheduler(), [again])
    assert text_of(third[0]) == text_of(second[0]) == text_of(reference)
    assert logprobs_of(third[0]) == pytest.approx(logprobs_of(reference), abs=1e-3)
    assert scheduler.pool.kept <= 4  # nothing of the old content is left
    assert whole(scheduler)


@pytest.mark.parametrize("kind", list(RuntimeKind)[:2])
def test_an_adapter_removed_in_use_goes_on_to_the_end_of_the_reply(
    tmp_path_factory: pytest.TempPathFactory, kind: RuntimeKind
) -> None:
    stage = Stage(tmp_path_factory.mktemp("tiny"))
    asked = replace(turn(0.5), max_tokens=24)
    moves = (VoiceChange(15, Voice((BlendWeight("alpha", -0.5), BlendWeight("beta", 0.25)), 0, 1)),)
    named = (BlendWeight("alpha", 0.5), BlendWeight("beta", 0.0))
    (undisturbed,) = spoken(stage.scheduler(kind), [replace(asked, blend=named, schedule=moves)])
    scheduler = stage.scheduler(kind)

    def remove(step: int, heard: list[list[Said]]) -> None:
        if step == 5:
            shutil.rmtree(stage.directory / "loras" / "alpha")
            shutil.rmtree(stage.directory / "loras" / "beta")
            scheduler.begin(1, asked)
            scheduler.begin(2, replace(asked, blend=()))
        if step == 14:  # after fifteen tokens
            scheduler.update(0, moves[0].voice)

    said, refused, other = spoken(scheduler, [replace(asked, blend=named)], remove)
    assert (text_of(said), finished(said).changes) == (text_of(undisturbed), finished(undisturbed).changes)
    assert logprobs_of(said) == pytest.approx(logprobs_of(undisturbed), abs=1e-3)
    assert isinstance(refused[-1], UnknownAdapter)
    assert finished(other).mode is BlendMode.BASE
    assert whole(scheduler)


def test_many_replies_that_share_and_part_come_to_the_words_of_the_reference(stage: Stage) -> None:
    scheduler = stage.scheduler(RuntimeKind.OPENVINO, active=3, blocks=20)
    asked = [
        replace(turn(0.5, f"s{seed % 2}", words="x" * (40 * (seed % 4))), blend=BLENDS[seed % 3], max_tokens=9)
        for seed in range(12)
    ]
    for _ in range(2):
        replies = spoken(scheduler, asked)
        assert [text_of(said) for said in replies] == [text_of(said) for said in spoken(stage.scheduler(), asked)]
        assert whole(scheduler)
    assert sum(finished(said).reused_tokens for said in replies) > 0
