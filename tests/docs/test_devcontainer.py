"""What the dev container names is there."""

from __future__ import annotations

import json
import re

from tests.docs.code import CODE, COMPOSE_SETTINGS, TARGETS
from tests.docs.pages import ROOT

TEXT = (ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8")
CONTAINER = json.loads(re.sub(r"^ *//.*$", "", TEXT, flags=re.MULTILINE))


def test_its_image_is_that_of_the_dockerfile_with_make_and_git():
    (image,) = set(re.findall(r"^FROM (\S+)", CODE[ROOT / "Dockerfile"], re.MULTILINE))
    assert CONTAINER["image"] == image.replace("-slim", "")


def test_it_calls_a_target_and_forwards_the_port_of_mages_page():
    program, target = CONTAINER["postCreateCommand"].split()
    assert program == "make" and target in TARGETS
    assert CONTAINER["forwardPorts"] == [int(COMPOSE_SETTINGS["MAGE_PORT"])]
