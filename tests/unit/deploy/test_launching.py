"""Refusals before anything is started, and telling one's own processes from others."""

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import ports
from deploy.local.claim import claim
from deploy.local.clean import clean
from deploy.local.layout import layout_of
from deploy.local.orphans import (
    PROGRAM_VARIABLE,
    STACK_VARIABLE,
    end_orphans,
    marked_processes,
)
from deploy.local.problems import AlreadyRunning, PortTaken, StackError
from deploy.local.programs import Endpoint
from deploy.local.screen import Screen
from deploy.local.settings import StackSettings


def test_every_taken_port_is_named_at_once() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        taken = [one.getsockname()[1], two.getsockname()[1]]
        wanted = [
            Endpoint("nats", "nats_port", "127.0.0.1", taken[0]),
            Endpoint("gateway", "gateway_port", "127.0.0.1", taken[1]),
        ]
        with pytest.raises(PortTaken) as refusal:
            ports.check(wanted)
    lines = str(refusal.value).splitlines()
    assert len(lines) == 2
    assert f"Port {taken[0]}, which nats needs, is taken" in lines[0]
    assert "SPARELINE_NATS_PORT=" in lines[0]
    assert "SPARELINE_PORT_BASE" in lines[0]
    assert f"SPARELINE_GATEWAY_PORT={taken[1] + 1000}" in lines[1]
    ports.check(wanted)  # both are free again


def test_one_port_for_two_is_refused() -> None:
    twins = [Endpoint(name, f"{name}_port", "127.0.0.1", 7999) for name in ("nats", "store")]
    with pytest.raises(PortTaken, match="SPARELINE_NATS_PORT and SPARELINE_STORE_PORT are both"):
        ports.check(twins)


def test_a_claim_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    layout = layout_of(tmp_path)
    layout.prepare()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path\n"
            "from deploy.local.claim import claim; from deploy.local.layout import layout_of\n"
            "with claim(layout_of(Path(sys.argv[1])), purpose='the first'):\n"
            "    print('held', flush=True); time.sleep(60)",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(AlreadyRunning, match=rf"the first \(pid {holder.pid}\)"),
        claim(layout, purpose="the second"),
    ):
        pass
    with pytest.raises(AlreadyRunning):
        clean(StackSettings(var=tmp_path), Screen())
    holder.kill()
    holder.communicate()
    with claim(layout, purpose="the second"):
        pass


def test_a_folder_that_is_no_data_directory_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(StackError, match="nothing is removed"):
        clean(StackSettings(var=tmp_path), Screen())
    assert (tmp_path / "data").exists()


@pytest.fixture
def sleepers() -> Iterator[tuple[str, str, list[subprocess.Popen[bytes]]]]:
    mine, other = uuid.uuid4().hex, uuid.uuid4().hex
    marks = [(mine, "nats"), (mine, "store"), (other, "nats")]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)"],
            env={**os.environ, STACK_VARIABLE: stack, PROGRAM_VARIABLE: program},
        )
        for stack, program in marks
    ]
    # The mark is visible only after exec.
    deadline = time.monotonic() + 10
    while len(marked_processes(mine)) < 2 or len(marked_processes(other)) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield mine, other, started
    for process in started:
        process.kill()
        process.wait()


def test_only_processes_of_this_stack_are_ended(
    sleepers: tuple[str, str, list[subprocess.Popen[bytes]]],
) -> None:
    mine, other, started = sleepers
    nats, _, stranger = started
    assert [found.pid for found in marked_processes(mine, program="nats")] == [nats.pid]
    assert end_orphans(mine, patience=5.0) == 2
    assert marked_processes(mine) == []
    assert [found.pid for found in marked_processes(other)] == [stranger.pid]
    assert stranger.poll() is None
