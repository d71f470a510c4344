"""The report of conflicts works in a real browser, without a network, with many conflicts."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import browser
from ck3parse.index.answers import Conflict, Place, Wins
from ck3parse.index.html_report import RuleText, html_report
from polling import wait_until

SOURCES = ["The game", "Fair & <b>Square</b>", 'Kings "R" Us', "</script><script>evil = 1</script>"]
RULES = [
    RuleText("default", "high", "wiki", "Nothing is left."),
    RuleText("gui_types", "high", "wiki", ""),
    RuleText("landed_titles", "low", "guess", "<img src=x onerror='evil = 2'>"),
]
ODD = "x'\"<script>evil = 3</script>&amp;\u2028"


def conflict(
    name: str,
    kind: str = "trait",
    rule: str = "default",
    wins: Wins = "last",
    certainty: str = "high",
    *,
    over: tuple[int, int] = (1, 0),
    equal: bool = False,
) -> Conflict:
    winner, loser = (
        Place(SOURCES[source], f"common/{kind}s/{source}_f.txt", f"/{source}/f.txt", 1 + source)
        for source in over
    )
    return Conflict(name, kind, rule, wins, certainty, wins != "merge", winner, loser, equal)


FEW = [
    conflict("brave"),
    conflict("craven", over=(2, 0)),
    conflict("same", equal=True),
    conflict("yearly", "on_action", "default", "merge"),
    conflict("button", "gui_type", "gui_types", "first"),
    conflict("k_bohemia", "title", "landed_titles", certainty="low", over=(3, 2)),
    conflict(ODD, over=(3, 1)),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """Open a page that collects what must not happen: errors, and requests to a network."""
    context = chromium.new_context(color_scheme="light", viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.extend([said.text] * (said.type == "error")))
    opened.on("request", lambda asked: wrong.extend([asked.url] * asked.url.startswith("http")))
    yield opened
    context.close()
    assert wrong == []


def open_report(page: Any, folder: Path, conflicts: list[Conflict], hash_: str = "") -> None:
    text = html_report(
        conflicts, title="Conflicts of <my> playset", about="4 mods.", sources=SOURCES, rules=RULES
    )
    path = folder / "report.html"
    path.write_text(text, "utf-8")
    page.goto(path.as_uri() + hash_)


def names(page: Any) -> list[str]:
    found: list[str] = page.locator("summary .name").all_text_contents()
    return found


def headings(page: Any) -> list[str]:
    found: list[str] = page.locator("h2").all_text_contents()
    return [re.sub(r"\s+", " ", each) for each in found]


def wait_for(page: Any, condition: str) -> None:
    # Playwright's own way evaluates a text in the page, which the page forbids.
    wait_until(lambda: page.evaluate(condition), 20, condition)


def wait_for_texts(located: Any, texts: list[str]) -> None:
    # The page fills a row that is opened a moment after the click.
    wait_until(lambda: located.all_text_contents() == texts, 20, f"the page shows {texts}")


def test_what_it_shows(page: Any, tmp_path: Path) -> None:
    open_report(page, tmp_path, FEW)
    assert page.title() == "Conflicts of <my> playset"
    assert headings(page) == [
        f"{SOURCES[3]} over {SOURCES[2]} 1 conflict",
        f"{SOURCES[3]} over {SOURCES[1]} 1 conflict",
        f"{SOURCES[2]} over {SOURCES[0]} 1 conflict",
        f"{SOURCES[1]} over {SOURCES[0]} 3 conflicts",
    ]
    assert names(page) == ["k_bohemia", ODD, "craven", "button", "yearly", "brave"]
    assert page.locator("#count").text_content() == (
        "6 of 7 conflicts; 1 with equal contents are left out"
    )


def test_texts_are_texts(page: Any, tmp_path: Path) -> None:
    open_report(page, tmp_path, FEW)
    for summary in page.locator("summary").all():
        summary.click()
    details = page.locator("details", has_text="k_bohemia").first
    wait_until(
        lambda: "<img src=x onerror='evil = 2'>" in details.text_content(), 20, "a rule's note"
    )
    assert page.evaluate("typeof evil") == "undefined"
    assert page.locator("main img, main b, main script").count() == 0


def test_what_a_row_opens(page: Any, tmp_path: Path) -> None:
    open_report(page, tmp_path, FEW)
    row = page.locator("details", has_text="brave")
    row.locator("summary").click()
    places = [
        "winsFair & <b>Square</b>: common/traits/1_f.txt:2",
        "losesThe game: common/traits/0_f.txt:1",
    ]
    wait_for_texts(row.locator(".place"), places)
    assert row.locator("p").all_text_contents() == [
        "Rule default: the one read last wins. Certainty: high; source: wiki. Nothing is left.",
        "Compare them: ck3parse diff brave --kind trait",
    ]
    merged = page.locator("details", has_text="yearly")
    merged.locator("summary").click()
    wait_for_texts(merged.locator(".tag"), ["one", "another"])


def test_filters(page: Any, tmp_path: Path) -> None:
    open_report(page, tmp_path, FEW)
    options = page.locator("#kind option").all_text_contents()
    assert options == ["All kinds", "trait (3)", "gui_type (1)", "on_action (1)", "title (1)"]
    page.select_option("#kind", "trait")
    assert names(page) == [ODD, "craven", "brave"]
    page.select_option("#pair", f"{SOURCES[2]} over {SOURCES[0]}")
    assert names(page) == ["craven"]
    page.click("#clear")
    wait_for(page, "document.querySelectorAll('summary').length === 6")
    page.select_option("#certainty", "low")
    assert names(page) == ["k_bohemia"]
    page.select_option("#certainty", "")
    page.select_option("#rule", "gui_types")
    assert names(page) == ["button"]
    page.click("#clear")
    wait_for(page, "document.querySelectorAll('summary').length === 6")
    page.check("#equal")
    assert "same" in names(page)
    assert "trait (4)" in page.locator("#kind option").all_text_contents()


def test_search(page: Any, tmp_path: Path) -> None:
    open_report(page, tmp_path, FEW)
    page.fill("#text", "AVE traits/")
    wait_for(page, "document.querySelectorAll('summary').length === 2")
    assert names(page) == ["craven", "brave"]
    page.fill("#text", "no such thing")
    page.wait_for_selector(".empty")
    assert page.locator("#count").text_content().startswith("0 of 7 conflicts")


def test_a_link_keeps_the_filters(page: Any, tmp_path: Path) -> None:
    open_report(page, tmp_path, FEW)
    page.select_option("#kind", "trait")
    page.check("#equal")
    page.fill("#text", "a")
    wait_for(page, "location.hash.includes('text=a')")
    assert page.evaluate("location.hash") == "#text=a&kind=trait&equal=1"
    before = names(page)
    page.reload()
    assert names(page) == before
    assert page.input_value("#text") == "a"


def test_keys(page: Any, tmp_path: Path) -> None:
    open_report(page, tmp_path, FEW)
    focused = "document.activeElement.textContent"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused).startswith("k_bohemia")
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused).startswith("craven")
    page.keyboard.press("Enter")
    page.wait_for_selector("details[open] .place")
    page.keyboard.press("k")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "text"


def test_light_and_dark(page: Any, tmp_path: Path) -> None:
    open_report(page, tmp_path, FEW)
    color = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(color)
    page.click("#theme")
    dark = page.evaluate(color)
    assert light != dark
    assert page.locator("#theme").text_content() == "Light"
    page.emulate_media(color_scheme="dark")
    page.reload()
    assert page.evaluate(color) == dark
    page.click("#theme")
    assert page.evaluate(color) == light


def test_a_narrow_screen_does_not_scroll_sideways(page: Any, tmp_path: Path) -> None:
    open_report(page, tmp_path, [*FEW, conflict("a_very_long_name_" * 12)])
    page.set_viewport_size({"width": 360, "height": 700})
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_ten_thousand_conflicts(page: Any, tmp_path: Path) -> None:
    kinds = ["trait", "decision", "event", "building"]
    many = [
        conflict(f"name_{number:05}", kinds[number % 4], over=(2 + number % 2, number % 2))
        for number in range(10_000)
    ]
    open_report(page, tmp_path, many)
    assert len(names(page)) < 1_000  # what is not on the screen is not made yet
    assert "5,000 conflicts" in headings(page)[0]
    page.fill("#text", "name_09999")
    wait_for(page, "document.querySelectorAll('summary').length === 1")
    page.fill("#text", "")
    wait_for(page, "document.querySelectorAll('summary').length >= 200")
    seen = len(names(page))
    page.mouse.wheel(0, 100_000)
    wait_for(page, f"document.querySelectorAll('summary').length > {seen}")
    for _ in range(100):
        page.evaluate("document.querySelector('.rest')?.click()")
    assert len(names(page)) == 10_000
    assert len(set(names(page))) == 10_000


def test_no_conflicts(page: Any, tmp_path: Path) -> None:
    open_report(page, tmp_path, [])
    assert page.locator("#count").text_content() == "0 of 0 conflicts"
    assert page.locator(".empty").count() == 1
