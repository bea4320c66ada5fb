"""`python -m tests.benchmarks [NAME ...]`: run all benchmarks, or those that are named."""

from __future__ import annotations

import argparse

from rich.console import Console

from tests.benchmarks import drain


def main() -> None:
    """Run them one after another."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--pair", help="drain: only this one, such as mariadb-postgresql")
    parser.add_argument("--runs", type=int, default=5, help="drain: runs of each pair (default 5)")
    chosen = parser.parse_args()
    drain.benchmark(Console(), chosen.runs, chosen.pair)


if __name__ == "__main__":
    main()
