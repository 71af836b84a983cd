"""deploy/kubernetes and deploy/compose: Kubernetes' own schemas, HAProxy, Prometheus and corepool judge the files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import tomli
import yaml
from settings_of import load_settings

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES, COMPOSE = DEPLOY / "kubernetes", DEPLOY / "compose"
KUSTOMIZATION = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
OBJECTS: dict[str, Any] = {
    its["kind"]: its for its in (yaml.safe_load((KUBERNETES / each).read_text()) for each in KUSTOMIZATION["resources"])
}
POD = OBJECTS["Deployment"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
PROMTOOL = shutil.which("promtool") or ""


@pytest.mark.parametrize("version", ["1.29", "1.33", "1.36"])
@pytest.mark.parametrize("kind", OBJECTS)
def test_kubernetes_knows_every_field(kind: str, version: str) -> None:
    kubernetes_validate.validate(OBJECTS[kind], version, strict=True)


def test_kubernetes_knows_no_other_field() -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(OBJECTS["Service"] | {"spec": {"port": 80}}, "1.33", strict=True)


def test_every_file_of_the_kustomization_is_there_and_every_object_is_in_it() -> None:
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    others = {"kustomization.yaml", "prometheus-adapter.yaml"}
    assert {each.name for each in KUBERNETES.iterdir()} == {*KUSTOMIZATION["resources"], *generated["files"], *others}
    (volume,) = [each for each in POD["volumes"] if "configMap" in each]
    assert volume["configMap"]["name"] == generated["name"]
    (image,) = KUSTOMIZATION["images"]
    assert CONTAINER["image"] == image["name"]


def test_names_and_labels_meet() -> None:
    labels = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        OBJECTS["Deployment"]["spec"]["selector"]["matchLabels"],
        OBJECTS["Service"]["spec"]["selector"],
        OBJECTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        OBJECTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector == labels
    ports = {each["name"] for each in CONTAINER["ports"]}
    used = {port["port"] for rule in OBJECTS["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]}
    used |= {each["targetPort"] for each in OBJECTS["Service"]["spec"]["ports"]}
    used |= {CONTAINER[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert used == ports
    assert OBJECTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "shop"


@pytest.mark.parametrize("folder", [KUBERNETES, COMPOSE], ids=lambda each: each.name)
def test_the_pool_listens_where_the_others_look(folder: Path) -> None:
    bound = {
        each.protocol: int(each.bind[0].rpartition(":")[2]) for each in load_settings(folder / "corepool.toml").listener
    }
    if folder is KUBERNETES:
        declared = {each["name"]: each["containerPort"] for each in CONTAINER["ports"]}
        assert bound == {"http": declared["http"], "admin": declared["admin"]}
    else:
        text = (COMPOSE / "haproxy.cfg").read_text()
        assert f"shop:{bound['http']} " in text
        assert f"check port {bound['admin']} " in text
        assert f"agent-port {bound['haproxy-agent']} " in text


def grace_of(folder: Path) -> float:
    """Return the seconds after which the container is killed."""
    if folder is KUBERNETES:
        return float(POD["terminationGracePeriodSeconds"])
    return float(
        yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]["shop"]["stop_grace_period"].removesuffix(
            "s"
        )
    )


@pytest.mark.parametrize("folder", [KUBERNETES, COMPOSE], ids=lambda each: each.name)
def test_a_pod_is_killed_only_after_the_pool_had_its_time(folder: Path) -> None:
    settings = load_settings(folder / "corepool.toml")
    pool_s = max(each.drain_timeout + each.stop_timeout for each in settings.pool)

    assert settings.process.shutdown_delay > 0
    assert grace_of(folder) >= settings.process.shutdown_delay + pool_s + 5


@pytest.mark.parametrize("folder", [KUBERNETES, COMPOSE], ids=lambda each: each.name)
def test_check_finds_no_mistake(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def app(environ, start_response): ...\n")
    shutil.copy(folder / "corepool.toml", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "corepool", "check", "--file-only", "corepool.toml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_container_can_change_nothing() -> None:
    context = CONTAINER["securityContext"]
    assert context == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip
    assert POD["securityContext"]["runAsNonRoot"]
    assert POD["automountServiceAccountToken"] is False
    dockerfile = (DEPLOY / "application" / "Dockerfile").read_text()
    assert f"USER {POD['securityContext']['runAsUser']}:{POD['securityContext']['runAsGroup']}" in dockerfile
    control = CONTAINER["args"][CONTAINER["args"].index("--control") + 1]
    assert control.startswith("/run/")
    assert f'"{control}"' in dockerfile, "the image's own health check looks there"


def test_the_autoscaler_asks_for_metrics_that_the_adapter_makes() -> None:
    rules = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    asked = {each["pods"]["metric"]["name"] for each in OBJECTS["HorizontalPodAutoscaler"]["spec"]["metrics"]}
    assert asked == {each["name"]["as"] for each in rules}
    known = (DEPLOY.parent / "docs" / "reference" / "metrics.md").read_text()
    for rule in rules:
        used = set(re.findall(r"\bcorepool_\w+", rule["seriesQuery"] + rule["metricsQuery"]))
        assert all(f"`{name}`" in known for name in used), used
    pools = {each["name"] for each in tomli.loads((KUBERNETES / "corepool.toml").read_text())["pool"]}
    assert "web" in pools


@pytest.mark.skipif(not PROMTOOL, reason="no promtool; Debian's package prometheus has it")
def test_prometheus_reads_what_the_adapter_asks(tmp_path: Path) -> None:
    rules = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    plain = [
        each["metricsQuery"].replace("<<.GroupBy>>", "pod").replace("<<.LabelMatchers>>", 'namespace="shop"')
        for each in rules
    ]
    file = tmp_path / "rules.yml"
    file.write_text(
        yaml.safe_dump({"groups": [{"name": "a", "rules": [{"record": "r", "expr": each} for each in plain]}]})
    )
    done = subprocess.run([PROMTOOL, "check", "rules", str(file)], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="no haproxy")
def test_haproxy_reads_the_file_of_compose() -> None:
    done = subprocess.run(  # noqa: S603
        ["haproxy", "-c", "-f", str(COMPOSE / "haproxy.cfg")],  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="no docker-compose")
def test_compose_knows_every_key() -> None:
    done = subprocess.run(  # noqa: S603
        ["docker-compose", "--file", str(COMPOSE / "compose.yaml"), "config", "--quiet"],  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_files_that_compose_mounts_and_builds_are_there() -> None:
    services = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    mounted = [mount.split(":")[0] for service in services.values() for mount in service["volumes"]]
    for source in (*mounted, f"{services['shop']['build']}/Dockerfile"):
        assert (COMPOSE / source).exists(), source
