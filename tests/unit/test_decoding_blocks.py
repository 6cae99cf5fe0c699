"""Blocks of the cache: never handed out twice, never lost, found again behind exactly the prefix they were computed behind."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.batch import BLOCK
from emotional_ai_service.decoding.blends import NOTHING, ResolvedBlend
from emotional_ai_service.decoding.blocks import BlockPool, Node, OutOfBlocks, Runs
from emotional_ai_service.decoding.messages import BlendWeight

SIZE = 9
ADAPTER = LoadedAdapter("calm", "0" * 64, {}, {}, {})
OTHER = LoadedAdapter("calm", "1" * 64, {}, {}, {})
BLENDS = (NOTHING, *(ResolvedBlend((one,), (BlendWeight(one.name, 0.5),)) for one in (ADAPTER, OTHER)))
Path = tuple[tuple[tuple[int, ...], Runs], ...]
"""What a kept block is known by: tokens and blends from the beginning of the prompt on."""


def tokens_of(*letters: int) -> tuple[int, ...]:
    """Whole blocks, each of one repeated token."""
    return tuple(letter for letter in letters for _ in range(BLOCK))


def runs_of(blend: int) -> Runs:
    """Blends of a block; 3 changes in its middle."""
    return ((0, BLENDS[0]), (BLOCK // 2, BLENDS[1])) if blend == 3 else ((0, BLENDS[blend]),)


def any_node(_: Node) -> int:
    return 1


@dataclass(eq=False)
class Reply:
    """What a reply holds: blocks of its own, and nodes, parents first."""

    own: list[int]
    nodes: list[Node] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return tuple((node.tokens, node.runs) for node in self.nodes)


class Pool(RuleBasedStateMachine):
    """Random replies over a small pool, beside a model: which paths are kept in which blocks, and when they were used."""

    replies = Bundle("replies")

    def __init__(self) -> None:
        super().__init__()
        self.pool = BlockPool(SIZE)
        self.live: list[Reply] = []
        self.kept: dict[Path, int] = {}
        """Block of every kept path, in use or not."""
        self.idle: list[Path] = []
        """Kept paths nobody uses, least recently used first."""

    def used(self) -> set[Path]:
        return {reply.path[: end + 1] for reply in self.live for end in range(len(reply.nodes))}

    def evicted(self, count: int) -> None:
        """Takes out of the model what the pool must have given away to hand out `count`."""
        free = SIZE - len(self.kept) - sum(len(reply.own) for reply in self.live)
        for _ in range(count - free):
            leaf = next(p for p in self.idle if not any(q != p and q[: len(p)] == p for q in self.kept))
            self.idle.remove(leaf)
            del self.kept[leaf]

    @rule(
        target=replies, letters=st.lists(st.integers(0, 1), max_size=3), blend=st.integers(0, 3), more=st.integers(0, 4)
    )
    def begin(self, letters: list[int], blend: int, more: int) -> Reply:
        """A reply matches what it may use, all of one blend, and takes blocks for the rest."""
        wanted = runs_of(blend)
        found = self.pool.match((*tokens_of(*letters), 7), lambda node: int(node.runs == wanted))
        longest: Path = ()
        for letter in letters:
            path = (*longest, (tokens_of(letter), wanted))
            if path not in self.kept:
                break
            longest = path
        assert tuple((node.tokens, node.runs) for node in found) == longest
        assert [node.block for node in found] == [self.kept[longest[: end + 1]] for end in range(len(longest))]
        self.idle = [path for path in self.idle if path != longest[: len(path)]]
        reply = Reply([], found)
        self.live.append(reply)
        if more > self.pool.available:
            with pytest.raises(OutOfBlocks):
                self.pool.take(more)
            return reply
        self.evicted(more)
        reply.own = self.pool.take(more)
        return reply

    @rule(reply=replies, letter=st.integers(0, 1), blend=st.integers(0, 3))
    def fill(self, reply: Reply, letter: int, blend: int) -> None:
        """A reply filled one of its blocks, which is kept unless the same is kept already."""
        if not reply.own:
            return
        path = (*reply.path, (tokens_of(letter), runs_of(blend)))
        parent = reply.nodes[-1] if reply.nodes else None
        node = self.pool.keep(parent, reply.own[0], tokens_of(letter), runs_of(blend), "")
        assert (node is None) == (path in self.kept)
        if node is not None:
            self.kept[path] = reply.own.pop(0)
            reply.nodes.append(node)

    @rule(reply=consumes(replies))
    def end(self, reply: Reply) -> None:
        self.pool.give_back(reply.own)
        self.pool.release(reply.nodes)
        self.live = [other for other in self.live if other is not reply]
        still = self.used()
        freed = [reply.path[: end + 1] for end in reversed(range(len(reply.nodes)))]
        self.idle += [path for path in freed if path not in still]

    @rule(blend=st.integers(1, 2))
    def forget(self, blend: int) -> None:
        self.pool.forget(lambda one: one == BLENDS[blend])
        gone = [path for path in self.idle if any(one == BLENDS[blend] for _, one in path[-1][1])]
        for path in gone:
            for behind in [p for p in self.kept if p[: len(path)] == path]:
                del self.kept[behind]
                self.idle.remove(behind)

    @precondition(lambda self: self.pool.available)
    @rule(data=st.data())
    def take_and_give_back(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, self.pool.available))
        self.evicted(count)
        self.pool.give_back(self.pool.take(count))

    @invariant()
    def every_block_is_in_one_place(self) -> None:
        held = [block for reply in self.live for block in reply.own] + list(self.kept.values())
        assert len(held) == len(set(held))
        assert set(held) <= set(range(SIZE))
        in_use = sum(len(reply.own) for reply in self.live) + len(self.used())
        assert self.pool.available == SIZE - in_use
        assert self.pool.kept == len(self.idle) == len(self.kept) - len(self.used())

    def teardown(self) -> None:
        """After the last reply every block can be taken, each once."""
        for reply in self.live:
            self.pool.give_back(reply.own)
            self.pool.release(reply.nodes)
        assert sorted(self.pool.take(SIZE)) == list(range(SIZE))
        assert self.pool.kept == 0


TestPool = Pool.TestCase
TestPool.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


def test_a_prompt_of_whole_blocks_leaves_its_last_one_to_compute() -> None:
    pool = BlockPool(2)
    first, second = pool.take(2)
    node = pool.keep(None, first, tokens_of(1), runs_of(0), "")
    assert node is not None
    behind = pool.keep(node, second, tokens_of(2), runs_of(0), "")
    assert behind is not None
    assert pool.match(tokens_of(1), any_node) == []
    assert pool.match(tokens_of(1, 2), any_node) == [node]
    assert pool.match((*tokens_of(1, 2), 0), any_node) == [node, behind]


def test_among_blocks_of_the_same_tokens_the_one_of_highest_rank_is_found() -> None:
    pool = BlockPool(2)
    plain, blended = (pool.keep(None, block, tokens_of(1), runs_of(block), "") for block in pool.take(2)[::-1])
    found = pool.match((*tokens_of(1), 0), lambda node: 2 if node is blended else 1)
    assert found == [blended]
    assert pool.match((*tokens_of(1), 0), lambda node: 1 if node is plain else 0) == [plain]


def test_each_tenant_has_a_tree_of_its_own_that_goes_with_its_last_block() -> None:
    pool = BlockPool(2)
    kept = {
        tenant: pool.keep(None, block, tokens_of(1), runs_of(0), "ada", tenant)
        for tenant, block in zip(("acme", "zeta"), pool.take(2), strict=True)
    }
    for tenant, node in kept.items():
        assert node is not None
        assert pool.match((*tokens_of(1), 0), any_node, tenant) == [node]
        pool.release([node, node])
    assert pool.match((*tokens_of(1), 0), any_node) == []
    pool.give_back(pool.take(2))
    assert [pool.match((*tokens_of(1), 0), any_node, tenant) for tenant in kept] == [[], []]
    assert pool.available == 2
