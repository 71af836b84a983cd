"""docs/kv.md lists the commands of the table. To write the list anew: `python tests/docs/test_kv_page.py`."""

from __future__ import annotations

from pathlib import Path

from corepool_kv.redis.table import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "kv.md"
MARK = "<!-- made from plugins/corepool_kv/redis/table.py; tests/docs/test_kv_page.py says how -->\n"


def made() -> str:
    rows = [f"| `{each.name.decode().upper()}` | {each.group} | {each.summary} |\n" for each in COMMANDS.values()]
    return "".join(["\n| command | group | what it does |\n|---|---|---|\n", *rows])


def test_the_list_of_commands_is_that_of_the_table() -> None:
    assert PAGE.read_text().partition(MARK)[2] == made()


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text().partition(MARK)[0] + MARK + made())
