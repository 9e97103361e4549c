"""The routes, one file per topic."""

from recprism.serve.routes import (
    artifacts,
    ask,
    catalog,
    events,
    experiments,
    health,
    items,
    keys,
    lists,
    outcomes,
    pages,
    people,
    tasks,
    users,
)

ROUTERS = tuple(
    topic.router
    for topic in (
        lists,
        ask,
        events,
        outcomes,
        experiments,
        users,
        people,
        catalog,
        items,
        tasks,
        artifacts,
        keys,
        health,
        pages,
    )
)
