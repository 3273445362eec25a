"""Many networks trained as one: the engine behind the network learners.

From the inside out: `rows` gathers examples, `losses` says what is lowered, `replicates` is the
arithmetic of R networks side by side, `schedule` what one of them does next within its `budget` of
steps, `batch` the Lightning module that trains them together, and `device` says where, and how many
at once.
"""
