"""The protocol that a score was obtained under. No torch: reports read it too."""

from __future__ import annotations

import hashlib

import msgspec

from ganzoo.zoo.specs.extractors import INCEPTION_2015_SHA256


class Protocol(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a score depends on besides the generator. Scores of different protocols are never ranked."""

    dataset: str
    data_sha256: str
    """Of the pixels and labels of both splits."""
    reference: str
    """The split that fakes are compared with."""
    reference_count: int
    samples: int
    """Generated images; the real-vs-real floor uses as many held-out real ones."""
    floor: str
    """Where the held-out real images come from."""
    extractor: str
    extractor_sha256: str
    resize: str
    splits: int
    """Of the classifier score."""
    quantisation: str = "floor(clip(127.5 x + 128, 0, 255)) to uint8"
    generator: str = "eval mode, averaged weights where the recipe keeps an average, no truncation"
    best: str = "lowest distance at the evaluation points, on samples that no reported score uses"

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that are equal exactly when everything above is, whatever the dataset is called.

        Its name may hold a path of this machine; the hash of its content is what counts.
        """
        nameless = msgspec.structs.replace(self, dataset="")
        return hashlib.sha256(msgspec.json.encode(nameless, order="deterministic")).hexdigest()[:8]

    @property
    def canonical(self) -> bool:
        """Whether the scores may be called FID and IS: the network is the 2015-12-05 Inception itself."""
        return self.extractor_sha256 == INCEPTION_2015_SHA256

    @property
    def distance_name(self) -> str:
        """`FID`, or `FD-<extractor>` for any other feature network."""
        return "FID" if self.canonical else f"FD-{self.extractor}"

    @property
    def score_name(self) -> str:
        """`IS`, or `CS-<extractor>` for any other classifier."""
        return "IS" if self.canonical else f"CS-{self.extractor}"

    def differences(self, other: Protocol) -> list[str]:
        """Return the fields that differ, each with both values."""
        return [
            f"{field} ({getattr(self, field)} / {getattr(other, field)})"
            for field in self.__struct_fields__
            if getattr(self, field) != getattr(other, field)
        ]

    def describe(self) -> str:
        """Return the protocol as a sentence under a table."""
        return (
            f"{self.samples:,} generated images ({self.generator}), {self.quantisation}, against the {self.reference} "
            f"split of {self.dataset} ({self.reference_count:,} images) in the features of {self.extractor} "
            f"(sha256 {self.extractor_sha256[:8]}; {self.resize}); {self.score_name} over {self.splits} splits; "
            f"floor: {self.floor}; best: {self.best}; fingerprint {self.fingerprint}"
        )


class Score(msgspec.Struct, frozen=True):
    """What one set of images scores."""

    distance: float
    """Fréchet distance to the reference; lower is better."""
    classifier: float
    """Classifier score (the inception score, for Inception); higher is better."""
    classifier_sd: float
    """Standard deviation over splits."""
