"""Where a folder is pushed to, checked before anything is asked or sent."""

import re
from dataclasses import dataclass
from typing import Final

from hub_models.errors import ConfigError, shortened

_REPO_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
READMES: Final = ("hub", "folder")


@dataclass(frozen=True)
class Destination:
    """Where a folder is pushed to.

    Attributes:
        repo_id: "owner/name"; made if the hub lacks it.
        private: Whether nobody else may see it; a public repository is refused, not changed.
        revision: Branch, made if missing; the default branch if None.
        create_pr: Open a pull request instead of changing the branch.
        token: As in huggingface_hub.
        readme: Whose README.md counts where people wrote one on both sides: "hub" (the hub's words
            with our results) or "folder"; such a push is refused if None.
    """

    repo_id: str
    private: bool = False
    revision: str | None = None
    create_pr: bool = False
    token: str | bool | None = None
    readme: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no hub could do."""
        if not _REPO_ID.fullmatch(self.repo_id):
            raise ConfigError(f"repo_id must be like owner/name, not {shortened(self.repo_id)!r}")
        if self.readme not in (None, *READMES):
            raise ConfigError(f"readme must be one of {', '.join(READMES)}, not {self.readme!r}")
        if self.create_pr and self.revision:
            raise ConfigError(
                f"create_pr opens its own branch: revision {self.revision!r} cannot go with it"
            )
        if self.revision and _COMMIT.fullmatch(self.revision):
            raise ConfigError(f"revision must be a branch; {self.revision} is a commit, and fixed")

    def __str__(self) -> str:
        """Say it as a source."""
        return f"{self.repo_id}@{self.revision}" if self.revision else self.repo_id
