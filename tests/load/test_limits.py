import pytest

from initprobe.load.limits import free_memory, readable


def system(root, available=None, **groups):
    """A file system with /proc and cgroups; ``groups`` maps paths below sys/fs/cgroup (with __ for /) to contents."""
    (root / "proc/self").mkdir(parents=True)
    if available is not None:
        (root / "proc/meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:   {available} kB\n")
    for name, content in groups.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_", ".", 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(content))
    return root


def test_the_machine_tells_what_is_free(tmp_path):
    assert free_memory(system(tmp_path, available=1000)) == 1_024_000


def test_a_cgroup_leaves_less(tmp_path):
    root = system(tmp_path, available=1000, app__memory_max=500_000, app__memory_current=200_000)
    (root / "proc/self/cgroup").write_text("0::/app\n")
    assert free_memory(root) == 300_000


def test_page_cache_in_a_cgroup_counts_as_free(tmp_path):
    root = system(tmp_path, available=1000, app__memory_max=500_000, app__memory_current=450_000)
    (root / "sys/fs/cgroup/app/memory.stat").write_text("anon 1\ninactive_file 300000\n")
    (root / "proc/self/cgroup").write_text("0::/app\n")
    assert free_memory(root) == 350_000


def test_groups_above_count_as_well(tmp_path):
    root = system(
        tmp_path,
        available=1000,
        top__memory_max=100_000,
        top__memory_current=40_000,
        top__app__memory_max="max",
        top__app__memory_current=1,
    )
    (root / "proc/self/cgroup").write_text("0::/top/app\n")
    assert free_memory(root) == 60_000


def test_version_one_groups_are_read(tmp_path):
    root = system(tmp_path, available=1000)
    folder = root / "sys/fs/cgroup/memory/app"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text("70000\n")
    (folder / "memory.usage_in_bytes").write_text("30000\n")
    (root / "proc/self/cgroup").write_text("5:cpu:/app\n4:memory:/app\n")
    assert free_memory(root) == 40_000


def test_an_overdrawn_group_leaves_nothing(tmp_path):
    root = system(tmp_path, available=1000, app__memory_max=1, app__memory_current=2)
    (root / "proc/self/cgroup").write_text("0::/app\n")
    assert free_memory(root) == 0


def test_the_real_machine_has_memory():
    assert free_memory() > 1_000_000


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (4e12, "4.0 TB"), (4e18, "4 EB"), (4e24, "4e+06 EB")],
)
def test_sizes_are_readable(size, text):
    assert readable(size) == text
