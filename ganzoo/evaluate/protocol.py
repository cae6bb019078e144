"""The protocol that a score was obtained under. No torch: reports read it too."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import msgspec

from ganzoo.evaluate.metrics import Column
from ganzoo.zoo.specs.extractors import INCEPTION_2015, INCEPTION_2015_SHA256

UINT8 = "floor(clip(127.5 x + 128, 0, 255)) to uint8"
POINTS = "float32 points, not rounded"


class Protocol(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a score depends on besides the generator. Scores of different protocols are never ranked."""

    dataset: str
    data_sha256: str
    """Of the pixels and labels of both splits."""
    reference: str
    """Which images of the dataset fakes are compared with, e.g. `the train split`."""
    reference_count: int
    samples: int
    """Generated images; the real-vs-real floor uses as many held-out real ones."""
    floor: str
    """Where the held-out real images come from."""
    extractor: str
    extractor_sha256: str
    """Of its weights."""
    extractor_code: str = ""
    """The plugin that the extractor comes from, with version and content hash; empty for ganzoo's own."""
    resize: str
    dimension: int
    """Of the features."""
    classes: int
    """Number of classes that the extractor tells apart; 0 for none."""
    quantisation: str = UINT8
    generator: str = "eval mode, averaged weights where the recipe keeps an average, no truncation"
    best: str
    """How the best checkpoint was chosen."""
    inception_score: str = "10 splits after a seeded shuffle"
    kernel_distance: str = "cubic kernel, unbiased, mean of 100 seeded subsets of at most 1,000"
    neighbours: str = "k = 5, strict <, as many real images, drawn with a seed, as generated ones"
    infinity: str = "15 sizes, regressed on 1/N"

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that are equal exactly when everything above is, whatever the dataset is called.

        Its name may hold a path of this machine; the hash of its content is what counts.
        """
        values = msgspec.structs.asdict(self) | {"dataset": ""}
        if not self.extractor_code:  # older protocols had no such field, when all extractors were ganzoo's own
            del values["extractor_code"]
        return hashlib.sha256(msgspec.json.encode(values)).hexdigest()[:8]

    @property
    def canonical(self) -> bool:
        """Whether the scores may be called FID, IS and KID: the network is the 2015-12-05 Inception itself."""
        return self.extractor_sha256 == INCEPTION_2015_SHA256

    def title(self, column: Column) -> str:
        """Return a column's name: `FID`, `FID (protocol=tf-compat)`, or `FD-<extractor>` for any other network.

        Another extractor with that network's weights, but its own preprocessing, is named too: `FID (<extractor>)`.
        """
        if column.key == "modes":
            return f"modes of {self.classes:,}"
        if not column.renamed:
            return column.name
        if not self.canonical:
            return f"{column.renamed}-{self.extractor.partition(':')[0]}"
        name, _, parameters = self.extractor.partition(":")
        variant = parameters if name == INCEPTION_2015 and not self.extractor_code else self.extractor
        return f"{column.name} ({variant})" if variant else column.name

    def differences(self, other: Protocol) -> list[str]:
        """Return the fields that differ, each with both values."""
        return [
            f"{field} ({getattr(self, field)} / {getattr(other, field)})"
            for field in self.__struct_fields__
            if getattr(self, field) != getattr(other, field)
        ]

    def describe(self, metrics: Collection[str]) -> str:
        """Return the protocol as a sentence under a table with these metrics."""
        settings = {
            "is": f"classifier score: {self.inception_score}",
            "kid": f"kernel distance: {self.kernel_distance}",
            "prdc": f"precision, recall, density, coverage: {self.neighbours}",
            "fid-infinity": f"extrapolated distance: {self.infinity}",
        }
        code = f"; code of {self.extractor_code}" if self.extractor_code else ""
        return "; ".join([
            f"{self.samples:,} generated images ({self.generator}), {self.quantisation}, against {self.reference} "
            f"of {self.dataset} ({self.reference_count:,} images) in the {self.dimension:,} features of "
            f"{self.extractor} (sha256 {self.extractor_sha256[:8]}; {self.resize}{code})",
            *(setting for name, setting in settings.items() if name in metrics),
            f"floor: {self.floor}; best: {self.best}; fingerprint {self.fingerprint}",
        ])  # fmt: skip

    @property
    def warning(self) -> str:
        """What to beware of: a covariance of D dimensions needs many times D samples; empty where there are enough."""
        fewest = min(self.samples, self.reference_count or self.samples)  # 0: only statistics are known
        if fewest >= 10 * self.dimension:
            return ""
        return (
            f"{fewest:,} images are fewer than 10 for each of {self.dimension:,} "
            "feature dimensions: the Fréchet distance is biased upward; compare it with the floor, and only at equal "
            "counts"
        )
