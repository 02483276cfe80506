# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests a second an app answers, as a ratio to servers that were tuned by hand: ``make benchmark``.

The app has one line, so that what is measured is the way of a request: nginx, the socket, the server. All servers are on one
host, and take turns, so that only ratios matter.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time

from target import HERE, Target, bars, report, target

OURS: dict[str, dict[str, object]] = {
    "uwsgi": {"stack": "uwsgi", "threads": 1},
    "uwsgi_emperor": {"stack": "uwsgi_emperor", "threads": 1},
    "gunicorn_supervisor, sync": {"stack": "gunicorn_supervisor", "threads": 1},
    "gunicorn_supervisor, gthread": {"stack": "gunicorn_supervisor", "threads": 4},
}
"""What is measured: the keys of each app."""

TUNED = {
    "uwsgi": (8101, 8102),
    "uwsgi_emperor": (8101, 8102),
    "gunicorn_supervisor, sync": (8103,),
    "gunicorn_supervisor, gthread": (8104,),
}
"""The ports of baseline/tuned.sh that each is compared with; the better one counts."""


def apps() -> list[dict[str, object]]:
    return [
        {
            "name": f"ours-{number}",
            "domains": [f"ours-{number}.test"],
            "source": {"directory": str(HERE / "one_line")},
            "entry_point": "app:app",
            "processes": 2,
            **keys,
        }
        for number, keys in enumerate(OURS.values())
    ]


def per_second(host: Target, domain: str, port: int, seconds: int, clients: int) -> float:
    """The requests a second that one page answers.

    :raises SystemExit: a request failed
    """
    options = f"-z {seconds}s -c {clients} -host {domain}"
    output = host.sh(f"hey {options} http://127.0.0.1:{port}/")
    statuses = set(re.findall(r"\[(\d{3})\]\s+\d+ responses", output))
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if statuses != {"200"} or "Error distribution" in output or not rate:
        raise SystemExit(f"{domain}:{port} failed requests:\n{output}")
    return float(rate[1])


def measure(host: Target, options: argparse.Namespace) -> dict[str, tuple[float, float]]:
    """What each of ours answers a second, and the best that was tuned by hand."""
    pages = {name: (f"ours-{number}.test", 80) for number, name in enumerate(OURS)}
    pages |= {str(port): ("tuned.test", port) for ports in TUNED.values() for port in ports}
    rates: dict[str, list[float]] = {name: [] for name in pages}
    for _round in range(options.rounds):
        for name, (domain, port) in pages.items():
            rates[name].append(per_second(host, domain, port, options.seconds, options.clients))
            time.sleep(0.5)
    middle = {name: statistics.median(found) for name, found in rates.items()}
    return {name: (middle[name], max(middle[str(port)] for port in TUNED[name])) for name in OURS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each server has its turn")
    parser.add_argument("--seconds", type=int, default=4, help="how long a turn is")
    parser.add_argument("--clients", type=int, default=16, help="how many connections send requests at once")
    parser.add_argument("--debian", default="13", help="the release of Debian that the host runs")
    parser.add_argument("--host", default="wsgi-stack-throughput", help="the name of the host, which is removed in the end")
    options = parser.parse_args()

    with target(options.host, options.debian, "prepared") as host:
        host.play({"wsgi_apps": apps()})
        host.copy(HERE / "one_line", "/srv/one_line")
        host.copy(HERE / "baseline/tuned.sh", "/root/tuned.sh")
        host.sh("sh /root/tuned.sh /srv/one_line")
        time.sleep(2)
        rates = measure(host, options)
    head = ["| server | requests/s | tuned by hand | ratio |", "| --- | --: | --: | --: |"]
    rows = [f"| `{name}` | {ours:.0f} | {best:.0f} | {ours / best:.2f} |" for name, (ours, best) in rates.items()]
    plots = [bars(f"{name}, requests/s", [("wsgi.stack", ours), ("by hand", best)]) for name, (ours, best) in rates.items()]
    report("throughput.md", "\n".join([*head, *rows, "", "\n\n".join(plots), ""]))


if __name__ == "__main__":
    main()
