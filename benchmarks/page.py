"""The page of a run. `python -m benchmarks.page RUN.json [FOLDER]` writes it anew, without measuring.

`--publish` writes the pictures that the README shows, too.
"""

from __future__ import annotations

import argparse
import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import plots

if TYPE_CHECKING:
    from benchmarks.run import ComparisonOfRun, Run

JSON, PAGE = "run.json", "index.html"
IMAGES = Path(__file__).parent.parent / "docs" / "images"
SUMMARY = (
    "wsgi, differing",
    "wsgi, browser",
    "asgi, differing",
    "asgi, browser",
    "ping",
    "churn",
    "kv get",
    "idle connections",
)
"""The comparisons that the README shows: each kind of work, and first those whose requests differ as real ones do."""

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 800px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.05rem; margin: 2.2rem 0 .4rem }
table { border-collapse: collapse; font-size: .9rem } td { padding: .1rem 1.2rem .1rem 0; vertical-align: top }
svg { max-width: 100%; height: auto } .picture svg { background: #fff; border-radius: 6px }
p { margin: .3rem 0 } .note { color: #777; font-size: .9rem }
"""


def write(run: Run, folder: Path) -> None:
    """Write JSON, page and pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n")
    (folder / PAGE).write_text(page(run))
    for comparison in run["comparisons"]:
        name = comparison["name"].replace(", ", "-").replace(" ", "-")
        (folder / f"{name}.svg").write_text(comparison["picture"] or plots.plot(comparison))


def publish(run: Run, folder: Path = IMAGES) -> None:
    """Write what the README shows, as far as it was measured."""
    measured = {comparison["name"]: comparison for comparison in run["comparisons"]}
    chosen = [measured[name] for name in SUMMARY if name in measured]
    if len(chosen) == len(SUMMARY):
        processor, python = run["machine"]["processor"], str(run["machine"]["python"]).partition(" ")[0]
        title = f"corepool beside its peers, {run['date'][:10]}, {processor}, Python {python}"
        (folder / "speed.svg").write_text(plots.summary(chosen, title))
    if picture := measured.get("reload-and-crash"):
        (folder / "reload-and-crash.svg").write_text(picture["picture"])


def page(run: Run) -> str:
    """Write the page: what it was measured on, then one plot per comparison."""
    machine = "".join(f"<tr><td>{escape(name)}<td>{escape(str(value))}\n" for name, value in run["machine"].items())
    missing = "".join(
        f'<p class="note">Left out: {escape(what)}. To have it: <code>{escape(how)}</code></p>\n'
        for what, how in run["missing"].items()
    )
    quick = '<p class="note">A quick run: to see that all works, not to quote.</p>\n' if run["quick"] else ""
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>corepool: benchmarks of {escape(run["date"][:10])}</title>
<style>{_STYLE}</style>
<h1>corepool beside its peers</h1>
<p>Bars are medians over the rounds, lines reach from the best round to the worst; what corepool's bar should not
exceed is marked. A ratio is the median of the ratios within the rounds: those can be compared with other machines',
the figures themselves can't.</p>
<table>
<tr><td>date<td>{escape(run["date"])}
{machine}</table>
{quick}{missing}
{"".join(map(_section, run["comparisons"]))}</html>
"""


def _section(comparison: ComparisonOfRun) -> str:
    picture = f'<div class="picture">{_bare(comparison["picture"])}</div>\n' if comparison["picture"] else ""
    lost = sum(figure["lost"] for figure in comparison["figures"])
    worthless = f'<p class="note">{lost} were lost: these figures are worthless.</p>\n' if lost else ""
    return f"<h2>{escape(comparison['title'])}</h2>\n{plots.plot(comparison)}{worthless}{picture}"


def _bare(svg: str) -> str:
    """Leave out what only a file of its own may have: the declarations before the drawing."""
    return svg[svg.index("<svg") :]


def main() -> None:
    """Draw a run again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description="Draw a run again.")
    parser.add_argument("run", type=Path, metavar="RUN.json")
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="default: where RUN.json is")
    parser.add_argument("--publish", action="store_true", help="write the pictures of the README, too")
    arguments = parser.parse_args()
    run: Run = json.loads(arguments.run.read_text())
    write(run, arguments.folder or arguments.run.parent)
    if arguments.publish:
        publish(run)


if __name__ == "__main__":
    main()
