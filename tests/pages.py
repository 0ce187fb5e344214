"""The fenced blocks of the documentation's pages."""

import dataclasses
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
      language: word behind the fence.
      body: its lines.
      line: number of the first of them in the page.
      output: what it prints, where a block of text follows at once, else None.
    """

    language: str
    body: str
    line: int
    output: str | None = None


def blocks(page):
    """Return the blocks of a page in their order, outputs joined to their programs."""
    text, found, end = page.read_text(), [], 0
    for match in _FENCE.finditer(text):
        language, body = match.groups()
        if language == "text" and not text[end : match.start()].strip():
            found[-1] = dataclasses.replace(found[-1], output=body)
        else:
            line = text[: match.start(2)].count("\n") + 1
            found.append(Block(language, body, line))
        end = match.end()
    return found
