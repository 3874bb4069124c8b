"""`make run` as a newcomer meets it: the sample comes in, a round is cleared, all of it once."""

import re
import signal
import urllib.request
from pathlib import Path

import pytest

from deploy.local.free_ports import settings_on_free_ports
from deploy.sample import files
from tests.e2e.stack_process import launcher, left_of, read_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.thorough]


def test_a_load_that_was_killed_is_carried_on_and_a_later_start_loads_nothing(
    tmp_path: Path,
) -> None:
    offers, demands = len(files.offers()), len(files.demands())
    settings = settings_on_free_ports(tmp_path)

    with launcher(tmp_path, "run", settings=settings) as killed:
        read_until(killed, "Loading the sample market: offers")
        killed.kill()
        killed.wait()

    with launcher(tmp_path, "run", settings=settings) as first:
        said = read_until(first, "Ctrl-C ends it")
        served = re.search(r"(\d+) of (\d+) demands served from (\d+) of (\d+) offers", said)
        assert served is not None, said
        assert int(served[2]) == demands
        assert int(served[4]) == offers
        assert int(served[1]) > demands // 2
        assert "What was matched" in said
        assert "platform@spareline.example" in said
        assert "could not" not in said
        address = f"http://127.0.0.1:{settings.gateway_port}"
        assert address in said
        with urllib.request.urlopen(address, timeout=20) as page:
            assert page.status == 200
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=90)
        assert first.returncode == 0
    assert left_of(tmp_path) == []

    with launcher(tmp_path, "run", settings=settings) as second:
        said = read_until(second, "Ctrl-C ends it")
        assert "Loading" not in said
        assert f"The market has {offers} open offers" in said
        assert served[0] in said
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=90)
    assert left_of(tmp_path) == []
