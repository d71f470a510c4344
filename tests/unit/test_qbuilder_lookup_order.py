"""The order in which items get to qbuilder's own functions."""

from ck3parse.qbuilder.build_queue import Item
from ck3parse.qbuilder.lookup_order import LookupOrder


def item(build_id: int, priority: int = 0) -> Item:
    return Item(build_id, build_id, "E_MIXED", priority, "")


def test_an_item_that_is_not_ready_keeps_its_place() -> None:
    order, first, second = LookupOrder(), item(1), item(2)
    order.add(second)
    order.add(first)
    assert order.make_ready(second)
    assert order.next is None
    assert len(order) == 1
    assert order.make_ready(first)
    assert order.next is first
    order.remove(first)
    assert order.next is second


def test_a_higher_priority_comes_first() -> None:
    order, first, urgent = LookupOrder(), item(1), item(2, 1)
    for each in (first, urgent):
        order.add(each)
        order.make_ready(each)
    assert order.ready == [urgent, first]


def test_what_comes_after_an_item_follows_it_again() -> None:
    order, items = LookupOrder(), [item(number) for number in range(6)]
    for each in items:
        order.add(each)
    for number in (0, 2, 4):
        order.make_ready(items[number])
    assert order.ready_after(items[1]) == [items[2], items[4]]
    order.cut(items[1])
    assert order.ready == [items[0]]
    assert not order.make_ready(items[3])  # the one before it is in the queue
    order.cut(items[3])
    assert order.next is items[0]
    order.remove(items[0])
    for number in (1, 2):
        order.add(items[number])
        assert order.make_ready(items[number])
    assert order.make_ready(items[5])
    assert order.ready == [items[1], items[2], items[5]]
