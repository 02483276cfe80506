# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a page in headless Chromium, and prints what it sees as JSON. Runs on a host, where Debian's package has Chromium.

    python3 browser.py PAGE.html DIRECTORY WIDTH:SCHEME...

WIDTH is that of the window in pixels, SCHEME is light or dark. A screenshot of each is written to DIRECTORY.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HEIGHT = 800  # pixels

# What a reader would stumble over: see the keys of the result.
MEASURE = """
(() => {
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => {
        const [r, g, b] = parts(colour).map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const ground = element => {
        for (let each = element; each; each = each.parentElement) {
            const colour = getComputedStyle(each).backgroundColor;
            if (!(parts(colour)[3] === 0)) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const contrast = element => {
        const [a, b] = [getComputedStyle(element).color, ground(element)].map(light).sort((x, y) => y - x);
        return (a + .05) / (b + .05);
    };
    const all = [...document.body.querySelectorAll('*')];
    const texts = all.filter(each => [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()));
    const links = [...document.querySelectorAll('a')];
    const target = link => document.getElementById(decodeURIComponent(link.getAttribute('href').slice(1)));
    const box = element => element.getBoundingClientRect();
    links.find(link => link.closest('nav')).click();
    const reached = box(target(links.find(link => link.closest('nav')))).top;
    return {
        beyond: all.filter(each => box(each).width && box(each).right > WIDTH + 1).map(each => each.outerHTML.slice(0, 80)),
        scrolls: document.documentElement.scrollWidth > WIDTH,
        small: texts.filter(each => parseFloat(getComputedStyle(each).fontSize) < 13).map(each => each.outerHTML.slice(0, 80)),
        pale: texts.filter(each => contrast(each) < 4.5).map(each => each.outerHTML.slice(0, 80)),
        dead: links.filter(link => !link.getAttribute('href').startsWith('#') || !target(link)).map(link => link.href),
        thin: links.filter(link => link.closest('nav') && box(link).height < 24).map(link => link.textContent),
        listed: [...document.querySelectorAll('nav .state')].map(each => each.className.split(' ')[1]),
        sections: [...document.querySelectorAll('section h3')].map(each => each.textContent),
        legend: document.querySelector('summary').textContent,
        reached: reached >= -1 && reached < innerHeight,
        title: document.title,
    };
})()
"""


class Chromium:
    """A headless Chromium that is spoken to over pipes. Protocol: https://chromedevtools.github.io/devtools-protocol/"""

    def __init__(self) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        ends = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (theirs_in, theirs_out)]
        options = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --remote-debugging-pipe --no-first-run"
        command = f"exec chromium-headless-shell {options} about:blank 3<&{ends[0]} 4>&{ends[1]}"
        self._process = subprocess.Popen(["bash", "-c", command], pass_fds=ends, stderr=subprocess.DEVNULL)
        for each in (theirs_in, theirs_out, *ends):
            os.close(each)
        self._number, self._read, self.events = 0, b"", []
        self._session = ""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method and wait for its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def wait(self, event: str) -> None:
        """Wait for an event."""
        while event not in [each["method"] for each in self.events]:
            self._message()

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            chunk = os.read(self._in, 1 << 20)
            if not chunk:
                raise SystemExit("Chromium has ended.")
            self._read += chunk
        first, _end, self._read = self._read.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        if "method" in message:
            self.events.append(message)
        return message

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def look(chromium: Chromium, page: Path, directory: Path, width: int, scheme: str) -> dict[str, Any]:
    """What is seen of a page in a window."""
    chromium.events.clear()
    metrics = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width < 700}
    chromium.ask("Emulation.setDeviceMetricsOverride", **metrics)
    chromium.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    chromium.ask("Page.navigate", url=page.as_uri())
    chromium.wait("Page.loadEventFired")
    shot = chromium.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
    (directory / f"{width}-{scheme}.png").write_bytes(base64.b64decode(shot))
    answer = chromium.ask("Runtime.evaluate", expression=MEASURE.replace("WIDTH", str(width)), returnByValue=True)
    if "exceptionDetails" in answer:
        raise SystemExit(json.dumps(answer["exceptionDetails"]))
    seen: dict[str, Any] = answer["result"]["value"]
    asked = [each["params"]["request"]["url"] for each in chromium.events if each["method"] == "Network.requestWillBeSent"]
    said = [each["params"] for each in chromium.events if each["method"] in ("Log.entryAdded", "Runtime.consoleAPICalled")]
    return {**seen, "asked": asked, "said": said}


def main(page: str, directory: str, *windows: str) -> None:
    chromium = Chromium()
    pairs = [(int(width), scheme) for width, _colon, scheme in (window.partition(":") for window in windows)]
    seen = {f"{width}:{scheme}": look(chromium, Path(page), Path(directory), width, scheme) for width, scheme in pairs}
    json.dump(seen, sys.stdout)
    chromium.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
