"""The paper: results in; a page, a PDF, figures and a JSON file of every number out.

A number is a `fact`; `facts` and `option_facts` make all of them. `views` and `option_views` show
templates what they may speak of, `prose` fills the templates, `typeset` makes PDF and page of them,
`looks` and `figures` draw, and `report` does it all. How numbers and errors are written is said in
`takeoff.wording` and `takeoff.measures`.
"""
