"""The files of a stack; tests/service/test_stack.py runs one."""

from __future__ import annotations

import ipaddress
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from fastapi.routing import APIRoute
from typer.testing import CliRunner

from bertline.cli.main import application
from bertline.deploy.stack import MOST_REPLICAS, Gateway, Stack, write_stack
from bertline.errors import UsageError
from bertline.service.routes import admin, rollouts
from bertline.service.settings import ServeSettings
from bertline.testing.tiny import write_tiny_bundle
from tests.programs import program


def test_every_replica_is_started_asked_and_watched(tmp_path: Path) -> None:
    write_stack(Stack("mails", "localhost/mails:1", 3), tmp_path)
    compose = yaml.safe_load((tmp_path / "compose.yaml").read_text())
    services = compose["services"]
    replicas = {name: one for name, one in services.items() if name.startswith("replica-")}
    addresses = [one["networks"]["back"]["ipv4_address"] for one in replicas.values()]
    assert addresses == ["172.31.250.11", "172.31.250.12", "172.31.250.13"]
    assert services["gateway"]["depends_on"] == {name: {"condition": "service_healthy"} for name in replicas}
    for one in replicas.values():
        assert (one["read_only"], one["cap_drop"]) == (True, ["ALL"])
        assert one["environment"]["BERTLINE_EDGE_TRUSTED_PROXIES"] == "172.31.250.2"
    gateway = (tmp_path / "nginx.conf").read_text()
    [scraped] = yaml.safe_load((tmp_path / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert scraped["static_configs"] == [{"targets": [f"{one}:8000" for one in addresses]}]
    assert [f"server {one}:8000 max_fails" in gateway for one in addresses] == [True] * 3


def test_no_service_can_take_an_address_that_another_one_needs(tmp_path: Path) -> None:
    """PostgreSQL starts first; from all addresses, it would be given the gateway's, which then could not start."""
    write_stack(Stack("mails", "localhost/mails:1", MOST_REPLICAS), tmp_path)
    compose = yaml.safe_load((tmp_path / "compose.yaml").read_text())
    [given] = compose["networks"]["back"]["ipam"]["config"]
    networks = [one["networks"] for one in compose["services"].values()]
    fixed = [one["back"]["ipv4_address"] for one in networks if isinstance(one, dict)]
    assert len(fixed) == 1 + MOST_REPLICAS
    free = ipaddress.ip_network(given["ip_range"])
    assert free.subnet_of(ipaddress.ip_network(given["subnet"]))
    assert [one for one in fixed if ipaddress.ip_address(one) in free] == []
    script = (tmp_path / "podman.sh").read_text().replace("$network", "172.31.250")
    assert f'--subnet "{given["subnet"]}" --ip-range "{given["ip_range"]}"' in script


def test_redis_replaces_its_shell_and_hides_its_password(tmp_path: Path) -> None:
    """A shell that waits for it would keep the signal to stop, and Redis would be killed after ten seconds."""
    write_stack(Stack("mails", "localhost/mails:1"), tmp_path)
    compose = yaml.safe_load((tmp_path / "compose.yaml").read_text())
    command = [one.replace("$$", "$") for one in compose["services"]["redis"]["command"]]
    assert command[2] in (tmp_path / "podman.sh").read_text()
    fake = tmp_path / "redis-server"
    fake.write_text("#!/bin/sh\necho $$ $@\ncat\n")
    fake.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "REDISCLI_AUTH": "a-secret"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        printed = process.communicate(timeout=60)[0].splitlines()
    assert printed == [f"{process.pid} -", "requirepass a-secret", 'save ""']


def test_every_variable_of_the_compose_file_is_set_or_has_a_default(tmp_path: Path) -> None:
    write_stack(Stack("mails", "localhost/mails:1"), tmp_path)
    text = (tmp_path / "compose.yaml").read_text().replace("$$", "")
    known = [line.partition("=")[0] for line in (tmp_path / ".env").read_text().splitlines()]
    used = {one.partition("}")[0] for one in text.split("${")[1:]}
    assert {one for one in used if ":-" not in one} == set(known)


def test_podman_runs_the_services_of_the_compose_file(tmp_path: Path) -> None:
    """The same images, settings and addresses; tests/deploy/test_stack_podman.py runs the replicas."""
    write_stack(Stack("mails", "localhost/mails:1", 3), tmp_path)
    script = (tmp_path / "podman.sh").read_text()
    assert subprocess.run(["sh", "-n", str(tmp_path / "podman.sh")], check=False).returncode == 0
    compose = yaml.safe_load((tmp_path / "compose.yaml").read_text())
    replica = compose["services"].pop("replica-1")
    assert [one for one in replica["environment"] if f': "${{{one}:=' not in script] == []
    assert "for one in replica-1 replica-2 replica-3; do" in script
    assert "network=172.31.250" in script
    for name, one in compose["services"].items():
        if not name.startswith("replica-"):
            assert f"    {name})\n" in script
            assert one["image"] in script
    for flag in ("--read-only", "--cap-drop ALL", "no-new-privileges", "--memory 1g", "--restart unless-stopped"):
        assert flag in script


def test_no_container_can_fill_the_disk_or_the_memory(tmp_path: Path) -> None:
    write_stack(Stack("mails", "localhost/mails:1", 3), tmp_path)
    for name, one in yaml.safe_load((tmp_path / "compose.yaml").read_text())["services"].items():
        assert one["logging"]["options"] == {"max-size": "20m", "max-file": "5"}, name
    script, gateway = ((tmp_path / name).read_text() for name in ("podman.sh", "nginx.conf"))
    assert script.count("podman run --detach") == script.count("--log-driver k8s-file --log-opt max-size=100mb") == 1
    limits = re.findall(r"client_max_body_size (\d+)m;", gateway)
    assert [int(one) * 2**20 > ServeSettings().max_body_bytes for one in limits] == [True]
    for place in (script, (tmp_path / "compose.yaml").read_text()):
        [room] = re.findall(r"mode=1777,size=(\d+)m", place)
        assert int(room) > int(limits[0])


def test_a_replica_of_which_nothing_answers_costs_a_request_less_than_the_aim(tmp_path: Path) -> None:
    """The aim of the drill that kills one: p99 at most 300 ms. A refused connection costs nothing."""
    [limit] = re.findall(r"proxy_connect_timeout (\d+)ms;", Gateway(("127.0.0.1:1",)).config())
    assert int(limit) < 300


def test_without_its_database_no_replica_is_started(tmp_path: Path) -> None:
    write_stack(Stack("mails", "localhost/mails:1"), tmp_path)
    podman, log = tmp_path / "bin" / "podman", tmp_path / "log"
    podman.parent.mkdir()
    podman.write_text(f'#!/bin/sh\necho "$@" >>{log}\n[ "$1" != run ]\n')
    podman.chmod(0o755)
    environment = {"PATH": f"{podman.parent}:/usr/bin:/bin"}
    done = subprocess.run(["sh", tmp_path / "podman.sh", "start"], env=environment, capture_output=True, check=False)
    assert done.returncode != 0
    assert [
        line.split("--name ")[1].split()[0] for line in log.read_text().splitlines() if "run" in line.split()[0]
    ] == ["mails-postgres"]


def test_the_script_of_podman_says_how_it_is_used(tmp_path: Path) -> None:
    write_stack(Stack("mails", "localhost/mails:1"), tmp_path)
    done = subprocess.run(["sh", str(tmp_path / "podman.sh")], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "sh podman.sh upgrade " in done.stderr
    assert "replica-1 replica-2" in done.stderr


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    stack = Stack("mails", "localhost/mails:1")
    assert tmp_path / ".env" in write_stack(stack, tmp_path)
    first = (tmp_path / ".env").read_text()
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert tmp_path / ".env" not in write_stack(stack, tmp_path)
    assert (tmp_path / ".env").read_text() == first
    assert first != stack.environment()
    assert ".env" in (tmp_path / ".gitignore").read_text().split()


def test_what_changes_the_models_of_one_replica_is_not_reached_through_all() -> None:
    """Ending a rollout is: where the registry decides it, it ends on all of them."""
    config = Gateway(("127.0.0.1:1",)).config()
    refused = [f"^{re.escape(one)}" for one in re.findall(r"location (/\S+) \{ return 403", config)]
    refused += re.findall(r"location ~ (\S+) \{ return 403", config)
    changing = [
        re.sub(r"\{[^}]+\}", "reviews", route.path)
        for route in (*admin.router.routes, *rollouts.router.routes)
        if isinstance(route, APIRoute) and route.methods & {"POST", "PUT"}
    ]
    assert {"/v1/models/reviews/shadow", "/v1/models/reviews/canary", "/admin/models/reviews"} <= set(changing)
    assert [one for one in changing if not any(re.search(pattern, one) for pattern in refused)] == []
    assert [one for one in refused if re.search(one, "/v1/models/reviews/predict")] == []


def test_nginx_never_runs_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without capabilities, root cannot become another user, and nginx's workers would end at once."""
    for uid, gid, user in ((0, 0, "101:101"), (0, 7, "101:101"), (1000, 100, "1000:100")):
        monkeypatch.setattr("os.getuid", lambda uid=uid: uid)
        monkeypatch.setattr("os.getgid", lambda gid=gid: gid)
        assert f"STACK_USER={user}\n" in Stack("mails", "localhost/mails:1").environment()


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    CliRunner().invoke(application(), ["tls", "dev", "--out", str(tmp_path / "certs")])
    (tmp_path / "run").mkdir()
    gateway = Gateway(("127.0.0.1:1", "127.0.0.1:2"), "127.0.0.1:3", str(tmp_path / "certs"), str(tmp_path / "run"))
    (tmp_path / "nginx.conf").write_text(gateway.config())
    command = [program("nginx"), "-t", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_command_names_every_file_and_keeps_secrets(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "My mails", rows=8)
    arguments = ["deploy", "stack", str(tmp_path / "My mails"), "--out", str(tmp_path / "out")]
    first, second = (CliRunner().invoke(application(), arguments) for _ in range(2))
    assert {Path(line) for line in first.stdout.splitlines()} == {
        one for one in (tmp_path / "out").rglob("*") if one.is_file()
    }
    assert "MODEL_IMAGE=localhost/my-mails:latest\n" in (tmp_path / "out" / ".env").read_text()
    assert second.stderr.startswith(f"note: {tmp_path / 'out' / '.env'} is kept, with its image and passwords\n")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"replicas": 0}, "--replicas 0 is not possible: give 1 to 64"),
        ({"network": "10.0.0.0/8"}, "--network 10.0.0.0/8 is not a network: give three numbers, such as 172.31.250"),
        ({"network": "10.0.256"}, "--network 10.0.256 is not a network: give three numbers, such as 172.31.250"),
    ],
)
def test_what_cannot_be_a_stack(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        Stack("mails", "localhost/mails:1", **changes)  # type: ignore[arg-type]
