"""Isolation: code cannot see, reach or change anything outside the sandbox."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ossia.sandbox import Sandbox

from .conftest import Kind

NETWORK = {
    "tcp": "socket.create_connection(('192.0.2.1', 80), 3)",
    "tcp over IPv6": "socket.create_connection(('2001:db8::1', 80), 3)",
    "udp": "s = socket.socket(type=socket.SOCK_DGRAM); s.connect(('192.0.2.1', 53))",
    "udp broadcast": """s = socket.socket(type=socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1); s.sendto(b'x', ('255.255.255.255', 9))""",
    "names": "socket.getaddrinfo('example.org', 80)",
    "the metadata address": "socket.create_connection(('169.254.169.254', 80), 3)",
    "the bridge's gateway": "socket.create_connection(('172.17.0.1', 2375), 3)",
    "a http library": "import requests; requests.get('http://192.0.2.1', timeout=3)",
    "a program": """import subprocess
subprocess.run(['bash', '-c', ': </dev/tcp/192.0.2.1/80'], check=True)""",
    "raw packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "ping": "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    "Docker's socket": "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
    "virtual machine sockets": "socket.socket(socket.AF_VSOCK).connect((2, 1024))",
}


@pytest.mark.parametrize("name", NETWORK)
async def test_no_network_can_be_reached(shared: Sandbox, name: str) -> None:
    done = await shared.execute(f"import socket\n{NETWORK[name]}", timeout_s=10)
    assert done.error is not None, f"{name} worked"
    assert not done.timed_out


async def test_loopback_is_the_only_interface(shared: Sandbox) -> None:
    done = await shared.execute("import socket; [name for _, name in socket.if_nameindex()]")
    assert done.result is not None
    assert {"lo", "tunl0", "sit0", "ip6tnl0", "gre0"} >= set(
        done.result[1:-1].replace("'", "").split(", ")
    )


async def test_loopback_is_not_the_hosts(shared: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = await shared.execute(
            f"import socket; socket.create_connection(('127.0.0.1', {port}), 3)"
        )
    assert done.error is not None
    assert done.error.name == "ConnectionRefusedError"


async def test_abstract_sockets_are_not_the_hosts(shared: Sandbox) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0ossia-test-{os.getpid()}")
        server.listen()
        code = (
            f"import socket; socket.socket(socket.AF_UNIX).connect('\\0ossia-test-{os.getpid()}')"
        )
        done = await shared.execute(code)
    assert done.error is not None


async def test_the_hosts_files_cannot_be_seen(shared: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the host's own")
    here = Path(__file__)
    for path in (tmp_path / "secret", here, Path("/var/run/docker.sock"), Path.home() / ".ssh"):
        done = await shared.execute(f"import os; os.path.lexists({str(path)!r})")
        assert done.result == "False", path
    code = "import os; sorted(set(os.listdir('/home') + os.listdir('/mnt')))"
    assert (await shared.execute(code)).result == "['data']"


async def test_no_environment_of_another_process_can_be_read(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSSIA_TEST_SECRET", "sesame-4711")
    code = """
import glob, os
seen = str(dict(os.environ))
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try: seen += open(path, errors="replace").read()
    except OSError: pass
