"""`python -m benchmarks`: it runs, leaves out missing peers, and its page has every measurement."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from benchmarks import page, plots

if TYPE_CHECKING:
    from benchmarks.run import ComparisonOfRun, FigureOfRun, Run

HOUSE = Path(__file__).parents[3]


def figure(server: str, *rounds: float, lost: int = 0) -> FigureOfRun:
    median = sorted(rounds)[len(rounds) // 2]
    return {"server": server, "median": median, "rounds": list(rounds), "lost": lost, "ratios": {}}


def comparison(name: str = "ping") -> ComparisonOfRun:
    return {
        "name": name,
        "title": "One line & one answer: CPU time",
        "unit": "µs",
        "figures": [figure("corepool", 8, 9, 12), figure("<redis>", 7, 8, 9), figure("uvloop", 8, 10, 11)],
        "targets": [
            {"server": "corepool", "peer": "<redis>", "at_most": 1.1, "measured": 1.21, "reached": False},
            {"server": "corepool", "peer": "uvloop", "at_most": 1.0, "measured": 0.93, "reached": True},
        ],
        "picture": "",
    }


@pytest.fixture
def run() -> Run:
    return {
        "date": "2026-01-31T12:00:00+00:00",
        "machine": {"processor": "A & B", "cores": 2, "python": "3.11.7 (main)"},
        "quick": False,
        "missing": {"bjoern": "pip install bjoern"},
        "comparisons": [comparison(name) for name in page.SUMMARY],
    }


def texts(svg: str) -> list[str]:
    return list(ET.fromstring(svg).itertext())  # noqa: S314 - our own


def test_a_plot_has_every_server_ratio_and_missed_target() -> None:
    svg = plots.plot(comparison())

    assert {"corepool", "<redis>", "uvloop", "9 µs", "8 µs", "10 µs"} <= set(texts(svg))
    missed = [element.text for element in ET.fromstring(svg).iter() if element.get("class") == "missed"]  # noqa: S314
    assert missed == ["1.21 \N{MULTIPLICATION SIGN} <redis>"]
    assert "0.93 \N{MULTIPLICATION SIGN} uvloop" in texts(svg)
    assert "wanted: at most 1.10 of <redis>" in texts(svg)


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    bars = [element for element in ET.fromstring(plots.plot(comparison())).iter() if element.tag.endswith("rect")]  # noqa: S314

    widths = [float(bar.get("width", "")) for bar in bars]
    assert widths[0] / widths[1] == pytest.approx(9 / 8, rel=0.01)
    assert [bar.get("class") for bar in bars] == ["ours", "peer", "peer"]


def test_the_page_has_the_machine_all_comparisons_and_those_left_out(run: Run, tmp_path: Path) -> None:
    run["comparisons"][1]["figures"][0]["lost"] = 3
    page.write(run, tmp_path)

    html = (tmp_path / page.PAGE).read_text()
    assert html.count("<svg") == len(run["comparisons"])
    assert [words for words in ("A &amp; B", "bjoern", "pip install bjoern", "3 were lost") if words not in html] == []
    assert json.loads((tmp_path / page.JSON).read_text()) == run
    assert (tmp_path / "kv-get.svg").is_file()


def test_the_summary_has_each_kind_of_work_once(run: Run, tmp_path: Path) -> None:
    page.publish(run, tmp_path)

    assert texts((tmp_path / "speed.svg").read_text()).count("corepool") == len(page.SUMMARY)


def test_half_a_run_publishes_no_summary(run: Run, tmp_path: Path) -> None:
    half = copy.deepcopy(run)
    del half["comparisons"][0]

    page.publish(half, tmp_path)

    assert list(tmp_path.iterdir()) == []


def benchmarks(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({} if path is None else {"PATH": path})
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(  # noqa: S603 - our own words
        command, cwd=HOUSE, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_it_measures_and_writes_what_it_has_measured(tmp_path: Path) -> None:
    done = benchmarks("ping", "--quick", "--server", "bare epoll", "--to", str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "bare epoll" in done.stdout
    (measured,) = json.loads((tmp_path / page.JSON).read_text())["comparisons"]
    assert [len(each["rounds"]) for each in measured["figures"]] == [3]
    assert "bare epoll" in texts((tmp_path / "ping.svg").read_text())


def test_missing_programs_are_named_and_end_nothing(tmp_path: Path) -> None:
    done = benchmarks("ping", "churn", "--quick", "--to", str(tmp_path), path=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "left out: redis; to install it: apt-get install redis-server" in done.stderr
    assert "left out: the case ping; to install it: apt-get install redis-tools" in done.stderr
    assert "left out: the case churn; to install it: apt-get install gcc" in done.stderr
    assert "apt-get install redis-tools" in (tmp_path / page.PAGE).read_text()


def test_only_the_wanted_rows_are_measured(tmp_path: Path) -> None:
    done = benchmarks("ping", "memory", "--quick", "--row", "ping", "--server", "uvloop", "--to", str(tmp_path))

    assert done.returncode == 0, done.stderr
    measured = json.loads((tmp_path / page.JSON).read_text())["comparisons"]
    assert [each["name"] for each in measured] == ["ping"], "and not idle connections, which have that server, too"


def test_a_row_of_no_such_name_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    done = benchmarks("memory", "kv", "--row", "idle conections", "--to", str(tmp_path))

    assert done.returncode == 1
    assert "no row of these cases is named 'idle conections'; there are: 'idle connections', " in done.stderr
    assert "'idle workers', 'kv get'," in done.stderr


def test_a_server_of_no_such_name_is_an_error(tmp_path: Path) -> None:
    done = benchmarks("ping", "--quick", "--server", "rediss", "--to", str(tmp_path))

    assert done.returncode == 1
    assert "no server of these cases is named rediss" in done.stderr
