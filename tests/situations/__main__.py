"""Print every situation with what happens now, as markdown; exit code 1 if one is wrong."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import tests.conftest  # noqa: F401  (the environment of the tests: no network, no cache of the user)
from tests.situations import all_situations


def main(words: list[str]) -> int:
    """Print the table.

    Args:
        words: Names of doors; all of them if empty.

    Returns:
        0 if every row is right, else 1.
    """
    wrong = 0
    sys.stdout.write("| door | input | before | now | right |\n|---|---|---|---|---|\n")
    for door, situations in all_situations().items():
        if words and door not in words:
            continue
        for row in situations:
            with tempfile.TemporaryDirectory() as folder:
                said = _try(row.happens, Path(folder)).replace(f"{folder}/", "")
            is_right = all(piece in said for piece in row.right)
            wrong += not is_right
            cells = (door, row.given, row.once, said, "yes" if is_right else "NO")
            sys.stdout.write(
                "| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |\n"
            )
    sys.stdout.write(f"\n{wrong} wrong\n")
    return 1 if wrong else 0


def _try(happens: Callable[[Path], str], folder: Path) -> str:
    try:
        return happens(folder)
    except Exception as error:  # a row that raises is a wrong row, not the end of the table
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
