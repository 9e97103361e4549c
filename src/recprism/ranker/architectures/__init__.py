"""How tasks share a network: one file per architecture, one interface, and the table of them.

An architecture is a module from the prepared inputs [n, d] and the task of each row to one vector
[n, out] per row; what follows it (heads per task) and what precedes it (normalization, embeddings)
is the same for all.
"""

from recprism.ranker.architectures.interface import Architecture
from recprism.ranker.architectures.mmoe import Mmoe
from recprism.ranker.architectures.ple import Ple
from recprism.ranker.architectures.shared_bottom import SharedBottom
from recprism.ranker.architectures.single import Single

ARCHITECTURES: dict[str, type[Architecture]] = {
    each.name: each for each in (SharedBottom, Mmoe, Ple, Single)
}

__all__ = ["ARCHITECTURES", "Architecture"]
