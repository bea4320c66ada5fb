"""`python -m tests.benchmarks [NAME ...]`: run all benchmarks, or those that are named."""

from __future__ import annotations

import argparse

from rich.console import Console

from tests.benchmarks import capture_cost, drain, files, latency, snapshot

NAMES = ("capture", "drain", "snapshot", "files", "latency")


def main() -> None:
    """Run them one after another."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)} (all)")
    parser.add_argument("--pair", help="drain, snapshot: only this one, such as mariadb-postgresql")
    parser.add_argument("--runs", type=int, default=5, help="runs of each but latency (default 5)")
    parser.add_argument("--rows", type=int, default=500_000, help="snapshot: how many (500,000)")
    parser.add_argument("--seconds", type=float, default=30.0, help="latency: how long (30)")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(NAMES)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    console = Console(width=120)
    names = chosen.names or NAMES
    if "capture" in names:
        capture_cost.benchmark(console)
    if "drain" in names:
        drain.benchmark(console, chosen.runs, chosen.pair)
    if "snapshot" in names:
        snapshot.benchmark(console, chosen.runs, chosen.rows, chosen.pair)
    if "files" in names:
        files.benchmark(console, chosen.runs)
    if "latency" in names:
        latency.benchmark(console, chosen.seconds)


if __name__ == "__main__":
    main()
