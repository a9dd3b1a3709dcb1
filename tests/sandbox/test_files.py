"""Files: put, get and list, only under /mnt/data."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from ossia.errors import SandboxPathError
from ossia.sandbox import Sandbox, SandboxFile, get_folder, put_folder


async def test_a_file_can_be_put_read_by_a_cell_and_fetched(shared: Sandbox) -> None:
    data = bytes(range(256)) * 20_000
    await shared.put("in/deep/data.bin", data)
    code = "data = open('/mnt/data/in/deep/data.bin', 'rb').read(); len(data), data[255]"
    assert (await shared.execute(code)).result == f"({len(data)}, 255)"
    assert await shared.get("/mnt/data/in/deep/data.bin") == data


@pytest.mark.parametrize("data", [b"", b"x", bytes(1 << 20), bytes((1 << 20) + 1)])
async def test_files_of_any_size_are_transferred_completely(shared: Sandbox, data: bytes) -> None:
    await shared.put("sized", data)
    assert await shared.get("sized") == data


async def test_a_file_is_replaced_completely(shared: Sandbox) -> None:
    await shared.put("twice", b"the first, which is longer")
    await shared.put("twice", b"the second")
    assert await shared.get("twice") == b"the second"


async def test_files_are_listed_with_their_sizes(sandbox: Sandbox) -> None:
    await sandbox.execute("import os; os.makedirs('b/c'); open('b/c/d', 'w').write('four')")
    await sandbox.put("a", b"1")
    await sandbox.execute("os.symlink('/etc/passwd', 'link'); os.mkfifo('pipe')")
    assert await sandbox.list() == [
        SandboxFile("/mnt/data/a", 1),
        SandboxFile("/mnt/data/b/c/d", 4),
    ]


async def test_a_cell_reports_only_new_and_changed_files(sandbox: Sandbox) -> None:
    await sandbox.put("old", b"old")
    await sandbox.put("touched", b"before")
    done = await sandbox.execute("open('touched', 'w').write('after'); open('new', 'w').close()")
    assert done.files == ("/mnt/data/new", "/mnt/data/touched")
    assert (await sandbox.execute("open('old').read()")).files == ()


@pytest.mark.parametrize(
    "path",
    ["..", "../x", "/etc/passwd", "a/../../x", "/mnt/data", "", ".", "/mnt/data/../x", "a\0b"],
)
async def test_a_path_outside_the_data_folder_is_refused(shared: Sandbox, path: str) -> None:
    with pytest.raises(SandboxPathError, match="not a file path under /mnt/data"):
        await shared.put(path, b"x")
    with pytest.raises(SandboxPathError, match="not a file path under /mnt/data"):
        await shared.get(path)


async def test_a_missing_file_is_named_in_the_error(shared: Sandbox) -> None:
    with pytest.raises(SandboxPathError, match="/mnt/data/nowhere: No such file"):
        await shared.get("nowhere")


async def test_a_file_above_the_size_limit_is_not_fetched(shared: Sandbox) -> None:
    await shared.put("large", bytes(1000))
    with pytest.raises(SandboxPathError, match="has 1000 bytes; max_bytes is 999"):
        await shared.get("large", max_bytes=999)


async def test_a_growing_file_is_read_up_to_its_size_at_the_request(shared: Sandbox) -> None:
    code = """
import threading
growing = True
def grow():
    with open("growing", "wb", buffering=0) as file:
        while growing and file.tell() < 16 << 20: file.write(bytes(4096))
thread = threading.Thread(target=grow); thread.start()
import os, time
while not os.path.exists("growing"): time.sleep(0.001)
"""
    await shared.execute(code)
    assert len(await shared.get("growing")) <= 16 << 20
    await shared.execute("growing = False; thread.join(); import os; os.unlink('growing')")


async def test_a_full_disk_is_reported_and_leaves_no_partial_file(shared: Sandbox) -> None:
    with pytest.raises(SandboxPathError, match=r"huge: (No space left|File too large)"):
        await shared.put("huge", bytes(65 << 20))
    assert [f for f in await shared.list() if "huge" in f.path] == []
    await shared.put("small", b"fits")


async def test_links_are_not_followed_for_reading_or_writing(shared: Sandbox) -> None:
    code = """
