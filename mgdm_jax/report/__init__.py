"""One page about a run, or about several side by side.

`finished` gathers what a run has left, `shown` chooses images and encodes them, `curve`
draws the residual, `paired` compares, `cautions` warns, and `page` renders
`page.html.j2` with `page.css` and the scripts inlined: no request leaves the page.
"""
