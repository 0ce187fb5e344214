"""Which subjects train, validate and test: by name, or by the hash of their names."""

import dataclasses
import hashlib
from collections.abc import Collection, Mapping, Sequence

from mgdm_jax.data import prepared


@dataclasses.dataclass(frozen=True)
class Splits:
    """How subjects are split, each the same whoever else there is.

    Attributes:
      shares: split -> share, of sum 1, of the subjects that are not named. A subject's
        name, hashed, is a number in [0, 1) that falls into one of them: of few subjects
        a split may get none.
      named: subject -> split.
    """

    shares: Mapping[str, float]
    named: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def of(self, subject: str) -> str:
        """Return the split of a subject; all volumes of it go together."""
        if subject in self.named:
            return self.named[subject]
        digest = hashlib.sha256(subject.encode()).digest()
        place, total = int.from_bytes(digest[:8], "big") / 2**64, 0.0
        for split, share in self.shares.items():
            total += share
            if place < total:
                return split
        return split

    def check_known(self, subjects: Collection[str]) -> None:
        """Refuse names that nobody has.

        Raises:
          ValueError: naming the first.
        """
        for subject, split in self.named.items():
            if subject not in subjects:
                raise ValueError(
                    f"--{split} names {subject}, of whom there is no volume; there are "
                    f"{listed(subjects)}."
                )

    def lacking(self, present: Collection[str]) -> list[str]:
        """Return the splits of a share to which no subject came."""
        return [s for s, share in self.shares.items() if share and s not in present]


def listed(names: Collection[str], most: int = 8) -> str:
    """Return the first names in their order, for a message."""
    first = sorted(names)[:most]
    return ", ".join(first) + (", …" if len(names) > most else "")


def parse(
    shares: Sequence[str], validation: Sequence[str], test: Sequence[str]
) -> Splits:
    """Return the splits of `split=share` words and names of subjects.

    Raises:
      ValueError: if a split is unknown, the shares do not add up to 1, or somebody is
        named twice.
    """
    both = sorted(set(validation) & set(test))
    if both:
        raise ValueError(f"--validation and --test both name {listed(both)}.")
    named = dict.fromkeys(validation, "validation") | dict.fromkeys(test, "test")
    return Splits(_parse_shares(shares), named)


def _parse_shares(given: Sequence[str]) -> dict[str, float]:
    shares = {}
    for word in given:
        split, _, share = word.partition("=")
        try:
            shares[split] = float(share)
        except ValueError:
            raise ValueError(f"--shares wants split=share, got {word!r}.") from None
    strange = set(shares) - set(prepared.SPLITS)
    negative = any(share < 0 for share in shares.values())
    if strange or negative or abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(
            f"--shares must give {', '.join(prepared.SPLITS)} shares that add up to 1, "
            f"got {','.join(given)}."
        )
    return shares
