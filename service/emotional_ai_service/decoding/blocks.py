"""Blocks of the key-value cache: handed out, shared by prompts that begin alike, taken back, counted.

A full block that was computed under a known blend may be kept after its reply, as a node of a tree: its key is its parent,
its tokens and the blends they were computed under. So a prefix is found again only behind exactly the prefix it was
computed behind. Each tenant has a tree of its own: what one asked is found again by no other. Kept blocks that no reply uses
are given away again, least recently used first, leaves before parents.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from emotional_ai_service.decoding.batch import BLOCK
from emotional_ai_service.decoding.blends import ResolvedBlend

Runs = tuple[tuple[int, ResolvedBlend], ...]
"""Blends of a block's positions: (first position within the block, blend), the first at 0."""


@dataclass(eq=False, slots=True)
class Node:
    """A kept block."""

    parent: "Node | None"
    """None of a root."""
    block: int
    tokens: tuple[int, ...]
    runs: Runs
    session: str
    """Whose reply computed it; of a root, whose tree it is."""
    users: int = 0
    """Replies that use it now."""
    children: dict[tuple[int, ...], "list[Node]"] = field(default_factory=dict)


class OutOfBlocks(Exception):
    """More blocks were asked for than are free; nothing was taken."""


class BlockPool:
    """Blocks 0 to size - 1."""

    def __init__(self, size: int) -> None:
        self.size: Final = size
        self._free = list(range(size - 1, -1, -1))
        self._roots: dict[str, Node] = {}
        """By tenant; one that has no children is not kept."""
        self._idle: OrderedDict[Node, None] = OrderedDict()
        """Kept leaves and parents of kept leaves that no reply uses, least recently used first."""

    @property
    def available(self) -> int:
        """Blocks that `take` could hand out."""
        return len(self._free) + len(self._idle)

    @property
    def kept(self) -> int:
        """Blocks kept for later that no reply uses."""
        return len(self._idle)

    def take(self, count: int) -> list[int]:
        """`count` blocks of anybody's old content. Raises OutOfBlocks."""
        if count > self.available:
            raise OutOfBlocks
        while len(self._free) < count:
            self._evict()
        return [self._free.pop() for _ in range(count)]

    def give_back(self, blocks: Sequence[int]) -> None:
        """Takes back blocks that were taken and not kept."""
        self._free.extend(blocks)

    def match(self, tokens: Sequence[int], accept: Callable[[Node], int], tenant: str = "") -> list[Node]:
        """The longest prefix of `tokens` kept for a tenant, in use from now on; `accept` ranks a node, 0 refuses it.

        At least one token is left over, since logits come from computing one.
        """
        found: list[Node] = []
        at = self._roots.get(tenant) or _root()
        for start in range(0, len(tokens) - BLOCK, BLOCK):
            candidates = at.children.get(tuple(tokens[start : start + BLOCK]), [])
            best = max(candidates, key=accept, default=None)
            if best is None or accept(best) == 0:
                break
            found.append(best)
            at = best
        for node in found:
            self._hold(node)
        return found

    def keep(
        self,
        parent: Node | None,
        block: int,
        tokens: tuple[int, ...],
        runs: Runs,
        session: str,
        tenant: str = "",
    ) -> Node | None:
        """Keeps a full block behind `parent`, a node of the tenant, in use from now on; None where the same is kept already.

        The block then belongs to the node and is let go of by `release` alone.
        """
        above = parent or self._roots.setdefault(tenant, _root(tenant))
        siblings = above.children.setdefault(tokens, [])
        if any(sibling.runs == runs for sibling in siblings):
            return None
        node = Node(above, block, tokens, runs, session, users=1)
        siblings.append(node)
        return node

    def release(self, nodes: Sequence[Node]) -> None:
        """A reply that used these nodes, parents first, has ended."""
        for node in reversed(nodes):
            node.users -= 1
            if node.users == 0:
                self._idle[node] = None

    def forget(self, concerned: Callable[[ResolvedBlend], bool]) -> None:
        """Gives up unused kept blocks computed under such a blend, and all behind them."""
        for node in list(self._idle):
            if node in self._idle and any(concerned(blend) for _, blend in node.runs):
                self._drop(node)

    def _hold(self, node: Node) -> None:
        node.users += 1
        self._idle.pop(node, None)

    def _evict(self) -> None:
        leaf = next(node for node in self._idle if not node.children)
        self._drop(leaf)

    def _drop(self, node: Node) -> None:
        """Frees an unused node and what is behind it, which nobody uses either, since replies hold every parent."""
        for siblings in list(node.children.values()):
            for child in list(siblings):
                self._drop(child)
        above = node.parent
        assert above is not None
        siblings = above.children[node.tokens]
        siblings.remove(node)
        if not siblings:
            del above.children[node.tokens]
        if not above.children and above.parent is None:
            del self._roots[above.session]
        del self._idle[node]
        self._free.append(node.block)


def _root(tenant: str = "") -> Node:
    """Before the first block of every prompt of a tenant."""
    return Node(None, -1, (), (), tenant)
