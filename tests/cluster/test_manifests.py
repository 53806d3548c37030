"""Every file in `cluster/` is what its platform takes, and agrees with pyproject.toml."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from jobs.session import CONNECTIONS

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
SCHEMAS = ROOT.parent / "shared" / "schemas"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [
    Requirement(line)
    for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in lines
]
RAY = next(one.specifier for one in REQUIREMENTS if one.name == "ray")
PINNED = dict(
    line.split("==")
    for line in (CLUSTER / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
)
FILES = sorted(path for path in CLUSTER.rglob("*") if path.is_file())
LAUNCHER = sorted((CLUSTER / "ray").glob("*.yaml"))
KUBERAY = [CLUSTER / "kuberay" / name for name in ("raycluster.yaml", "rayjob.yaml")]


def name(path: Path) -> str:
    return str(path.relative_to(CLUSTER))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def unknown(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Keys that a schema does not know: its kind accepts them, and ignores them."""
    if isinstance(value, dict) and "properties" in schema:
        for key, inner in value.items():
            if key in schema["properties"]:
                yield from unknown(inner, schema["properties"][key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from unknown(inner, schema.get("items", {}), f"{path}[{index}]")


def run(tool: str, *arguments: str, text: str | None = None) -> None:
    """Run a checker that lies beside Python; what it finds fails the test."""
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(params=KUBERAY, ids=name)
def kuberay(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """A custom resource of KubeRay's and its schema."""
    resource = load(request.param)
    file = SCHEMAS / f"ray.io-v1-{resource['kind'].lower()}s.json"
    if not file.exists():
        pytest.skip("KubeRay's schemas are not beside this checkout (shared/schemas)")
    assert resource["apiVersion"] == "ray.io/v1"
    return resource, json.loads(file.read_text())


def test_kuberay(kuberay: tuple[dict[str, Any], dict[str, Any]]) -> None:
    resource, schema = kuberay
    jsonschema.validate(resource, schema)
    # Only what is the API server's own.
    assert [key for key in unknown(resource, schema) if not key.startswith(".metadata.")] == []


def test_kuberay_refuses(kuberay: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """A misspelt key deep in a pod, and a wrong type, are found."""
    resource, schema = copy.deepcopy(kuberay)
    container = cluster_of(resource)["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]
    container["livenesProbe"] = container.pop("livenessProbe")
    assert any(key.endswith("livenesProbe") for key in unknown(resource, schema))
    cluster_of(resource)["authOptions"]["mode"] = "tokens"
    with pytest.raises(jsonschema.ValidationError, match="tokens"):
        jsonschema.validate(resource, schema)


def cluster_of(resource: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = resource["spec"]
    return spec.get("rayClusterSpec", spec)


@pytest.mark.parametrize("path", KUBERAY, ids=name)
def test_kuberay_is_secure_and_bounded(path: Path) -> None:
    spec = cluster_of(load(path))
    assert spec["authOptions"] == {"mode": "token", "secretName": "lungseg-token"}
    assert spec["enableInTreeAutoscaling"]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    policy = next(each for each in support() if each["kind"] == "NetworkPolicy")
    for group in groups:
        labels = group["template"]["metadata"]["labels"].items()
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert container["resources"]["limits"].keys() >= {"cpu", "memory"}
            assert container["readinessProbe"]
            assert container["livenessProbe"]
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
    gpus = [
        group["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"]
        for group in spec["workerGroupSpecs"]
    ]
    assert gpus == ["1", "1"]
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]]
    assert claims == [each["metadata"]["name"] for each in support() if "Claim" in each["kind"]]


def support() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((CLUSTER / "kuberay" / "support.yaml").read_text()))


@pytest.mark.parametrize("resource", support(), ids=lambda resource: resource["kind"])
def test_built_in_objects_of_kubernetes(resource: dict[str, Any]) -> None:
    kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)
    wrong = resource | {"spec": resource["spec"] | {"podSelectors": {}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("path", LAUNCHER, ids=name)
def test_ray_cluster_files(path: Path) -> None:
    """By Ray's own validator, as `ray up` does; every shell command by shellcheck."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = load(path)
    validate_config(prepare_config(config))
    with pytest.raises(jsonschema.ValidationError, match="idle_minutes"):
        validate_config(prepare_config(config | {"idle_minutes": 1}))
    for key, commands in config.items():
        if key.endswith("_commands") and commands:
            run("shellcheck", "--shell=bash", "-", text="\n".join(commands) + "\n")
    start = (config["head_start_ray_commands"][-1], config["worker_start_ray_commands"][-1])
    assert all("RAY_AUTH_MODE=token" in command for command in start)
    assert "--dashboard-host=127.0.0.1" in start[0]
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"


@pytest.mark.parametrize(
    "path", [CLUSTER / "slurm" / "lungseg.sbatch", ROOT / ".ci" / "run"], ids=lambda path: path.name
)
def test_shell_scripts(path: Path) -> None:
    run("shellcheck", str(path))


def test_shell_in_the_readme() -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (CLUSTER / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        run("shellcheck", "--shell=bash", "-", text=block)


@pytest.mark.parametrize(
    ("path", "starts"),
    [
        *((path, 2) for path in LAUNCHER),
        (CLUSTER / "Dockerfile", 1),
        (CLUSTER / "slurm" / "lungseg.sbatch", 1),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_connections_outlive_a_cut_wherever_ray_is_started(path: Path, starts: int) -> None:
    text = path.read_text()
    for name, value in CONNECTIONS.items():
        assert text.count(f"{name}={value}") == starts


def test_dockerfile() -> None:
    run("hadolint", str(CLUSTER / "Dockerfile"))
    text = (CLUSTER / "Dockerfile").read_text()
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["$UID"]
    for extras in re.findall(r"extras=([a-z0-9,]+) ", text):
        assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()
    assert "ENV RAY_AUTH_TOKEN" not in text


def test_monitoring() -> None:
    load(CLUSTER / "monitoring" / "prometheus.yaml")
    monitor = load(CLUSTER / "monitoring" / "podmonitor.yaml")
    labels = cluster_of(load(KUBERAY[0]))["headGroupSpec"]["template"]["metadata"]["labels"]
    own = {key: value for key, value in labels.items() if "ray.io" not in key}
    assert own.items() <= monitor["spec"]["selector"]["matchLabels"].items()
    dashboard = json.loads((CLUSTER / "monitoring" / "grafana-dashboard.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    queries = " ".join(target["expr"] for panel in panels for target in panel["targets"])
    ours = set(re.findall(r"ray_(lungseg_[a-z_]+[a-z])", queries))
    assert ours == set(re.findall(r'"(lungseg_\w+)"', (ROOT / "jobs" / "metrics.py").read_text()))
    for metric in ("ray_node_gpus_utilization", "ray_data_operator_queued_blocks", "ray_tasks"):
        assert metric in queries


def other_versions(text: str) -> list[str]:
    """Versions of Ray, Python and lungseg in a text that are not those of pyproject.toml."""
    python = SpecifierSet(f"=={PROJECT['requires-python'].removeprefix('>=')}.*")
    wanted = {
        r"\bray(?:Version)?[\]\"':= ]{1,4}v?(\d+\.\d+(?:\.\d+)?)": RAY,
        r"\bpython(?:-version)?[:= ]?(\d+\.\d+(?:\.\d+)?)": python,
        r"\blungseg:(\d+\.\d+\.\d+)": SpecifierSet(f"=={PROJECT['version']}"),
    }
    return [
        match.group()
        for pattern, specifier in wanted.items()
        for match in re.finditer(pattern, text, re.IGNORECASE)
        if match[1] not in specifier
    ]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_versions_are_those_of_the_project(path: Path) -> None:
    assert other_versions(path.read_text()) == []


def test_other_versions_are_found() -> None:
    found = []
    for path in (*KUBERAY, CLUSTER / "Dockerfile", CLUSTER / "constraints.txt", *LAUNCHER):
        text = path.read_text()
        for old, new in (("2.60.0", "2.59.1"), ("3.11", "3.12"), ("0.1.0", "0.2.0")):
            found += other_versions(re.sub(rf"(?<![\d.]){re.escape(old)}", new, text))
    assert {re.sub(r"[\d.\" :=-]+", " ", one).strip().lower() for one in found} >= {
        "rayversion",
        "ray",
        "python",
        "lungseg",
    }


def test_the_pinned_versions_are_what_the_project_asks_for() -> None:
    outside = [
        f"{requirement} is {PINNED[requirement.name.lower()]}"
        for requirement in REQUIREMENTS
        if requirement.name.lower() in PINNED
        and Version(PINNED[requirement.name.lower()]) not in requirement.specifier
    ]
    assert outside == []
    needed = {Requirement(line).name.lower() for line in PROJECT["dependencies"]}
    assert needed <= PINNED.keys()
    for path in KUBERAY:
        assert cluster_of(load(path))["rayVersion"] == PINNED["ray"]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_file_holds_a_secret(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\b[0-9a-f]{32,}\b", text)
    assert not re.search(r"kind: Secret|auth_token: *[\"']?\w{8,}|BEGIN [A-Z ]*PRIVATE KEY", text)
    assert not re.search(r"\bAKIA[0-9A-Z]{16}\b", text)
