"""Before anything imports torch: one thread, which small models are fastest with, and no model hub. Then the order."""

import gc
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
WITHOUT = str(Path(__file__).with_name("without"))  # in place of what takes long to import; for children too
sys.path.insert(0, WITHOUT)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [WITHOUT, os.environ.get("PYTHONPATH")]))
gc.disable()  # what is imported stays: to look through it for garbage, over and over, takes a third of the collection

# They begin while there is still work for the other processes, the longest first; see --no-loadscope-reorder.
LONGEST = (
    "notebooks/test_execution.py",
    "test_own_data.py",
    "encoding/test_ray_engine.py",
    "generation/test_build.py",
    "test_gpu_script.py",
    "backbones/test_training.py",
    "faults/test_campaign.py",
    "test_pipeline.py",
    "generation/test_baselines.py",
    "generation/test_training.py",
    "generation/test_prefix.py",
    "generation/test_trainer.py",
    "generation/test_vlm_lora.py",
    "generation/test_gated.py",
    "generation/test_auto.py",
    "data/test_published_run.py",
    "encoding/test_clip.py",
    "selection/test_build.py",
)


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(LONGEST)}
    folder = os.path.dirname(__file__)
    items.sort(key=lambda item: places.get(os.path.relpath(item.path, folder), len(places)))


def pytest_collection_finish():
    gc.freeze()
    gc.enable()
