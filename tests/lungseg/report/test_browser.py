"""The page in headless Chromium, driven by the DevTools protocol over a pipe."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from lungseg.report import write_report

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    "",
)
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
_PATIENCE = 60.0


class Page:
    """One page of Chromium, driven by the DevTools protocol over a pipe."""

    def __init__(self, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        # The protocol is spoken on descriptors 3 and 4, which only the shell can give a child.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (to_browser, from_browser)]
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{ends[0]} 4>&{ends[1]}', CHROMIUM, *_FLAGS,
             f"--user-data-dir={profile}", "about:blank"],
            pass_fds=ends, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (to_browser, from_browser, *ends):
            os.close(end)
        self._buffer = b""
        self._number = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and give its result; events that come meanwhile are kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": arguments}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, path: Path) -> None:
        """Go to a file and wait until all of it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not self.of("Page.loadEventFired"):
            self.events.append(self._next())

    def of(self, method: str) -> list[dict[str, Any]]:
        """Arguments of the events of one kind since the page was opened."""
        return [event["params"] for event in self.events if event.get("method") == method]

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def look(self, width: int, *, dark: bool = False) -> None:
        """Show the page on a screen of this width in CSS px."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
            mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def close(self) -> None:
        """End the browser."""
        self._session = ""
        self.call("Browser.close")
        self._process.wait(_PATIENCE)
        os.close(self._write)
        os.close(self._read)

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + _PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            assert ready, "Chromium does not answer"
            part = os.read(self._read, 1 << 20)
            assert part, "Chromium has ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, write_run: Callable[..., str]) -> Iterator[Page]:
    """The report of a fabricated run, opened."""
    if not CHROMIUM:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    folder = tmp_path_factory.mktemp("report")
    hostile = {
        "case_id": '<script>document.title="hit"</script>',
        "finding": '"><img src=x:y onerror=alert(1)>',
    }
    run = write_run(folder / "run", models=("unet", "resunet"), facts={0: hostile})
    write_report([run], str(folder / "out"), resamples=200)
    found = Page(tmp_path_factory.mktemp("chromium"))
    found.look(1280)
    found.open(folder / "out" / "index.html")
    yield found
    found.close()


def test_nothing_is_fetched_and_nothing_complains(page: Page) -> None:
    """Runs first: it looks at what opening the page has caused."""
    asked = [event["request"]["url"] for event in page.of("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith("data:")] == [page.run("location.href")]
    for kind in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
        assert page.of(kind) == []


def test_texts_of_the_data_do_nothing(page: Page) -> None:
    assert page.run("document.title") != "hit"
    assert page.run("document.querySelectorAll('script').length") == 1
    assert page.run("[...document.images].every(image => image.src.startsWith('data:'))")


def test_every_image_loads(page: Page) -> None:
    states = page.run("[...document.images].map(image => image.complete && image.naturalWidth > 0)")
    assert len(states) > 20
    assert all(states)


def test_every_anchor_leads_somewhere(page: Page) -> None:
    lost = page.run(
        "[...document.querySelectorAll('a')].map(link => link.getAttribute('href'))"
        ".filter(href => !document.getElementById(href.slice(1)))"
    )
    assert lost == []


_PLACE = """(header => [...document.querySelector("table[data-sortable]").tHead.rows[0].cells]
  .findIndex(cell => cell.textContent.replace(/\\s+/g, " ") === header))"""


def _column(page: Page, header: str) -> list[str]:
    """Cells of the shown rows of the case table."""
    place = f"{_PLACE}({json.dumps(header)})"
    rows = "[...document.querySelectorAll('table[data-sortable] tbody tr:not([hidden])')]"
    return page.run(f"{rows}.map(row => row.cells[{place}].textContent.trim())")


def _click(page: Page, header: str) -> None:
    place = f"{_PLACE}({json.dumps(header)})"
    page.run(f"document.querySelectorAll('table[data-sortable] th button')[{place}].click()")


def _filter(page: Page, text: str) -> None:
    page.run(
        f"""(() => {{
          const input = document.querySelector("input[type=search]");
          input.value = {json.dumps(text)};
          input.dispatchEvent(new Event("input"));
        }})()"""
    )


def test_case_table_sorts_by_number(page: Page) -> None:
    before = _column(page, "HD95 ResUNet")
    _click(page, "HD95 ResUNet")
    rising = [float(cell) for cell in _column(page, "HD95 ResUNet")]
    assert rising == sorted(float(cell) for cell in before)
    _click(page, "HD95 ResUNet")
    assert [float(cell) for cell in _column(page, "HD95 ResUNet")] == rising[::-1]
    marks = page.run("[...document.querySelectorAll('th[aria-sort]')].map(cell => cell.ariaSort)")
    assert marks == ["descending"]


def test_case_table_sorts_by_text_and_puts_unknown_last(page: Page) -> None:
    _click(page, "Case")
    names = _column(page, "Case")
    assert names == sorted(names, key=str.lower)
    _click(page, "Age")
    ages = _column(page, "Age")
    known = [cell for cell in ages if cell != "–"]
    assert ages == [*sorted(known, key=float), *["–"] * (len(ages) - len(known))]
    assert "–" in ages


def test_case_table_filters(page: Page) -> None:
    every = len(_column(page, "Case"))
    _filter(page, "shenzhen normal")
    assert set(_column(page, "Source")) == {"Shenzhen"}
    assert set(_column(page, "Finding")) == {"normal"}
    shown = len(_column(page, "Case"))
    assert page.run("document.querySelector('.filter [role=status]').textContent") == (
        f"{shown} of {every}"
    )
    _filter(page, "no such words")
    assert _column(page, "Case") == []
    _filter(page, "")
    assert len(_column(page, "Case")) == every


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_screen(page: Page, width: int, dark: bool) -> None:
    page.look(width, dark=dark)
    assert page.run("document.documentElement.scrollWidth") <= width
    ground = page.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(ground) < 100) == dark


def test_page_is_whole_without_scripts(page: Page) -> None:
    """Last: the page is opened again."""
    address = page.run("location.href")
    rows = "document.querySelectorAll('table[data-sortable] tbody tr').length"
    before = page.run(rows)
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.open(Path(unquote(urlsplit(address).path)))
    assert page.run("document.querySelectorAll('input, button').length") == 0
    assert page.run(rows) == before
