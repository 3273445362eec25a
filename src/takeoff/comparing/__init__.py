"""Two reports of a study side by side: what changed from the old one to the new one.

`bundles` reads reports, `moves` judges their numbers, `verdicts` their verdicts, `changes` what is
behind them (config, versions, data, code); `comparison` puts these together. `page`, `figures` and
`summary` show it.
"""
