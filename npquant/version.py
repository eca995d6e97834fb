"""The two versions: of the package, and of the numbers that its profiles give."""

from typing import Final

__version__: Final = "0.1.0"
# Apart from the package version: raised when any golden output of any profile changes (tests/testing pins them).
numerics_version: Final = "2"
# Earlier numerics versions under which npquant's own profile gave the answers that it gives now.
own_numerics_unchanged_since: Final = ("1",)
