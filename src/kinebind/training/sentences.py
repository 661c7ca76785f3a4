"""What training's meanings sound like: their phrases, embedded once, in a file that machines without an encoder read.

python -m kinebind.training.sentences train.kbcorpus sentences.safetensors
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kinebind.errors import InputError
from kinebind.store import written_whole
from kinebind.training.corpus import Corpus
from kinebind.training.draw.moves import labels_of
from kinebind.training.draw.words import meanings

_KEY = "kinebind-sentences"


@dataclass(frozen=True, eq=False)
class Sentences:
    """Phrases (P, text) embedded, those of meaning k from first[k] up to first[k + 1]; encoder: its name."""

    embedded: Tensor
    first: Tensor
    encoder: str

    @property
    def size(self) -> int:
        """Numbers of an embedding."""
        return int(self.embedded.shape[1])

    def drawn(self, generator: torch.Generator) -> Tensor:
        """One phrase of each meaning (W, text)."""
        count = self.first[1:] - self.first[:-1]
        draws = torch.rand(count.shape, generator=generator, device=self.embedded.device)
        return self.embedded[self.first[:-1] + (draws * count).long()]

    def mean(self) -> Tensor:
        """The mean of the meanings (text,), each the mean of its phrases."""
        return torch.stack(
            [self.embedded[a:b].mean(dim=0) for a, b in zip(self.first[:-1], self.first[1:], strict=True)]
        ).mean(dim=0)

    def to(self, device: torch.device | str) -> Sentences:
        """The same on a device."""
        return Sentences(self.embedded.to(device), self.first.to(device), self.encoder)


def write_sentences(corpus: Corpus, out: str | Path, encoder: str | None = None) -> Path:
    """Embed the phrases of a corpus's labels and of the named movements. Raises InputError as `sentence_encoder`."""
    from kinebind.nn.sentences import sentence_encoder

    found = sentence_encoder(encoder)
    phrases = meanings(labels_of(corpus))
    flat = [phrase for own in phrases for phrase in own]
    embedded = torch.from_numpy(found.encode(flat))
    head = {"encoder": found.name, "phrases": phrases}
    with written_whole(out) as part:
        save_file({"embedded": embedded}, part, metadata={_KEY: json.dumps(head)})
    return Path(out)


def read_sentences(path: str | Path, corpus: Corpus) -> Sentences:
    """Raises InputError where the file is missing, of another kind, or of another corpus or vocabulary."""
    try:
        with safe_open(str(path), framework="pt") as file:
            head = json.loads((file.metadata() or {}).get(_KEY, "null"))
            embedded = file.get_tensor("embedded")
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} is no file of sentences ({error}).", _AGAIN) from error
    phrases = meanings(labels_of(corpus))
    if not isinstance(head, dict) or [tuple(own) for own in head.get("phrases", [])] != phrases:
        raise InputError(f"{path} holds the phrases of another corpus or vocabulary.", _AGAIN)
    first = torch.tensor([0, *(len(own) for own in phrases)]).cumsum(dim=0)
    return Sentences(embedded, first, str(head["encoder"]))


_AGAIN = "Make it: python -m kinebind.training.sentences CORPUS FILE (needs the extra text)."


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Embed the phrases that the universal model learns.")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--encoder", help="Name or folder of a sentence-transformers model.")
    given = parser.parse_args()
    print(write_sentences(Corpus.open(given.corpus), given.out, given.encoder))


if __name__ == "__main__":
    main()
