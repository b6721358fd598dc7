"""What deploy/ has: files that parse, commands that ragkit accepts, probes that the server answers."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

import ragkit
from ragkit.cli.configuration import load_configuration
from ragkit.cli.settings import SETTINGS
from ragkit.serving import Settings, create_app
from support.commands import parse
from support.dockerfile import Scratch, stages
from support.listening import listening
from support.parts import ROOT

DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
VARIABLES = {setting.variable for setting in SETTINGS.values()}
TOKEN = "token-of-the-tests"
MAX_SIZE = 600e6  # bytes of what the server's image adds to Python's


def manifests() -> dict[tuple[str, str], dict[str, Any]]:
    """The Kubernetes objects by kind and name."""
    text = (DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text)}


def services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(
        (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    )["services"]
    return services


def container(kind: str, name: str) -> dict[str, Any]:
    spec = manifests()[kind, name]["spec"]["template"]["spec"]
    [one] = spec["containers"]
    return dict(one)


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text(encoding="utf-8"))
    return parser


def commands() -> list[list[str]]:
    """Every command line of ragkit in the files."""
    found = [
        [*stages(DOCKERFILE)["base"].argv("ENTRYPOINT")[1:], *stages(DOCKERFILE)[name].argv("CMD")]
        for name in ("server", "index")
    ]
    found += [services()[name]["command"] for name in ("build", "push", "ragkit")]
    found += [container("Job", "ragkit-index")["args"], container("Deployment", "ragkit")["args"]]
    found += [shlex.split(unit(path)["Service"]["ExecStart"])[1:] for path in UNITS]
    return found


def test_every_command_is_one_that_the_program_accepts() -> None:
    configuration = str(DEPLOY / "systemd" / "ragkit.toml")
    assert len(commands()) == 9
    for arguments in commands():
        parse([configuration if a == "/etc/ragkit/ragkit.toml" else a for a in arguments])


def test_every_variable_of_ragkit_is_a_setting() -> None:
    for path in [DOCKERFILE, DEPLOY / "compose.yaml", DEPLOY / "kubernetes.yaml", *UNITS]:
        names = set(re.findall(r"\bRAGKIT_[A-Z_]+\b", path.read_text(encoding="utf-8")))
        assert names <= VARIABLES | {"RAGKIT_SERVE_PORT"}, path


def test_the_configuration_files_are_valid_and_agree_with_the_files_beside_them(
    tmp_path: Path,
) -> None:
    own = load_configuration({}, tmp_path, file=DEPLOY / "systemd" / "ragkit.toml").values
    watching = shlex.split(
        unit(DEPLOY / "systemd" / "ragkit-index.service")["Service"]["ExecStart"]
    )
    assert own["index"].value == watching[-1] == "/var/lib/ragkit/index"
    path = tmp_path / "ragkit.toml"
    path.write_text(manifests()["ConfigMap", "ragkit"]["data"]["ragkit.toml"], encoding="utf-8")
    in_cluster = load_configuration({}, tmp_path, file=path).values
    serving = container("Deployment", "ragkit")
    assert in_cluster["serve.port"].value == serving["ports"][0]["containerPort"]
    mounts = {mount["mountPath"]: mount for mount in serving["volumeMounts"]}
    assert mounts[in_cluster["index"].value]["readOnly"] is True
    assert str(Path(serving["args"][1]).parent) in mounts


def test_every_probe_is_answered_without_a_token_under_a_name_that_the_server_has() -> None:
    serving = container("Deployment", "ragkit")
    with listening(create_app(None, Settings(token=TOKEN))) as url:
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = serving[name]["httpGet"]
            headers = {one["name"]: one["value"] for one in probe["httpHeaders"]}
            assert httpx.get(url + probe["path"], headers=headers).status_code == 200
            by_address = httpx.get(url + probe["path"], headers={"Host": "10.0.0.7"})
            assert by_address.status_code == 400  # what a probe without the header would get
        check = stages(DOCKERFILE)["server"].last("HEALTHCHECK").partition("CMD ")[2]
        command = json.loads(check.replace("http://127.0.0.1:8000", url))
        assert subprocess.run(command, check=False).returncode == 0
    assert subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode != 0


def test_nothing_runs_as_root_but_the_build_that_fills_a_new_volume() -> None:
    assert stages(DOCKERFILE)["base"].last("USER") == "10001:10001"
    for kind, name in (("Job", "ragkit-index"), ("Deployment", "ragkit")):
        pod = manifests()[kind, name]["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["enableServiceLinks"] is False
        context = container(kind, name)["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
    assert {name for name, one in services().items() if "user" in one} == {"build"}


def test_only_ragkit_can_be_reached_and_from_this_machine_alone() -> None:
    ports = {name: one["ports"] for name, one in services().items() if "ports" in one}
    assert ports == {"ragkit": ["127.0.0.1:8000:8000"]}


def test_every_image_has_a_version_and_milvus_the_one_of_the_tests() -> None:
    script = (ROOT / "scripts" / "milvus").read_text(encoding="utf-8")
    [tested] = re.findall(r"milvus==([\d.]+)", script)
    assert services()["milvus"]["image"] == f"milvusdb/milvus:v{tested}"
    for one in services().values():
        assert ":" in one["image"] or "build" in one
    for kind, name in (("Job", "ragkit-index"), ("Deployment", "ragkit")):
        assert container(kind, name)["image"].endswith(f":{ragkit.__version__}")


def test_the_locks_have_what_the_images_need_at_the_pinned_versions() -> None:
    spec = importlib.util.spec_from_file_location("image_locks", ROOT / "scripts/image_locks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = {path.stem: path.read_text(encoding="utf-8") for path in DEPLOY.glob("*.lock")}
    assert written == module.locks(), "run: .venv/bin/python scripts/image_locks.py"
    assert "\ntorch==" not in "".join(written.values())
    assert "\nonnxruntime==" in written["server"]


def test_what_the_dockerfile_copies_is_let_through_to_it() -> None:
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line[1:] for line in ignore if line.startswith("!")]
    for stage in stages(DOCKERFILE).values():
        for kind, argument in stage.steps:
            if kind == "COPY" and not argument.startswith("--from"):
                for source in argument.split()[:-1]:
                    assert (ROOT / source).exists(), source
                    assert any(Path(source).match(pattern) for pattern in allowed), source


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_the_unit_and_finds_it_little_exposed(path: Path, tmp_path: Path) -> None:
    here = tmp_path / path.name
    text = path.read_text(encoding="utf-8").replace("/opt/ragkit/bin/ragkit", "/bin/true")
    here.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", here], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    offline: list[str | Path] = [
        "systemd-analyze",
        "security",
        "--offline=true",
        "--threshold=20",
        here,
    ]
    assert subprocess.run(offline, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    folder = tmp_path_factory.mktemp("image")
    yield Scratch(DOCKERFILE, ROOT, folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def with_milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    folder = tmp_path_factory.mktemp("image-milvus")
    yield Scratch(DOCKERFILE, ROOT, folder, LOCKS=services()["ragkit"]["build"]["args"]["LOCKS"])
    shutil.rmtree(folder)


def size_of(root: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in root.rglob("*"))


def environment_of(scratch: Scratch, name: str, root: Path) -> dict[str, str]:
    """The environment of a container: nothing of this machine's but PATH."""
    both = {**stages(DOCKERFILE)["base"].variables(), **stages(DOCKERFILE)[name].variables()}
    own = {key: scratch.inside(root, value) for key, value in both.items()}
    return {**own, "PATH": os.environ["PATH"]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.image
def test_the_steps_of_the_dockerfile_make_a_small_image_that_builds_and_serves(
    scratch: Scratch, tmp_path: Path
) -> None:
    builder, server = scratch.build("index"), scratch.build("server")
    size = size_of(server)
    print(
        f"The server's image adds {size / 1e6:.0f} MB to Python's, the index's {size_of(builder) / 1e6:.0f} MB."
    )
    assert size < MAX_SIZE
    for path in server.rglob("*"):
        readable = 0o005 if path.is_dir() else 0o004
        assert path.lstat().st_mode & readable == readable, f"{path} cannot be read by others"
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "bread.html").write_text("<h1>Bread</h1><p>Bread is made of flour.</p>")
    index = tmp_path / "index"
    build = ("index", "build", tmp_path / "sources", "--out", index, "--replace")
    run_in(scratch, "index", builder, *build)
    port = free_port()
    environment = environment_of(scratch, "server", server) | {
        "RAGKIT_INDEX": str(index), "RAGKIT_SERVE_PORT": str(port), "RAGKIT_TOKEN": TOKEN,
        "RAGKIT_SERVE_HOST": "127.0.0.1",  # tests listen on loopback alone
    }  # fmt: skip
    python = server / "opt/ragkit/bin/python"
    process = subprocess.Popen([python, "-m", "ragkit", "serve"], env=environment, cwd=tmp_path)
    try:
        check = stages(DOCKERFILE)["server"].last("HEALTHCHECK").partition("CMD ")[2]
        _, *rest = json.loads(check.replace(":8000", f":{port}"))
        until = time.monotonic() + 60
        while subprocess.run([python, *rest], check=False, capture_output=True).returncode:
            assert process.poll() is None
            assert time.monotonic() < until
        headers = {"Authorization": f"Bearer {TOKEN}"}
        content = {"question": "What is bread made of?"}
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/ask", json=content, headers=headers)
        assert answer.json()["text"] == "Bread is made of flour."
    finally:
        process.terminate()
        process.wait(30)


def run_in(scratch: Scratch, name: str, root: Path, *arguments: str | Path) -> str:
    done = subprocess.run(
        [root / "opt/ragkit/bin/python", "-m", "ragkit", *arguments], check=False, text=True,
        capture_output=True, env=environment_of(scratch, name, root), cwd=root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.image
def test_with_the_client_of_milvus_an_index_is_pushed_and_asked(
    with_milvus: Scratch, tmp_path: Path
) -> None:
    from support.milvus_servers import lite_server

    server = with_milvus.build("server")
    size = size_of(server)
    print(f"With Milvus's client it adds {size / 1e6:.0f} MB.")
    assert size < MAX_SIZE
    index = ROOT / "indexes" / "germany-soviet-union-relations-1918-1941"
    with lite_server(tmp_path / "milvus") as address:
        location = f"milvus://{address}/documents"
        run_in(with_milvus, "server", server, "index", "push", index, location)
        question = "Who signed the Treaty of Rapallo?"
        assert "Rathenau" in run_in(
            with_milvus, "server", server, "ask", "--index", location, question
        )
