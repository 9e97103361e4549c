"""One door to language models. It knows nothing of recommending."""

from recprism.llm.backend import Backend
from recprism.llm.door import Door, Price, Role
from recprism.llm.guard import Ground, refuse
from recprism.llm.ledger import Budget, Ledger, Spent
from recprism.llm.opening import has_roles, open_door
from recprism.llm.prompts import Mixed
from recprism.llm.redact import redact
from recprism.llm.requests import (
    Choice,
    Choose,
    Complete,
    Embed,
    Outcome,
    Prompt,
    Reply,
    Request,
    Score,
    State,
    most_telling,
)

__all__ = [
    "Backend",
    "Budget",
    "Choice",
    "Choose",
    "Complete",
    "Door",
    "Embed",
    "Ground",
    "Ledger",
    "Mixed",
    "Outcome",
    "Price",
    "Prompt",
    "Reply",
    "Request",
    "Role",
    "Score",
    "Spent",
    "State",
    "has_roles",
    "most_telling",
    "open_door",
    "redact",
    "refuse",
]
