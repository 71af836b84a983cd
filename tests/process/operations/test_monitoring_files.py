"""The dashboard and the alert rules in deploy/ name metrics that a pool has, and labels that they have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from http_client import get
from prometheus_client.parser import text_string_to_metric_families
from sources import metadata, source

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

DEPLOY = Path(__file__).parents[3] / "deploy"
CONFIG = """
[pool]
workers = 1
[[listener]]
name = "admin"
bind = ["tcp://127.0.0.1:0", "badge://127.0.0.1:0?file=name"]
protocol = "admin"
"""
NAME = re.compile(r"\bcorepool_[a-z0-9_]+")
SELECTOR = re.compile(r"\b(corepool_[a-z0-9_]+)\{([^}]*)\}")


@pytest.fixture
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    return found


def test_the_dashboard_and_the_rules_name_metrics_and_labels_that_exist(pool: Pools) -> None:
    plugin = {
        "badge.py": source("plugins/badge.py"),
        **metadata("badge", "[corepool.transports]\nbadge = badge:Badge\n"),
    }
    text = get(pool(CONFIG, files={**plugin, "name": "n"}), "/metrics").body.decode()
    labels = {
        sample.name: set(sample.labels) for family in text_string_to_metric_families(text) for sample in family.samples
    }
    files = [(DEPLOY / name).read_text() for name in ("grafana-dashboard.json", "prometheus-alerts.yml")]
    for content in files:
        used = set(NAME.findall(content))
        assert len(used) > 5
        assert used - labels.keys() == set()
        for name, selected in SELECTOR.findall(content.replace('\\"', '"')):
            asked = set(re.findall(r"([a-z]+)=", selected)) - {"instance"}
            assert asked <= labels[name], name


def test_the_dashboard_is_one_that_grafana_loads(dashboard: dict[str, Any]) -> None:
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= dashboard.keys()
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    variables = {each["name"] for each in dashboard["templating"]["list"]}
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["type"] in {"timeseries", "stat"}
        assert panel["targets"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, "panels lie upon each other"
        taken |= cells
        for target in panel["targets"]:
            expression = target["expr"]
            assert expression.count("(") == expression.count(")")
            assert set(re.findall(r"\$([a-z]+)", expression)) <= variables


def test_each_rule_is_whole() -> None:
    rules = (DEPLOY / "prometheus-alerts.yml").read_text().split("- alert: ")[1:]
    assert len({rule.partition("\n")[0] for rule in rules}) == len(rules) > 5
    for rule in rules:
        assert re.search(r"expr: \".+\"\n +for: \d+[sm]\n +labels:\n +severity: (critical|warning)\n", rule)
        assert re.search(r"summary: \".+\"\n +description: \".+\"\n", rule)


PROMTOOL = shutil.which("promtool") or ""

needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="no promtool; Debian's package prometheus has it")


def promtool(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the arguments are the test's own
        [PROMTOOL, *arguments], input=stdin, capture_output=True, text=True, check=False
    )


@needs_promtool
def test_prometheus_reads_the_rules_and_every_expression_of_the_dashboard(
    dashboard: dict[str, Any], tmp_path: Path
) -> None:
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    plain = [re.sub(r"\$__[a-z_]+", "5m", each).replace("$instance", ".*") for each in expressions]
    rules = [{"record": f"dashboard:{number}", "expr": each} for number, each in enumerate(plain)]
    of_dashboard = tmp_path / "dashboard.yml"  # JSON is YAML
    of_dashboard.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    for file in (DEPLOY / "prometheus-alerts.yml", of_dashboard):
        checked = promtool("check", "rules", str(file))
        assert checked.returncode == 0, checked.stdout + checked.stderr
    of_dashboard.write_text(of_dashboard.read_text().replace("sum by", "sum bye", 1))
    assert promtool("check", "rules", str(of_dashboard)).returncode != 0


@needs_promtool
def test_prometheus_finds_nothing_to_mend_in_the_metrics(pool: Pools) -> None:
    running = pool(CONFIG.replace(', "badge://127.0.0.1:0?file=name"', ""))
    checked = promtool("check", "metrics", stdin=get(running, "/metrics").body.decode())
    assert (checked.returncode, checked.stderr, checked.stdout) == (0, "", "")
