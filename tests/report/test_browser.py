"""The report in a browser: no errors, no requests, no sideways scrolling, in light and in dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isthmus.evaluation.results import Comparison
from isthmus.report import write_report

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield found
        found.close()


@pytest.mark.parametrize("kind", ["images", "table", "counts", "minimal"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_report_opens_cleanly(
    browser: Any,
    kind: str,
    scheme: str,
    width: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    comparison: Comparison = request.getfixturevalue(kind)
    path = write_report(comparison, tmp_path / "report.html")
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    noise: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("request", lambda r: requests.append(r.url))
    page.goto(path.as_uri())
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    broken = page.evaluate("[...document.images].filter(i => !i.naturalWidth).length")
    hidden = page.evaluate(
        "[...document.querySelectorAll('.panels.chart svg')]"
        ".filter(s => s.getBoundingClientRect().width > 0 && s.classList.contains('plot'))"
        ".every(s => s.getBoundingClientRect().right <= innerWidth)"
    )
    page.close()
    assert noise == []
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
    assert overflow <= 0
    assert broken == 0
    assert hidden
    channels = [int(c) for c in paper.removeprefix("rgb(").removesuffix(")").split(",")]
    assert (min(channels) > 200) == (scheme == "light")


@pytest.mark.parametrize("kind", ["images", "table", "counts"])
def test_a_report_prints_on_white_paper_with_all_that_it_says(
    browser: Any, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    comparison: Comparison = request.getfixturevalue(kind)
    path = write_report(comparison, tmp_path / "report.html")
    page = browser.new_page(viewport={"width": 700, "height": 900}, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(path.as_uri())
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    content = page.pdf(format="A4")
    page.close()
    assert paper == "rgb(255, 255, 255)"
    assert over <= 0
    assert content.startswith(b"%PDF")
    # Between one page and so many that a figure would stand alone on each.
    assert 2 < content.count(b"/Type /Page\n") < 24
