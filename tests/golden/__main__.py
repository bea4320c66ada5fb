"""Write the golden files anew; `git diff` then shows what a change to a format does."""

from __future__ import annotations

from tests.golden.cases import CASES, FOLDER, file_name, written


def main() -> None:
    """Write all of them."""
    for old in FOLDER.iterdir():
        old.unlink()
    for name in CASES:
        (FOLDER / file_name(name)).write_bytes(written(name).data)


if __name__ == "__main__":
    main()
