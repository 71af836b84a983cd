"""Snippets on pages work as they stand: modules import, configurations have no mistakes, commands take arguments.

Running files that a page names is left to those who do what the page says: they may need each other.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from certificates import authority_pem, pair, revoked_pem, write_secret
from documents import HOUSE, blocks, pages
from typer.testing import CliRunner

from corepool.cli.app import make_app

if TYPE_CHECKING:
    from documents import Block

LISTENER = '[[listener]]\nname = "echo"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"\n'


def snippets(*languages: str, named: bool = False) -> list[object]:
    return [
        pytest.param(block, id=f"{page.relative_to(HOUSE)}:{block.line}")
        for page in pages()
        for block in blocks(page)
        if block.language in languages and (named or block.file is None)
    ]


@pytest.mark.parametrize("block", snippets("python"))
def test_python_can_be_run(block: Block) -> None:
    exec(compile(block.text, "snippet", "exec"), {"__name__": "snippet"})  # noqa: S102 - the pages' own


@pytest.mark.parametrize("block", snippets("python", named=True))
def test_python_knows_every_name_that_it_uses(block: Block) -> None:
    # What a hook would only find out when it is called.
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select=F", "--output-format=concise", "-"]
    judged = subprocess.run(command, input=block.text, capture_output=True, text=True, check=False)  # noqa: S603 - ours

    assert judged.returncode == 0, judged.stdout


FILES = {
    "fullchain.pem": lambda: pair().certificate,
    "privkey.pem": lambda: pair().key,
    "our-ca.pem": lambda: authority_pem().encode(),
    "our-revoked.pem": revoked_pem,
}
"""Files that pages name in the options of tls."""


@pytest.mark.parametrize("block", snippets("toml"))
def test_configurations_have_no_mistakes(block: Block, tmp_path: Path) -> None:
    toml = block.text
    if "[[listener]]" not in toml:
        # Keys of a listener, or tables beside it.
        toml = toml + LISTENER if toml.startswith(("[", "#")) else LISTENER + toml
    for folder in ("/var/log/corepool/", "/run/", "/etc/ssl/"):  # of the reader's system, not of this one
        toml = toml.replace(folder, f"{tmp_path}/")
    for name in ("fullchain.pem", "privkey.pem", "our-ca.pem", "our-revoked.pem"):
        for path in re.findall(rf"{tmp_path}/[^&\"]*{name}", toml):
            write_secret(Path(path), FILES[name]())
    for path in re.findall(r"certs=([^&\"]+)", toml):
        Path(path).mkdir(exist_ok=True)
        pair().write(Path(path))
    (tmp_path / "corepool.toml").write_text(toml)

    result = CliRunner().invoke(make_app(), ["check", str(tmp_path / "corepool.toml")])

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("block", snippets("sh", "console"))
def test_commands_take_their_arguments(block: Block) -> None:
    group: Any = typer.main.get_command(make_app())
    for line in re.sub(r"\\\n", "", block.text).splitlines():
        for command in re.findall(
            r"(?:^\$ |^|(?<=\$\()|&& |\| )(?:\.venv/bin/)?corepool (.*?)(?: \||(?<!\()\)|$)", line
        ):
            name, *arguments = shlex.split(command, comments=True)
            if name.startswith("-"):
                continue
            group.commands.clear()  # the flags of `serve` are those of its protocol
            group.get_command(None, name, arguments).make_context(name, arguments)
