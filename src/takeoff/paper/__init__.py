"""The paper: results in; a page, a PDF, figures and a JSON file of every number out.

`facts` and `option_facts` give every number its id, `views` and `option_views` show templates what
they may speak of, `prose` fills the templates, `typeset` makes PDF and page of them, `looks` and
`figures` draw, and `report` does it all. How numbers and errors are written is said in
`takeoff.wording` and `takeoff.measures`.
"""
