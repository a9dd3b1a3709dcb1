"""Sandboxes in hardened Docker containers."""

from __future__ import annotations

import contextlib
import secrets
import socket
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from ...errors import SandboxDiedError, SandboxImageError, SandboxUnavailableError
from ..cleanup import owner_labels, remove_abandoned
from ..docker_daemon import connect, daemon_errors, is_local, run_blocking
from ..host import Channel, DockerChannel, boot_command
from ..images import image_tag
from ..network import EGRESS_SOCKET
from ..protocol import DATA_FOLDER
from .control_socket import CONTROL_SOCKET, ControlSocket
from .isolated import HOME, MIB, USER_ID, IsolatedSandbox

if TYPE_CHECKING:
    import docker
    from docker.types import DeviceRequest


@dataclass(kw_only=True, eq=False)
class DockerSandbox(IsolatedSandbox):
    """A container without network, capabilities or a writable root.

    Its first process is ossia's supervisor, which nothing inside can signal or trace, and which
    reaps orphans. It does not use `docker run --init`: that init would keep the channel to the
    host open in /proc/1/fd, where the code could write to it.
    """

    image: str | None = None
    """The default is the image that `ossia sandbox build` builds."""
    runtime: str | None = None
    """The OCI runtime, such as `runsc`; the default is the daemon's."""
    gpus: int | Literal["all"] = 0
    """Number of NVIDIA GPUs that the code may use."""
    _client: docker.DockerClient | None = field(default=None, init=False, repr=False)
    _name: str | None = field(default=None, init=False, repr=False)
    _attached: DockerChannel | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """Return the container's name, as `docker ps` shows it; empty if there is none."""
        return self._name or ""

    async def _start(self) -> Channel:
        if self._client is None:
            self._client = await connect()
            await run_blocking(partial(remove_abandoned, self._client))
        from docker.errors import ImageNotFound

        client = self._client
        if await self._open_egress() and not is_local(client):
            raise SandboxUnavailableError(
                "network='egress' needs a socket file, which a daemon on another machine cannot "
                "mount; use a local daemon, or bubblewrap"
            )
        name = self._name = f"ossia-{secrets.token_hex(8)}"
        try:
            return await self._connect(client, name)
        except ImageNotFound as error:
            image = self.image or image_tag()
            raise SandboxImageError(
                f"the Docker daemon has no image {image!r}; build it with `ossia sandbox build`"
            ) from error
        except daemon_errors() as error:
            raise SandboxUnavailableError(f"Docker cannot start a container: {error}") from error

    async def _connect(self, client: docker.DockerClient, name: str) -> Channel:
        control_socket = await run_blocking(ControlSocket.open) if is_local(client) else None
        if control_socket is None:
            self._attached = await run_blocking(lambda: self._create(client, name))
            return self._attached
        async with control_socket as control:
            self._attached = await run_blocking(lambda: self._create(client, name, control.folder))
            return await control.accept(self._attached)

    def _create(
        self, client: docker.DockerClient, name: str, control_folder: Path | None = None
    ) -> DockerChannel:
        # The SDK has types for some of its arguments, and for no result.
        api: Any = client.api
        container = api.create_container(
            self.image or image_tag(),
            boot_command(control_socket=CONTROL_SOCKET if control_folder else None),
            name=name,
            hostname="sandbox",
            user=f"{USER_ID}:{USER_ID}",
            stdin_open=True,
            environment=self._environment(),
            working_dir=DATA_FOLDER,
            labels=owner_labels(),
            host_config=api.create_host_config(
                **self._host_config(), binds=self._binds(control_folder)
            ),
        )
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        stream = api.attach_socket(container["Id"], params=streams)
        api.start(container["Id"])
        # The SDK wraps the socket in a file object that supports neither send nor select.
        sock = getattr(stream, "_sock", stream)
        assert isinstance(sock, socket.socket)
        return DockerChannel(sock, (getattr(stream, "_response", stream), stream))

    def _host_config(self) -> dict[str, Any]:
        from docker.types import LogConfig, Ulimit

        memory = self.memory_mib * MIB
        ownership = f"uid={USER_ID},gid={USER_ID},mode=0755"
        return {
            "network_mode": "none",
            "read_only": True,
            "tmpfs": {
                HOME: f"rw,nosuid,nodev,exec,mode=1777,size={self.tmp_mib}m",
                DATA_FOLDER: f"rw,nosuid,nodev,exec,{ownership},size={self.data_mib}m",
            },
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "mem_limit": memory,
            # The same as memory, so that no swap is added.
            "memswap_limit": memory,
            "nano_cpus": int(self.cpus * 1e9),
            "pids_limit": self.pids,
            "ulimits": [
                Ulimit(name="nofile", soft=self.open_files, hard=self.open_files),
                Ulimit(name="fsize", soft=self.data_mib * MIB, hard=self.data_mib * MIB),
                Ulimit(name="core", soft=0, hard=0),
            ],
            "init": False,  # see the class docstring
            "auto_remove": True,
            "ipc_mode": "private",
            "runtime": self.runtime,
            "device_requests": self._gpu_requests(),
            # The channel's data must not appear in the daemon's log files.
            "log_config": LogConfig(type=LogConfig.types.NONE),
        }

    def _gpu_requests(self) -> list[DeviceRequest] | None:
        from docker.types import DeviceRequest

        if not self.gpus:
            return None
        count = -1 if self.gpus == "all" else self.gpus
        return [DeviceRequest(count=count, capabilities=[["gpu"]])]

    def _binds(self, control_folder: Path | None) -> list[str]:
        binds: list[str] = []
        if control_folder is not None:
            binds.append(f"{control_folder}:{PurePosixPath(CONTROL_SOCKET).parent}:ro")
        if self._egress is not None:
            binds.append(f"{self._egress.folder}:{PurePosixPath(EGRESS_SOCKET).parent}:ro")
        return binds

    async def _stop(self) -> None:
        client, name = self._client, self._name
        self._name = None
        if self._attached is not None:
            self._attached.close()
            self._attached = None
        if client is not None and name is not None:
            await run_blocking(lambda: remove_container(client, name))
        if client is not None:
            self._client = None
            await run_blocking(client.close)

    async def _exit_reason(self) -> str:
        stderr = await self._attached.stderr_tail() if self._attached else ""
        client = self._client
        try:
            if client is not None:
                await run_blocking(client.ping)
        except daemon_errors():
            return "the Docker daemon no longer responds"
        if stderr:
            return f"its container ended; stderr: {stderr[-1000:]}"
        return "its container ended: the code killed its processes, or it ran out of memory"


def remove_container(client: docker.DockerClient, name: str) -> None:
    """Remove a container; it may be running, already removed, or about to be removed."""
    from docker.errors import APIError, NotFound

    try:
        client.api.remove_container(name, force=True)
    except NotFound:
        pass
    except APIError as error:
        if error.status_code != 409:
            raise SandboxDiedError(f"cannot remove the container {name}: {error}") from error
        with contextlib.suppress(NotFound):
            client.api.wait(name, timeout=10, condition="removed")
    except daemon_errors():
        # The daemon is gone. The container ends when its channel closes, and the next start
        # removes what remains.
        pass
