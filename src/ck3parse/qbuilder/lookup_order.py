"""The order in which items get to qbuilder's own functions: that of the queue.

Those functions may write the same rows, so that the last one wins. An item whose file has to be
parsed first keeps its place, and those after it wait.
"""

from bisect import insort

from ck3parse.qbuilder.build_queue import Item


class LookupOrder:
    """The items in hand with a step that is one of qbuilder's own functions."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._ready: set[Item] = set()
        """Those whose other steps are done."""
        self._gone: tuple[int, int] | None = None
        """The place of an item that is in the queue again, until it may have been claimed."""

    def __len__(self) -> int:
        """Return how many items have nothing else left to do."""
        return len(self._ready)

    @property
    def ready(self) -> list[Item]:
        """The items that have nothing else left to do, in order."""
        return [item for item in self._items if item in self._ready]

    @property
    def next(self) -> Item | None:
        """The item whose turn it is, or `None` if there is none, or it is not ready yet."""
        first = self._items[0] if self._items else None
        return first if first in self._ready else None

    def add(self, item: Item) -> None:
        """Give a claimed item its place."""
        insort(self._items, item, key=_place)
        # Items are claimed in order.
        if self._gone and _place(item) >= self._gone:
            self._gone = None

    def make_ready(self, item: Item) -> bool:
        """Note that the other steps of an item are done.

        Returns:
            Whether it has kept its place. If not, it has to be claimed again.
        """
        if self._gone and _place(item) > self._gone:
            self._items.remove(item)
            return False
        self._ready.add(item)
        return True

    def remove(self, item: Item) -> None:
        """Forget an item that has ended."""
        self._items.remove(item)
        self._ready.discard(item)

    def ready_after(self, item: Item) -> list[Item]:
        """Return the items after one that have nothing else left to do."""
        if item not in self._items:
            return []
        return [each for each in self.ready if _place(each) > _place(item)]

    def cut(self, item: Item) -> None:
        """Forget an item that is in the queue again, and `ready_after` it: they follow it again."""
        if item in self._items:
            gone = {item, *self.ready_after(item)}
            self._items = [each for each in self._items if each not in gone]
            self._ready -= gone
            self._gone = _place(item)


def _place(item: Item) -> tuple[int, int]:
    return -item.priority, item.build_id
