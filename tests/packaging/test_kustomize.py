"""deploy/kubernetes as kustomize puts it together: what `kubectl apply -k` would send."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
KUBECTL = shutil.which("kubectl") or ""

OVERLAY = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: staging
nameSuffix: -staging
resources:
  - ../kubernetes
images:
  - name: registry.example/shop
    newTag: "1.1.0"
replicas:
  - name: shop
    count: 1
"""


def build(folder: Path) -> dict[str, Any]:
    """Return the objects by their kinds."""
    done = subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return {its["kind"]: its for its in yaml.safe_load_all(done.stdout)}


@pytest.fixture(scope="module", params=["as it is", "an overlay"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not KUBECTL:
        pytest.skip("no kubectl, which has kustomize: test_kubernetes.py joins the files without it")
    if request.param == "as it is":
        return build(FOLDER)
    folder = tmp_path_factory.mktemp("overlay")
    shutil.copytree(FOLDER, folder / "kubernetes")
    (folder / "staging").mkdir()
    (folder / "staging" / "kustomization.yaml").write_text(OVERLAY)
    return build(folder / "staging")


@pytest.mark.parametrize("version", ["1.29", "1.36"])
def test_kubernetes_knows_every_field_of_the_result(built: dict[str, Any], version: str) -> None:
    for its in built.values():
        kubernetes_validate.validate(its, version, strict=True)


def test_the_configuration_has_a_name_by_its_content(built: dict[str, Any]) -> None:
    its = built["ConfigMap"]
    (volume,) = [each for each in built["Deployment"]["spec"]["template"]["spec"]["volumes"] if "configMap" in each]

    assert re.fullmatch(r"shop-corepool(-staging)?-[a-z0-9]{10}", its["metadata"]["name"])
    assert volume["configMap"]["name"] == its["metadata"]["name"]
    assert its["data"]["corepool.toml"] == (FOLDER / "corepool.toml").read_text()


def test_namespace_image_and_selectors_meet(built: dict[str, Any]) -> None:
    deployment = built["Deployment"]
    template = deployment["spec"]["template"]
    (container,) = template["spec"]["containers"]

    assert len({its["metadata"]["namespace"] for its in built.values()}) == 1
    assert re.fullmatch(r"registry\.example/shop:1\.[01]\.0", container["image"])
    for selector in (
        deployment["spec"]["selector"]["matchLabels"],
        built["Service"]["spec"]["selector"],
        built["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        built["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= template["metadata"]["labels"].items()
    assert built["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
