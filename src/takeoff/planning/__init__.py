"""What a study costs, before it runs and after.

`costs` says how the seconds of a cell grow with its size, `cells` what cells a study has,
`reference` what they took on one machine, and `calibration` how this one compares. `jobs` lists the
jobs of a study with what they need (`memory`), and `plan` puts them on a number of cores.
"""
