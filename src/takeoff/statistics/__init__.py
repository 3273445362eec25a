"""What learning curves say: from means and intervals to forecasts, claims and decisions.

Nothing here trains or draws anything: tables come in, tables and small frozen records go out.
From the ground up: `intervals` and `families` (curves and their fits); `evidence`, `averaging`,
`learned`, `shapes` and `extrapolate` (one curve's forecast); `fits`, `floors`, `forecasts` and
`surfaces` (tables of them); `claims` (the lecture's); `measured`, `decisions`, `comparisons`,
`levers` and `options` (what to do about it); `predictions` and `decide` (tables of one's own).
"""
