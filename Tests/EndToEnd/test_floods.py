"""Every flood for half a second, with few connections: that the tools work, and that a client beside them is served."""

import subprocess
import sys
from pathlib import Path

import pytest

FLOODS = Path(__file__).parents[1] / "Floods"


@pytest.mark.alone
def test_a_client_is_served_beside_every_flood(martlet):
    ran = subprocess.run([sys.executable, str(FLOODS / "floods.py"), "--martlet", martlet, "--smoke"],
                         capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("; ok") == 15, ran.stdout


@pytest.mark.alone
def test_every_flood_of_http2_ends_as_its_limit_says(martlet):
    ran = subprocess.run([sys.executable, str(FLOODS / "floods_h2.py"), "--martlet", martlet, "--smoke"],
                         capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("; ok") == 28, ran.stdout


def test_a_short_soak_leaves_nothing_behind(martlet):
    ran = subprocess.run([sys.executable, str(FLOODS / "soak.py"), "--martlet", martlet, "--requests", "20000", "--smoke"],
                         capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout + ran.stderr