import os
open("target", "w").write("untouched")
os.symlink("/etc/passwd", "to-passwd")
os.symlink("/etc", "to-etc")
os.symlink("target", "to-target")
os.symlink("/dev/zero", "to-zero")
os.mkfifo("fifo")
"""
    await shared.execute(code)
    for path in ("to-passwd", "to-etc/passwd", "to-target", "to-zero", "fifo"):
        with pytest.raises(SandboxPathError):
            await shared.get(path)
    with pytest.raises(SandboxPathError):
        await shared.put("to-etc/new", b"x")
    await shared.put("to-target", b"a separate file")
    assert await shared.get("target") == b"untouched"
    assert await shared.get("to-target") == b"a separate file"


async def test_a_link_that_replaces_a_folder_during_a_read_is_not_followed(shared: Sandbox) -> None:
    code = """
import os, threading
swapping = True
os.mkdir("real"); open("real/passwd", "w").write("mine")
def swap():
    while swapping:
        os.rename("real", "aside"); os.symlink("/etc", "real")
        os.unlink("real"); os.rename("aside", "real")
thread = threading.Thread(target=swap); thread.start()
"""
    await shared.execute(code)
    successes = attempts = 0
    while attempts < 200 or not successes:
        attempts += 1
        try:
            assert await shared.get("real/passwd") == b"mine"
            successes += 1
        except SandboxPathError:
            pass
    for _ in range(50):
        with suppress(SandboxPathError):
            await shared.put("real/put", b"x")
    await shared.execute("swapping = False; thread.join()")


async def test_file_names_that_are_not_text_are_escaped(sandbox: Sandbox) -> None:
    done = await sandbox.execute(r"import os; os.close(os.open(b'\xff\n', os.O_CREAT))")
    assert done.files == ("/mnt/data/\\udcff\n",)
    assert [file.path for file in await sandbox.list()] == ["/mnt/data/\\udcff\n"]


async def test_a_folder_can_be_put_and_fetched(sandbox: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a.txt").write_text("a")
    (source / "sub" / "b.txt").write_text("b")
    (source / "link").symlink_to("/etc/passwd")
    written = await put_folder(sandbox, source, "given")
    assert written == ["/mnt/data/given/a.txt", "/mnt/data/given/sub/b.txt"]
    await sandbox.execute("open('given/c.txt', 'w').write('c')")
    got = await get_folder(sandbox, tmp_path / "target", "given")
    assert [str(p.relative_to(tmp_path / "target")) for p in got] == ["a.txt", "c.txt", "sub/b.txt"]
    assert (tmp_path / "target/sub/b.txt").read_text() == "b"


async def test_a_fetched_folder_replaces_no_file_and_follows_no_link(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    await sandbox.put("given/x", b"from inside")
    (tmp_path / "victim").write_text("the host's")
    target = tmp_path / "target"
    target.mkdir()
    (target / "x").symlink_to(tmp_path / "victim")
    with pytest.raises(SandboxPathError, match="already exists"):
        await get_folder(sandbox, target, "given")
    assert (tmp_path / "victim").read_text() == "the host's"
    (target / "x").unlink()
    outside = tmp_path / "outside"
    outside.mkdir()
    await sandbox.put("deep/sub/x", b"from inside")
    (target / "sub").symlink_to(outside)
    with pytest.raises(SandboxPathError, match="leads out of"):
        await get_folder(sandbox, target, "deep")
    assert list(outside.iterdir()) == []


async def test_folders_have_a_size_limit(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(100))
    with pytest.raises(SandboxPathError, match="has 100 bytes; max_bytes is 99"):
        await put_folder(sandbox, tmp_path, max_bytes=99)
    with pytest.raises(SandboxPathError, match="is not a folder"):
        await put_folder(sandbox, tmp_path / "a")
    await sandbox.put("b", bytes(100))
    with pytest.raises(SandboxPathError, match="has 100 bytes; max_bytes is 99"):
        await get_folder(sandbox, tmp_path / "out", max_bytes=99)


@pytest.mark.parametrize("after_s", [0.0, 0.01])
async def test_a_cancelled_put_leaves_no_partial_file(shared: Sandbox, after_s: float) -> None:
    with anyio.move_on_after(after_s):
        await shared.put("given-up", bytes(32 << 20))
    assert [file.path for file in await shared.list() if "given-up" in file.path] in (
        [],
        ["/mnt/data/given-up"],
    )
