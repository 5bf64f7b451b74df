"""A small project with a history, and remotes of three kinds that are really there."""

import asyncio
import shutil
import threading
import uuid
from dataclasses import dataclass

import pytest
import small_project

from equipoise import cli


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify") / "made"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_NO_ANALYTICS", "1")
        patch.setenv("DVC_SITE_CACHE_DIR", str(folder.parent / "site"))
        patch.chdir(folder)
        small_project.make()
    return folder


@dataclass(frozen=True)
class Project:
    capsys: pytest.CaptureFixture

    def verify(self, *arguments):
        """Return the exit status of ``equipoise verify``, its lines, and its error if any."""
        status = cli.main(["verify", *map(str, arguments)])
        out, err = self.capsys.readouterr()
        # Log lines about progress (on a slow machine) and those of the servers are not meant.
        errors = [line for line in err.splitlines() if line.startswith("equipoise verify: ")]
        return status, out.splitlines() + errors

    def problems(self, *arguments):
        status, lines = self.verify(*arguments)
        assert status == bool(lines[:-1])
        assert lines[-1].startswith(f"{len(lines) - 1} problem(s); read: ")
        return lines[:-1]


@pytest.fixture
def project(made, tmp_path, monkeypatch, capsys):
    """A copy of the project, as current folder."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    shutil.copytree(made, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    return Project(capsys)


@pytest.fixture
def local_remote(tmp_path):
    return {"url": str(tmp_path / "remote")}


@pytest.fixture
def ssh_remote(tmp_path):
    """An SFTP server with the real protocol, ciphers and keys, in a thread."""
    asyncssh = pytest.importorskip("asyncssh", reason="needs the extra `ssh`")
    pytest.importorskip("dvc_ssh", reason="needs the extra `ssh`")
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(tmp_path / "key")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def call(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)

    async def listen():
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            authorized_client_keys=asyncssh.import_authorized_keys(
                key.export_public_key().decode()
            ),
            sftp_factory=True,
        )

    server = call(listen())
    yield {
        "url": f"ssh://someone@127.0.0.1:{server.get_port()}{tmp_path}/far",
        "keyfile": str(tmp_path / "key"),
    }

    # Not wait_closed: from Python 3.12 on it waits for connections, and DVC keeps its own.
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


@pytest.fixture
def s3_remote(monkeypatch):
    """An S3 server that speaks HTTP (moto), in a thread."""
    moto = pytest.importorskip("moto.server", reason="needs moto")
    pytest.importorskip("dvc_s3", reason="needs the extra `s3`")
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    bucket = f"bucket-{uuid.uuid4()}"  # moto keeps buckets for as long as the process lives
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket=bucket)
    yield {"url": f"s3://{bucket}/results", "endpointurl": address}
    server.stop()


@pytest.fixture
def remote(request, project):
    """The project's objects in a default remote, as DVC opens them; param: kind of the remote."""
    from dvc.repo import Repo

    settings = request.getfixturevalue(f"{request.param}_remote")
    with Repo() as repo, repo.config.edit() as config:
        config["core"] = {**config.get("core", {}), "remote": "store"}
        config["remote"] = {"store": settings}
    with Repo() as repo:
        assert repo.push() == 7
        yield repo.cloud.get_remote_odb()
