"""The slider over θ in a live kernel, moved as a browser moves it: by a widget message, answered with photos."""

import os
import sys

import pytest
from jupyter_client.manager import start_new_kernel
from PIL import Image

SLIDER = """
import sys, torch
from showcase_utils.plots.selection import theta_slider
from showcase_utils.selection import dpp

relevance, features = torch.tensor([2.0, 1.9, 0.5, -1.0]), torch.eye(4)[[0, 0, 1, 2]]
strips = {}
for theta in (0.0, 0.5, 0.98):
    L = dpp.kernel(dpp.quality(relevance, theta), features, alpha=0.9, sigma=0.5)
    strips[theta] = [PATHS[i] for i in dpp.greedy_map(L, 2).tolist()]
print(sys.executable, strips, sep="\\n")
theta_slider(strips)
"""


class Browser:
    """What a front end knows of a kernel's widgets: the newest state of each model, and the views on display."""

    def __init__(self, client) -> None:
        self.client, self.models, self.views, self.printed = client, {}, [], ""

    def run(self, code: str) -> None:
        self._follow(self.client.execute(code))

    def move(self, model: str, **state) -> None:
        data = {"method": "update", "state": state, "buffer_paths": []}
        message = self.client.session.msg("comm_msg", {"comm_id": model, "data": data})
        self.client.shell_channel.send(message)
        self._follow(message["header"]["msg_id"])

    def named(self, name: str) -> list[str]:
        return [model for model, state in self.models.items() if state["_model_name"] == name]

    def _follow(self, request: str) -> None:
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return
            if kind == "error":
                pytest.fail("\n".join(content["traceback"]))
            if kind == "stream":
                self.printed += content["text"]
            if kind == "execute_result":
                self.views.append(content["data"])
            if kind in ("comm_open", "comm_msg") and "state" in content["data"]:
                state = dict(content["data"]["state"])
                for (key,), buffer in zip(content["data"]["buffer_paths"], message["buffers"], strict=True):
                    state[key] = bytes(buffer)
                self.models.setdefault(content["comm_id"], {}).update(state)


@pytest.fixture
def browser(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "03_dpp_selection.ipynb")  # as a Jupyter server does
    manager, client = start_new_kernel(env=dict(os.environ))
    yield Browser(client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.slow
def test_moving_the_slider_shows_the_photos_chosen_at_that_theta(browser, tmp_path):
    paths = [str(tmp_path / f"{number}.png") for number in range(4)]
    for shade, path in enumerate(paths):
        Image.new("RGB", (4, 4), (60 * shade, 0, 0)).save(path)
    names = {(tmp_path / f"{number}.png").read_bytes(): number for number in range(4)}
    browser.run(f"PATHS = {paths}\n{SLIDER}")
    assert browser.printed.splitlines()[0] == sys.executable, "another Python answers: is its kernelspec the first?"
    (slider,), frames = browser.named("SelectionSliderModel"), browser.named("ImageModel")
    assert browser.models[slider]["_options_labels"] == ["0.00", "0.50", "0.98"]
    assert "application/vnd.jupyter.widget-view+json" in browser.views[0]

    def shown() -> list[int]:
        return [names[browser.models[frame]["value"]] for frame in frames]

    assert shown() == [0, 2]
    browser.move(slider, index=2)
    assert shown() == [0, 1]
    browser.move(slider, index=1)
    assert shown() == [0, 2]
