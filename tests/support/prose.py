"""The prose of this repository: docstrings, comments and Markdown, in sentences with their place."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

CODE = re.compile(r"``[^`]*``|`[^`\n]*`|https?://\S+")
FENCE = re.compile(r"^([ \t]*)(```|~~~).*?^\1\2", re.MULTILINE | re.DOTALL)
SENTENCE_ENDS = re.compile(r"[.!?:;](?:\s|$)|\n\s*\n|\n\s*[|*-] ")


@dataclass(frozen=True)
class Passage:
    """A docstring, a block of comments, or a Markdown file; `text` keeps its line breaks."""

    path: Path
    line: int
    text: str
    is_docstring: bool = False

    def line_at(self, place: int) -> int:
        return self.line + self.text.count("\n", 0, place)

    def sentence_at(self, place: int) -> str:
        """Return the sentence around a character, on one line."""
        begin = max((end.end() for end in SENTENCE_ENDS.finditer(self.text, 0, place)), default=0)
        end = SENTENCE_ENDS.search(self.text, place)
        return " ".join(self.text[begin : end.start() + 1 if end else None].split())


def passages(path: Path) -> Iterator[Passage]:
    """Yield the prose of one Python or Markdown file, with code blanked out."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield Passage(path, 1, _blank(CODE, _blank(FENCE, source)))
        return
    for line, text in _docstrings(ast.parse(source)):
        yield Passage(path, line, _blank(CODE, text), is_docstring=True)
    for line, text in _comments(source):
        yield Passage(path, line, _blank(CODE, text))


def _blank(pattern: re.Pattern[str], text: str) -> str:
    """Replace each match by a mark, keeping line breaks so that line numbers stay true."""
    return pattern.sub(lambda match: "`" + "\n" * match[0].count("\n"), text)


def _docstrings(tree: ast.Module) -> Iterable[tuple[int, str]]:
    """Yield every string that stands as a statement: attributes have docstrings here, too."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text)) as constant):
                yield constant.lineno, text


def _comments(source: str) -> Iterable[tuple[int, str]]:
    """Yield each run of comments on successive lines as one text."""
    block: list[str] = []
    begin = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and token.start[0] != last + 1:
            yield begin, "\n".join(block)
            block = []
        if not block:
            begin = token.start[0]
        block.append(token.string.lstrip("#").strip())
        last = token.start[0]
    if block:
        yield begin, "\n".join(block)
