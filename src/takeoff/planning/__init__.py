"""What a study costs, before it runs and after.

`costs` says how the seconds of a cell grow with its size, `reference` what they were on one machine,
`calibration` how this machine compares, `jobs` lists the jobs of a study with their needs, and `plan`
puts them on a number of cores.
"""
