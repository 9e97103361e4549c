"""The HTTP service: several lists per request, events that count at once, keys, metrics.

In come requests under `/v1`, out go documents of the contract, or errors of one shape. The one
decision worth knowing: the application is made of an engine, a store and settings, and knows
nothing of processes (`app.create_app`); `running` starts workers around it.
"""
