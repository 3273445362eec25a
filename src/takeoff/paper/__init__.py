"""The paper: results in; a page, a PDF, figures and a JSON file of every number out.

`measures` and `wording` say how numbers are written, `facts` and `option_facts` give each its id,
`views` and `option_views` show templates what they may speak of, `prose` fills the templates,
`typeset` makes PDF and page of them, `looks` and `figures` draw, and `report` does it all.
"""
