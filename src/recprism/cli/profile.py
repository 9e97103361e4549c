"""`recprism profile`"""

from __future__ import annotations

from pathlib import Path

from recprism.cli.options import AsJson, At, Directory, User
from recprism.cli.output import write, write_json
from recprism.cli.times import parse_time
from recprism.cli.views.profile import profile_card


def profile(
    *, directory: Directory = Path(), user: User, at: At = None, as_json: AsJson = False
) -> None:
    """Show what is known of a user, as a card or as JSON."""
    from recprism.engine import open_engine

    moment = None if at is None else parse_time(at)
    with open_engine(directory) as engine:
        found = engine.profile(user, at=moment).to_dict()
    write_json(found) if as_json else write(profile_card(found))
