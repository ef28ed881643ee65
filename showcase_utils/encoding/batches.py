"""Photos and texts as batches of tensors, prepared in worker processes and handed out in order."""

from __future__ import annotations

import contextlib
import errno
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from showcase_utils.data.sentences import split_sentences

Photo = str | Path | Image.Image


class Tokenizer(Protocol):
    """open_clip's: token ids of at most ``context_length``."""

    @property
    def context_length(self) -> int: ...

    def __call__(self, texts: list[str], context_length: int) -> Tensor: ...


class Batch(NamedTuple):
    """Model inputs. ``rows (r, …)``, of which row i belongs to source ``owners[i]``; rejects are (source, reason).

    ``failure``: why the machine could not prepare the batch. It is not raised in the worker process, because PyTorch
    wraps such an error in the worker's traceback, and then waits for its workers for seconds.
    """

    rows: Tensor
    owners: list[int]
    rejects: list[tuple[int, str]]
    failure: str = ""


class Photos(Dataset):
    """Photos through a model's own preprocessing; one that is not there or not a photo is a reject, not an error.

    Where it is the machine that fails (memory, disk, network, permissions), the batch is a failure that names the file.
    """

    def __init__(self, sources: Sequence[Photo], preprocess: Callable[[Image.Image], Tensor], size: int) -> None:
        self.sources, self.preprocess, self.size = sources, preprocess, size

    def __getitems__(self, indices: list[int]) -> Batch:
        rows, owners, rejects = [], [], []
        for index in indices:
            try:
                rows.append(self.preprocess(open_photo(self.sources[index], self.size)))
                owners.append(index)
            except Exception as error:  # Pillow's plugins raise nearly anything on a broken file
                if _of_the_machine(error):
                    failure = (
                        f"{self.sources[index]} could not be read, and the photo is not to blame "
                        f"({type(error).__name__}: {error}): see to the disk, the memory or the permissions and run "
                        "again; what was committed is kept"
                    )
                    return Batch(torch.empty(0), [], [], failure)
                rejects.append((index, _reason(error, self.sources[index])))
        return Batch(torch.stack(rows) if rows else torch.empty(0), owners, rejects)

    def __len__(self) -> int:
        return len(self.sources)


class Texts(Dataset):
    """Tokenised texts. ``whole``: a text beyond the context is given as one row per sentence, else it is cut off."""

    def __init__(self, sources: Sequence[str], tokenizer: Tokenizer, context_length: int, whole: bool) -> None:
        self.sources, self.tokenizer, self.context_length, self.whole = sources, tokenizer, context_length, whole

    def __getitems__(self, indices: list[int]) -> Batch:
        texts, owners = [self.sources[index] for index in indices], list(indices)
        if self.whole:
            parts = [
                (owner, part)
                for owner, text, fits in zip(indices, texts, self._fit(texts), strict=True)
                for part in ([text] if fits else _sentences(text))
            ]
            owners, texts = [owner for owner, _ in parts], [part for _, part in parts]
        return Batch(self.tokenizer(texts, context_length=self.context_length), owners, [])

    def _fit(self, texts: list[str]) -> list[bool]:
        """Which texts fit into the context: with room for one token more they get padding, and change in nothing else.

        Comparing both catches tokenizers whose padding is their end token, where the last token alone says nothing.
        """
        plain = self.tokenizer(texts, context_length=self.context_length)  # (n, c)
        roomy = self.tokenizer(["", *texts], context_length=self.context_length + 1)  # (1 + n, c + 1)
        padding, roomy = roomy[0, -1], roomy[1:]
        return ((roomy[:, :-1] == plain).all(dim=1) & (roomy[:, -1] == padding)).tolist()

    def __len__(self) -> int:
        return len(self.sources)


def open_photo(source: Photo, size: int) -> Image.Image:
    """A photo, decoded. A JPEG many times larger than ``size`` pixels is decoded at 1/2, 1/4 or 1/8 of its size.

    That is libjpeg's own scaling ("draft mode"), never below twice ``size``, so that the model's own resizing still
    averages over pixels. Raises what Pillow raises.
    """
    if isinstance(source, Image.Image):
        return source
    if not str(source):
        raise FileNotFoundError("no file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # a warning per large photo helps nobody
        with Image.open(source) as image:
            image.draft("RGB", (2 * size, 2 * size))
            image.load()
            return image


def in_batches(
    dataset: Photos | Texts, batches: Sequence[list[int]], workers: int, pin_memory: bool
) -> Iterator[Batch]:
    """The batches of ``dataset`` named by index, in order, prepared ahead by ``workers`` processes (0: none)."""
    loader = DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=_unchanged,
        num_workers=min(workers, len(batches) - 1) if len(batches) > 1 else 0,  # starting one costs more than a batch
        pin_memory=pin_memory,
    )
    with _serial_tokenizers():
        iterator = iter(loader)  # forks here
    return iterator


@contextlib.contextmanager
def _serial_tokenizers() -> Iterator[None]:
    """Keeps the tokenizers library from warning, at every fork, that its threads do not survive a fork."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TOKENIZERS_PARALLELISM"]
        else:
            os.environ["TOKENIZERS_PARALLELISM"] = before


def _unchanged(batch: Any) -> Any:
    return batch


def _sentences(text: str) -> list[str]:
    return next(split_sentences([text])) or [text]


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, on the device or on the machine."""
    text = str(error).lower()
    found = "out of memory" in text or "can't allocate memory" in text
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (isinstance(error, RuntimeError) and found)


def _of_the_machine(error: Exception) -> bool:
    """Whether reading failed for a reason outside of the photo, which another try may not meet.

    Pillow's own errors have no number; an invalid seek (EINVAL) comes from what a broken photo says of itself.
    """
    if isinstance(error, OSError):
        return error.errno not in (None, errno.ENOENT, errno.EINVAL)
    return out_of_memory(error)


def _reason(error: Exception, source: Photo) -> str:
    """What went wrong, without the folder: the same words on every machine."""
    message = str(error)
    if not isinstance(source, Image.Image) and str(source):
        message = message.replace(str(source), Path(source).name)
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return f"{type(error).__name__}: {message}"