"sesame" in seen
"""
    async with kind() as sandbox:
        assert (await sandbox.execute(code)).result == "False"


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/shadow').read()",
        "open('/proc/1/root/etc/passwd').read()",
        "open('/proc/1/mem', 'r+b')",
        "open('/proc/1/environ').read()",
        "os.listdir('/proc/1/fd')",
        "os.open(f'/proc/{os.getppid()}/fd/0', os.O_RDONLY)",
        "write('/proc/sys/kernel/core_pattern', b'|/tmp/x')",
        "write('/proc/sysrq-trigger', b'h')",
        "open('/proc/kcore', 'rb').read(1)",
        "write('/proc/self/oom_score_adj', b'-1000')",
        "write('/sys/fs/cgroup/memory/memory.limit_in_bytes', b'-1')",
        "open('/dev/mem', 'rb')",
        "open('/dev/kmsg', 'r+b')",
        "os.mknod('/tmp/disk', 0o600 | stat.S_IFBLK, os.makedev(8, 0))",
        "os.chroot('/tmp')",
        "os.setuid(0)",
        "os.setgid(0)",
        "os.setgroups([0])",
        "os.chown('/etc/passwd', 65532, 65532)",
        "open('/etc/passwd', 'a')",
        "open('/usr/bin/own', 'w')",
        "open('/own', 'w')",
        "os.mkdir('/mnt/other')",
        "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))",
        "os.nice(-5)",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 20, 1 << 20))",
        "socket.sethostname('other')",
        "time.clock_settime(time.CLOCK_REALTIME, 0)",
        "check(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))",
        "check(libc.mount(b'/etc', b'/tmp', None, 4096, None))",
        "check(libc.umount2(b'/mnt/data', 2))",
        "check(libc.unshare(0x10000000))",
        "check(libc.unshare(0x00020000))",
        "check(libc.setns(os.open('/proc/1/ns/mnt', os.O_RDONLY), 0))",
        "check(libc.ptrace(16, os.getppid(), 0, 0))",
        "check(libc.ptrace(16, 1, 0, 0))",
        "check(libc.swapon(b'/mnt/data/swap', 0))",
        "check(libc.reboot(0x01234567))",
        "check(libc.syscall(321, 0, 0, 0))",
        "check(libc.syscall(175, 0, 0, 0))",
    ],
)
async def test_privileged_operations_are_refused(shared: Sandbox, code: str) -> None:
    prelude = """
import ctypes, os, resource, socket, stat, time
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result == -1: raise OSError(ctypes.get_errno(), "refused")
def write(path, data):
    os.write(os.open(path, os.O_WRONLY), data)
"""
    done = await shared.execute(f"{prelude}\n{code}", timeout_s=10)
    assert done.error is not None, f"{code} worked"
    assert done.error.name in {"OSError", "PermissionError", "FileNotFoundError", "ValueError"}


async def test_the_code_has_no_privileges_and_cannot_gain_any(shared: Sandbox) -> None:
    text = await shared.execute("print(open('/proc/self/status').read())")
    status = dict(line.split(":\t", 1) for line in text.stdout.splitlines() if ":\t" in line)
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[capabilities], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert "0" not in (await shared.execute("import os; os.getgroups() + [os.getuid()]")).stdout


async def test_no_program_grants_privileges(shared: Sandbox) -> None:
    done = await shared.execute("!find / -xdev -perm /6000 -type f 2>/dev/null")
    for path in done.stdout.split():
        # A program may have a setuid bit; it has no effect here.
        ran = await shared.execute(f"!{path} --help >/dev/null 2>&1; id -u")
        assert ran.stdout.strip() == "65532"


async def test_only_the_sandboxs_own_processes_can_be_seen(shared: Sandbox) -> None:
    done = await shared.execute("import os; len([n for n in os.listdir('/proc') if n.isdigit()])")
    assert int(done.result or "99") < 10


async def test_only_folders_with_a_size_limit_can_be_written(shared: Sandbox) -> None:
    code = """
import os
found = []
for folder, below, _ in os.walk("/"):
    if folder in {"/proc", "/sys", "/mnt/data", "/tmp"}: below.clear()
    if os.access(folder, os.W_OK) and not folder.startswith("/proc"): found.append(folder)
sorted(found)
"""
    done = await shared.execute(code)
    found = set((done.result or "")[1:-1].replace("'", "").split(", "))
    # The first two contain message queues and terminals, which have their own limits.
    assert found - {"/dev/mqueue", "/dev/pts"} == {"/dev/shm", "/mnt/data", "/tmp"}
    filled = await shared.execute("open('/dev/shm/x', 'wb').write(bytes(65 << 20))")
    assert filled.error is not None
    await shared.execute("import os; os.unlink('/dev/shm/x')")
