"""Push a checkpoint folder to the hub: `hub-models push`, under training's name.

python -m training.publish RUN/checkpoint REPO_ID [--private --create-pr --dry-run ...]
"""

import sys
from collections.abc import Sequence

from hub_models.cli import main as hub_models


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    return hub_models(["push", *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    sys.exit(main())
