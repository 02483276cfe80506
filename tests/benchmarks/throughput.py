# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests a second an app answers, as a ratio to servers that were tuned by hand: ``make benchmark``.

The app has one line, so that what is measured is the way of a request: nginx, the socket, the server. All servers are on one
host, and take turns, so that only ratios matter. The turns are short and many: what else a machine does is then in both sides
of a ratio. In each round, the turns are in another order.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import time
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Rates:
    """What a server of ours answers a second, what the better one that was tuned by hand does, and how many times that is."""

    ours: float
    tuned: float
    ratio: float


def measure(host: Target, options: argparse.Namespace) -> dict[str, Rates]:
    """The rates of each of ours; a ratio is the median of those of one round."""
    pages = {name: (f"ours-{number}.test", 80) for number, name in enumerate(OURS)}
    pages |= {str(port): ("tuned.test", port) for ports in TUNED.values() for port in ports}
    rates: dict[str, list[float]] = {name: [] for name in pages}
    for _round in range(options.rounds):
        for name, (domain, port) in random.sample(list(pages.items()), len(pages)):
            rates[name].append(per_second(host, domain, port, options.seconds, options.clients))
            time.sleep(0.5)
    found = {}
    for name in OURS:
        better = max((rates[str(port)] for port in TUNED[name]), key=statistics.median)
        ratio = statistics.median(ours / tuned for ours, tuned in zip(rates[name], better))
        found[name] = Rates(statistics.median(rates[name]), statistics.median(better), ratio)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30, help="how often each server has its turn")
    parser.add_argument("--seconds", type=int, default=2, help="how long a turn is")
    parser.add_argument("--clients", type=int, default=16, help="how many connections send requests at once")
    parser.add_argument("--debian", default="13", help="the release of Debian that the host runs")
    parser.add_argument("--host", default="wsgi-stack-throughput", help="the name of the host, which is removed in the end")
    options = parser.parse_args()

    with target(options.host, options.debian, "prepared") as host:
        host.play({"wsgi_apps": apps()})
        host.copy(HERE / "one_line", "/srv/one_line")
        host.copy(HERE / "baseline/tuned.sh", "/root/tuned.sh")
        host.sh("sh /root/tuned.sh /srv/one_line")
        # On a machine with cgroup v1, what the image's services start is in another group than what is started later, and the
        # groups share the processors: after a boot, all servers are in one.
        host.reboot()
        rates = measure(host, options)
    head = ["| server | requests/s | tuned by hand | ratio |", "| --- | --: | --: | --: |"]
    rows = [f"| `{name}` | {rate.ours:.0f} | {rate.tuned:.0f} | {rate.ratio:.2f} |" for name, rate in rates.items()]
    plots = [bars(f"{name}, requests/s", [("wsgi.stack", rate.ours), ("by hand", rate.tuned)]) for name, rate in rates.items()]
    report("throughput.md", "\n".join([*head, *rows, "", "\n\n".join(plots), ""]))


if __name__ == "__main__":
    main()
