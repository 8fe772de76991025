"""The lupus and toxicity instruments as pure functions: scores with their reasons, from answers and values alone.

Every function takes the keys of its instrument's contract and gives an answer dataclass with the contract's keys.
None means unknown everywhere, and what hangs on an unknown is None. Nothing here knows tables, subjects or time.
"""
