"""One hardened container a session, through the Docker SDK."""

from __future__ import annotations

import contextlib
import secrets
import socket
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import DeviceRequest, LogConfig, Ulimit
from requests.exceptions import RequestException

from ...errors import SandboxDiedError, SandboxImageError, SandboxUnavailableError
from ..cleanup import labels, remove_abandoned
from ..docker_daemon import call, connect, is_local
from ..host import Channel, DockerChannel, boot_command
from ..images import image_tag
from ..network import INSIDE
from ..protocol import DATA
from .control_socket import INSIDE as LINE_INSIDE
from .control_socket import ControlSocket
from .isolated import HOME, MIB, USER_ID, IsolatedSandbox


@dataclass(kw_only=True, eq=False)
class DockerSandbox(IsolatedSandbox):
    """A container without network, rights or a writable root, that lives as long as its block.

    Its first process is ossia's own, which nothing inside can signal or trace, and which reaps
    what others leave. There is no `docker run --init`: such an init would hold the line between
    the code's output and us open in /proc/1/fd, where the code could write on it.
    """

    image: str | None = None
    """Default: the image that `ossia sandbox build` makes."""
    runtime: str | None = None
    """The OCI runtime, such as `runsc`; default: the daemon's own."""
    gpus: int | Literal["all"] = 0
    """NVIDIA devices that the code may use."""
    _client: docker.DockerClient | None = field(default=None, init=False, repr=False)
    _name: str | None = field(default=None, init=False, repr=False)
    _attached: DockerChannel | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """The container's name, as `docker ps` shows it; empty where there is none."""
        return self._name or ""

    async def _start(self) -> Channel:
        if self._client is None:
            self._client = await connect()
            await call(partial(remove_abandoned, self._client))
        client = self._client
        if await self._open_egress() and not is_local(client):
            raise SandboxUnavailableError(
                "network='egress' reaches out through a socket file, which a daemon on another "
                "machine cannot see; use a local daemon, or bubblewrap"
            )
        name = self._name = f"ossia-{secrets.token_hex(8)}"
        try:
            return await self._connect(client, name)
        except ImageNotFound as error:
            image = self.image or image_tag()
            raise SandboxImageError(
                f"this Docker daemon has no image {image!r}; make it with `ossia sandbox build`"
            ) from error
        except (DockerException, RequestException) as error:
            raise SandboxUnavailableError(f"Docker did not start a container: {error}") from error

    async def _connect(self, client: docker.DockerClient, name: str) -> Channel:
        opened = await call(ControlSocket.open) if is_local(client) else None
        if opened is None:
            self._attached = await call(lambda: self._create(client, name))
            return self._attached
        async with opened as line:
            self._attached = await call(lambda: self._create(client, name, line.folder))
            return await line.connected(self._attached)

    def _create(
        self, client: docker.DockerClient, name: str, line: Path | None = None
    ) -> DockerChannel:
        # The SDK tells the types of some of its arguments and of no result.
        api: Any = client.api
        container = api.create_container(
            self.image or image_tag(),
            boot_command(line=None if line is None else LINE_INSIDE),
            name=name,
            hostname="sandbox",
            user=f"{USER_ID}:{USER_ID}",
            stdin_open=True,
            environment=self._environment(),
            working_dir=DATA,
            labels=labels(),
            host_config=api.create_host_config(**self._host_config(), binds=self._binds(line)),
        )
        wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        stream = api.attach_socket(container["Id"], params=wanted)
        api.start(container["Id"])
        # The SDK wraps the socket in a file object that offers neither send nor select.
        sock = getattr(stream, "_sock", stream)
        assert isinstance(sock, socket.socket)
        return DockerChannel(sock, (getattr(stream, "_response", stream), stream))

    def _host_config(self) -> dict[str, Any]:
        memory = self.memory_mib * MIB
        owned = f"uid={USER_ID},gid={USER_ID},mode=0755"
        return {
            "network_mode": "none",
            "read_only": True,
            "tmpfs": {
                HOME: f"rw,nosuid,nodev,exec,mode=1777,size={self.tmp_mib}m",
                DATA: f"rw,nosuid,nodev,exec,{owned},size={self.data_mib}m",
            },
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "mem_limit": memory,
            # The same as memory: no swap on top of it.
            "memswap_limit": memory,
            "nano_cpus": int(self.cpus * 1e9),
            "pids_limit": self.pids,
            "ulimits": [
                Ulimit(name="nofile", soft=self.open_files, hard=self.open_files),
                Ulimit(name="fsize", soft=self.data_mib * MIB, hard=self.data_mib * MIB),
                Ulimit(name="core", soft=0, hard=0),
            ],
            "init": False,  # see the class
            "auto_remove": True,
            "ipc_mode": "private",
            "runtime": self.runtime,
            "device_requests": self._devices(),
            # What passes over the channel is not for the daemon's log files.
            "log_config": LogConfig(type=LogConfig.types.NONE),
        }

    def _devices(self) -> list[DeviceRequest] | None:
        if not self.gpus:
            return None
        count = -1 if self.gpus == "all" else self.gpus
        return [DeviceRequest(count=count, capabilities=[["gpu"]])]

    def _binds(self, line: Path | None) -> list[str]:
        binds: list[str] = []
        if line is not None:
            binds.append(f"{line}:{PurePosixPath(LINE_INSIDE).parent}:ro")
        if self._egress is not None:
            binds.append(f"{self._egress.folder}:{PurePosixPath(INSIDE).parent}:ro")
        return binds

    async def _stop(self) -> None:
        client, name = self._client, self._name
        self._name = None
        if self._attached is not None:
            self._attached.close()
            self._attached = None
        if client is not None and name is not None:
            await call(lambda: remove(client, name))
        if client is not None:
            self._client = None
            await call(client.close)

    async def _exit_reason(self) -> str:
        said = await self._attached.stderr_tail() if self._attached else ""
        client = self._client
        try:
            if client is not None:
                await call(client.ping)
        except (DockerException, RequestException):
            return "the Docker daemon no longer answers"
        if said:
            return f"its container ended and said: {said[-1000:]}"
        return "its container ended: the code killed its processes, or memory ran out"


def remove(client: docker.DockerClient, name: str) -> None:
    """Remove a container, running or not; it may be gone already, or going."""
    try:
        client.api.remove_container(name, force=True)
    except NotFound:
        pass
    except APIError as error:
        if error.status_code != 409:
            raise SandboxDiedError(f"the container {name} was not removed: {error}") from error
        with contextlib.suppress(NotFound):
            client.api.wait(name, timeout=10, condition="removed")
    except (DockerException, RequestException):
        # The daemon is gone. The container ends with its attached caller, and the
        # next start removes what is left.
        pass
