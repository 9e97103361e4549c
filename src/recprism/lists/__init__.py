"""What may be shown, how often, where, and once only. In come scores, out go lists."""

from recprism.lists.caps import within_cap
from recprism.lists.diversity import diversify
from recprism.lists.effects import SlotEffects
from recprism.lists.eligibility import Candidates, eligible, every_item, open_groups
from recprism.lists.merge import Picks, TaskList, merge, underlying_items
from recprism.lists.policy import Policy, compile_policy
from recprism.lists.slots import NO_SLOT, SlotRules, assign_slots, compile_slots

__all__ = [
    "NO_SLOT",
    "Candidates",
    "Picks",
    "Policy",
    "SlotEffects",
    "SlotRules",
    "TaskList",
    "assign_slots",
    "compile_policy",
    "compile_slots",
    "diversify",
    "eligible",
    "every_item",
    "merge",
    "open_groups",
    "underlying_items",
    "within_cap",
]
