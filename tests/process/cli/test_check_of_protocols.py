"""`corepool check` on listeners with several protocols: lists in which one would never be chosen, and odd keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from sources import metadata

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Corepool

TOML = """[pool]
workers = 1
[[listener]]
name = "all"
bind = "tcp://127.0.0.1:0"
{lines}
"""
ODD = """
from corepool import hookimpl
class Base:
    @hookimpl
    def on_readable(self, conn):
        conn.send(conn.recv())
class Greedy(Base):
    def matches(self, data):
        return True
"""
POINTS = "[corepool.protocols]\ngreedy = odd:Greedy\n"
KV = '[listener.protocol_options.kv]\nstore = "memory:"'


def check(corepool: Corepool, folder: Path, lines: str) -> str:
    (folder / "corepool.toml").write_text(TOML.format(lines=lines))
    for name, text in {"odd.py": ODD, **metadata("odd", POINTS)}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    done = corepool("check")
    assert done.returncode != 0, done.stdout
    return done.stderr


@pytest.mark.parametrize(
    ("lines", "mistake"),
    [
        ("", "corepool.toml:3: listener[0].protocol: missing; it has no default"),
        ("protocols = []", "corepool.toml:6: listener[0].protocols: expected at least 1 item"),
        (
            f'protocols = ["kv", "echo"]\n{KV}',
            'it has no `matches`, and only the default can do without one: default = "echo"',
        ),
        (
            f'protocols = ["greedy", "kv"]\n{KV}',
            "= \"kv\": 'greedy' before it matches every connection; put that one last",
        ),
        (
            f'protocols = ["kv", "echo"]\ndefault = "ehco"\n{KV}',
            "toml:7: listener[0].default = \"ehco\": it is not one of listener[0].protocols (did you mean 'echo'?)",
        ),
        (
            f'protocols = ["kv", "echo"]\ndefault = "echo"\n{KV}\n[listener.protocol_options.http]\nroot = "."',
            "corepool.toml:10: listener[0].protocol_options.http: it is not among the protocols of this listener",
        ),
        (
            f'protocols = ["kv", "kv", "echo"]\ndefault = "echo"\n{KV}',
            'corepool.toml:6: listener[0].protocols[1] = "kv": it is there already',
        ),
        (
            f'protocol = "echo"\nprotocols = ["kv", "echo"]\ndefault = "echo"\n{KV}',
            "corepool.toml:7: listener[0].protocols: there is listener[0].protocol as well; put it among them",
        ),
        (
            f'protocols = ["kv", "echo"]\ndefault = "echo"\n{KV}\n[listener.options]\nx = 1',
            "corepool.toml:10: listener[0].options: of which protocol? write listener[0].protocol_options.NAME",
        ),
        (
            'protocol = "echo"\n[listener.protocol_options.echo]\nx = 1',
            "listener[0].protocol_options.echo: with `protocol` its options are listener[0].options",
        ),
        (
            f'protocols = ["kv", "nonesuch"]\n{KV}',
            "corepool.toml:6: listener[0].protocols[1]: no protocol named 'nonesuch'",
        ),
        (
            'protocols = ["kv", "echo"]\ndefault = "echo"\n[listener.protocol_options.kv]\nstore = "x"',
            'corepool.toml:9: listener[0].protocol_options.kv.store = "x": expected NAME:PLACE',
        ),
    ],
)
def test_a_mistake_has_its_line(corepool: Corepool, tmp_path: Path, lines: str, mistake: str) -> None:
    assert mistake in check(corepool, tmp_path, lines)


def test_a_right_list_is_printed_so_that_it_reads_back(corepool: Corepool, tmp_path: Path) -> None:
    path = tmp_path / "corepool.toml"
    path.write_text(TOML.format(lines=f'protocols = ["kv", "echo"]\ndefault = "echo"\n{KV}'))
    done = corepool("check")
    assert done.returncode == 0, done.stderr
    path.write_text(done.stdout)
    assert corepool("check").stdout == done.stdout
    told = json.loads(corepool("config", "--json").stdout)
    assert told["listener[0].protocols"]["value"] == ["kv", "echo"]


@pytest.mark.parametrize(
    ("lines", "warnings"),
    [
        ('protocol = "echo"', []),
        (f'protocols = ["kv", "echo"]\ndefault = "echo"\nsniff_timeout = "1s"\n{KV}', []),
        ('protocol = "echo"\naccept_proxy = "::1"\naccept_proxy_timeout = "1s"', []),
        ('protocol = "echo"\nsniff_timeout = "1s"', ["7: listener[0].sniff_timeout: it has no effect"]),
        ('protocols = ["echo"]\nsniff_timeout = "1s"', ["7: listener[0].sniff_timeout: it has no effect"]),
        (
            'protocol = "echo"\naccept_proxy_timeout = "1s"',
            ["7: listener[0].accept_proxy_timeout: it has no effect: no peer is asked for a header"],
        ),
    ],
)
def test_a_timeout_that_nothing_waits_for_is_a_warning(
    corepool: Corepool, tmp_path: Path, lines: str, warnings: list[str]
) -> None:
    (tmp_path / "corepool.toml").write_text(TOML.format(lines=lines))
    done = corepool("check")
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()
    assert len(told) == len(warnings), told
    for line, warning in zip(told, warnings, strict=True):
        assert line.startswith(f"warning: corepool.toml:{warning}")


def test_serve_has_one_protocol_and_says_where_several_are(corepool: Corepool) -> None:
    done = corepool("serve", "http,kv")
    assert done.returncode == 2
    assert "expected one; a file may have several" in " ".join(done.stderr.split())
    assert "--sniff-timeout" not in corepool("serve", "--help").stdout
