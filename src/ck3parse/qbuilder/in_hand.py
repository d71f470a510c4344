"""The items that a build has claimed and not ended yet, by what happens to them next."""

from ck3parse.qbuilder.build_queue import Item
from ck3parse.qbuilder.lookup_order import LookupOrder
from ck3parse.qbuilder.outcome import Failure, Postponed, Unavailable
from ck3parse.qbuilder.parsing import Parsing
from ck3parse.qbuilder.writer import Tree


class EqualContents:
    """Of items with equal contents, the first one leads, and the others wait for it.

    If it fails, they go back to the queue, and so the first one leads again, until it has used up
    its attempts.
    """

    def __init__(self) -> None:
        self._leaders: dict[str, Item] = {}
        """By content hash: the first of the items with it, in hand."""
        self._followers: dict[str, list[Item]] = {}
        """By content hash: the items that wait for their leader."""

    def __len__(self) -> int:
        """Return how many items wait."""
        return sum(map(len, self._followers.values()))

    def lead(self, item: Item) -> None:
        """Have an item lead."""
        self._leaders[item.content_hash] = item

    def follow(self, item: Item) -> Item | None:
        """Have an item wait for the one that leads.

        Returns:
            The one that leads, or `None` if none does.
        """
        if leader := self._leaders.get(item.content_hash):
            self._followers.setdefault(item.content_hash, []).append(item)
        return leader

    def waiting_for(self, item: Item) -> list[Item]:
        """Return the items that wait for this one."""
        if self._leaders.get(item.content_hash) is not item:
            return []
        return self._followers.get(item.content_hash, [])

    def urgency(self, item: Item) -> int:
        """Return the highest priority among an item and those that wait for it."""
        return max(item.priority, *(later.priority for later in self.waiting_for(item)), 0)

    def drop(self, item: Item) -> list[Item]:
        """Forget an item and those that waited for it; return them."""
        if self._leaders.get(item.content_hash) is not item:
            return []
        del self._leaders[item.content_hash]
        return self._followers.pop(item.content_hash, [])


class InHand:
    """The items in hand.

    Args:
        parsing: those whose files are being parsed.

    Attributes:
        claimed: those of which it is not decided yet what to do with them.
        parsing: those whose files are being parsed.
        contents: those that wait for another with equal content.
        lookups: those with a step that is one of qbuilder's own functions.
        ready: what the next transaction ends; an `Item` needs nothing but to be completed.
    """

    def __init__(self, parsing: Parsing) -> None:
        self.claimed: list[Item] = []
        self.parsing = parsing
        self.contents = EqualContents()
        self.lookups = LookupOrder()
        self.ready: list[Tree | Failure | Unavailable | Postponed | Item] = []

    def has_others(self) -> bool:
        """Return whether an item without a priority is in hand."""
        entries = (*self.claimed, *self.lookups.ready, *self.ready)
        items = (entry if isinstance(entry, Item) else entry.item for entry in entries)
        return self.parsing.has_others() or any(item.priority <= 0 for item in items)

    def __len__(self) -> int:
        """Return how many items are in hand."""
        here = len(self.claimed) + len(self.ready) + len(self.lookups)
        return here + len(self.parsing) + len(self.contents)
