"""How many cores a container leaves to a process."""

from pathlib import Path

import pytest

from sparsenmf.kernels.compile import threads


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "250000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "odd\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "0\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "300000\n"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_a_container_limits_the_cores(files, quota, tmp_path, monkeypatch):
    (tmp_path / "cpu").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    read = threads._cgroup_quota.__wrapped__
    monkeypatch.setattr(threads, "Path", lambda _, name: Path(tmp_path, name))
    assert read() == quota
    monkeypatch.setattr(threads, "_cgroup_quota", read)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads.available_cores() == (quota or 8)
